"""Small layers, blurs that no network read, and what their results must share."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from napari.layers import Image

from napari_deepblur import BlurEstimate, DeblurringCheck, Optics
from napari_deepblur.engine.concerns import Concern
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.widgets.deblur.deblur_task import Deblurred
from napari_deepblur.widgets.deblur.layers import geometry_of
from napari_deepblur.widgets.deblur.tasks import Estimated, load_task

OPTICS = {
    "numerical_aperture": 1.4,
    "wavelength_um": 0.52,
    "refractive_index": 1.518,
    "pixel_size_um": 0.09,
}
GEOMETRY = {
    "scale": (0.5, 0.09, 0.09),
    "translate": (3.0, -2.0, 7.0),
    "rotate": [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]],
    "affine": [[1, 0, 0, 5], [0, 0, -1, 1], [0, 1, 0, -4], [0, 0, 0, 1]],
    "units": ("second", "micrometer", "micrometer"),
    "axis_labels": ("t", "y", "x"),
}
NAMES = tuple("abcdefg")


def spots(*shape: int, seed: int = 0) -> np.ndarray:
    """Noisy counts with some structure."""
    rng = np.random.default_rng(seed)
    scene = rng.random(shape) ** 40 * 3000
    for axis in (-2, -1):
        scene = (scene + np.roll(scene, 1, axis) + np.roll(scene, -1, axis)) / 3
    return rng.poisson(scene + 100).astype(np.uint16)


def known_layer(*shape: int, **arguments) -> Image:
    """Layer that knows all of its optics."""
    n = len(shape)
    arguments = {
        "name": "cells",
        "scale": (1, 0.5, 0.09, 0.09)[-n:],
        "units": ("um",) * n,
        "metadata": {"deepblur": {"optics": OPTICS}},
    } | arguments
    return Image(spots(*shape), **arguments)


def estimated(n_rows: int = 1, **changes) -> Estimated:
    coefficients = np.arange(n_rows * 7, dtype=np.float32).reshape(n_rows, 7) / 100
    fields = {"model": DEFAULT_MODEL, "per": "plane", "n_planes": n_rows} | changes
    fields["concerns"] = _concerns(fields.get("concerns", ()))
    blur = BlurEstimate(coefficients, coefficients / 10, Optics(**OPTICS), **fields)
    psfs = np.full((n_rows, 5, 5), 0.04, np.float32)
    psfs[:, 2, 2] = 0.04 + np.arange(1, n_rows + 1)
    return Estimated(blur, NAMES, "waves RMS", psfs)


def estimated_in_3d(n_volumes: int = 1, *, n_planes: int = 8, concerns=()) -> Estimated:
    """A 3-D blur of the stacks of `known_layer`; each row has other coefficients."""
    drawn = _drawn_in_3d(n_volumes)
    blur = replace(drawn.blur, concerns=_concerns(concerns))
    return replace(drawn, blur=blur, planes_per_row=n_planes)


@cache
def _drawn_in_3d(n_volumes: int) -> Estimated:
    known = StackOptics(Optics(**OPTICS), z_step_um=0.5)
    n_modes = len(known.noll_indices)
    rows = np.arange(n_volumes * n_modes, dtype=np.float32).reshape(n_volumes, n_modes) / 500
    blur = VolumeBlurEstimate(rows, rows / 10, known)
    image = np.zeros((n_volumes, 8, 64, 64), np.uint8)
    return finish(load_task(Request(image=image, axes="TZYX", blur=blur)))


def checked(n_planes: int = 1, *, concerns: tuple[tuple[str, ...], ...] = ()) -> DeblurringCheck:
    """A check whose numbers tell the planes apart: 1.0, 1.1, … for the residual."""
    planes = np.arange(n_planes, dtype=np.float32)
    concerns = _concerns(concerns or ((),) * n_planes)
    noise, bright, none = np.full_like(planes, 3), np.ones_like(planes), np.zeros_like(planes)
    numbers = (1 + planes / 10, 0.5 + planes, 0.1 + planes / 100, noise, bright, none)
    return DeblurringCheck(*numbers, concerns)


def _concerns(texts: tuple[tuple[str, ...], ...]) -> tuple[tuple[Concern, ...], ...]:
    return tuple(tuple(map(Concern.read, row)) for row in texts)


def deblurred(found: Estimated, *shape: int, residual: bool = False, **changes) -> Deblurred:
    """A flat result of an image of that shape."""
    n_planes = int(np.prod(shape[:-2], dtype=int))
    fields = {
        "check": checked(n_planes),
        "residual": np.zeros(shape, np.float32) if residual else None,
    } | changes
    return Deblurred(found, np.ones(shape, np.float32), (1, 1), **{"bright": 1.0} | fields)


def assert_same_geometry(one: Image, other: Image) -> None:
    ours, theirs = geometry_of(one), geometry_of(other)
    for name in ("scale", "translate", "rotate", "shear", "affine"):
        np.testing.assert_allclose(ours[name], theirs[name], err_msg=name)
    assert (ours["units"], ours["axis_labels"]) == (theirs["units"], theirs["axis_labels"])
