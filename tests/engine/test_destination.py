"""Results in memory can be looked at while they come, and closed in the middle."""

from __future__ import annotations

import numpy as np

from helpers.layers import OPTICS, spots
from napari_deepblur import Optics, deblur
from napari_deepblur.engine.destination import OnView, PlanesInMemory
from napari_deepblur.engine.events import Progress, finish
from napari_deepblur.engine.known.blurs import ideal_blur
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import restore_job


def test_planes_are_counted_in_the_order_of_the_image() -> None:
    image = PlanesInMemory((2, 3, 4, 5))
    image[1, 0] = np.ones((4, 5))
    assert image.finished == {3}
    assert image[1, 0].all()
    assert image.data.sum() == 20
    assert image.n_planes == 6
    assert image.close() == [3]
    image[0, 0] = np.ones((4, 5))
    assert image.finished == {3}
    assert image.data.sum() == 20
    single = PlanesInMemory((4, 5))
    single[()] = np.ones((4, 5))
    assert single.close() == [0]


def test_a_restoration_fills_it_plane_by_plane() -> None:
    stack, blur = spots(3, 64, 64), ideal_blur(Optics(**OPTICS))
    sharp = PlanesInMemory(stack.shape)
    request = Request(image=stack, axes="ZYX", blur=blur, per="stack", device="cpu")
    job = restore_job(request, run=OnView(sharp))
    seen: list[set[int]] = []
    for event in job:
        assert isinstance(event, Progress)
        if not seen or seen[-1] != sharp.finished:
            seen.append(set(sharp.finished))
    assert seen == [set(), {0}, {0, 1}, {0, 1, 2}]
    np.testing.assert_array_equal(sharp.data, deblur(stack, blur, device="cpu"))


def test_closed_it_keeps_what_is_there() -> None:
    stack, blur = spots(3, 64, 64), ideal_blur(Optics(**OPTICS))
    sharp = PlanesInMemory(stack.shape)
    job = restore_job(Request(image=stack, axes="ZYX", blur=blur, per="stack"), run=OnView(sharp))
    while not sharp.finished:
        next(job)
    assert sharp.close() == [0]
    assert finish(job).sharp is sharp
    assert not sharp.data[1:].any()
