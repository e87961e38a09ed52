"""A part of a volume is deblurred nearly as it is within the whole volume."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.stacks import GAMMA, KNOWN, blurred, photographed, points
from napari_deepblur import deblur
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.part import Part
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.part import deblur_volume_part_job

BLUR = VolumeBlurEstimate(GAMMA[None], 0 * GAMMA[None], KNOWN)


def test_a_part_is_like_that_of_the_whole_volume() -> None:
    stack = photographed(blurred(points((20, 128, 160), n=60)))
    whole = deblur(stack, BLUR)
    part = Part(3, slice(0, 50), slice(50, 100))
    first, sharp = finish(deblur_volume_part_job(stack, BLUR, part, axes="ZYX"))
    assert first == 0
    expected = whole[:, *part.window]
    assert sharp.shape == expected.shape
    assert np.corrcoef(sharp.ravel(), expected.ravel())[0, 1] > 0.9
    assert sharp.sum() == pytest.approx(expected.sum(), rel=0.1)


def test_of_deep_volumes_the_planes_around_are_taken() -> None:
    series = np.stack([photographed(blurred(points((60, 96, 96), n=60), margin=(4, 16, 16)))] * 2)
    series[0] = 0
    part = Part(52 + 45, slice(0, 20), slice(44, 64))
    first, sharp = finish(deblur_volume_part_job(series, BLUR, part, axes="TZYX"))
    assert (first, sharp.shape) == (12, (40, 20, 20))
    assert sharp.max() > series[1, 12:].max()
