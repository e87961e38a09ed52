"""From a z-stack and its 3-D blur to a sharper stack."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.destination import destination
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.detail import find_detail_job
from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.sample import Sample, deviance
from napari_deepblur.engine.volume.stacks import Region, Stacks

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.stack_optics import StackOptics
    from napari_deepblur.io.partial_image import PartialImage
    from napari_deepblur.operators import VolumeBlur

__all__ = ["deblur_volumes_job"]

_STAGE = "deblurring"

#: Iterations at most; the held-out likelihood of most stacks is best after 10 to 30.
_MOST_ITERATIONS = 60
_PATIENCE = 3

#: A whole stack has twice the photons of a half, and bears a little more sharpening.
_MORE_FOR_THE_WHOLE = 1.2

#: Side of the lateral tiles, and how far they overlap, pixels.
_TILE, _OVERLAP = 256, 48


def deblur_volumes_job(
    image: Any,
    blur: VolumeBlurEstimate,
    *,
    axes: str | None = None,
    into: PartialImage | None = None,
) -> Job[Any]:
    """Take the 3-D blur out of each volume of an image; yields some times a second.

    The number of iterations is where the likelihood of one half of the photons, given the sample
    that was found with the other half, is best.

    Parameters
    ----------
    image
        Observed, counts, shape (Z, Y, X) or (T, Z, Y, X).
    blur
        Of the image, or of another one of the same microscope.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    into
        File that grows, which lacks the results of some volumes; by default they stay in memory.

    Returns
    -------
        Sharper image, float32, same shape and unit, same flux in each volume; or `into`.

    Raises
    ------
    ImageError
        If the image is no stack, or has another number of volumes than the blur.
    """
    stacks = Stacks.of(image, axes)
    blur.require_fit(stacks.n_volumes)
    yield from check_sampling_job(blur.optics)
    with memory_guard():
        sharp, missing = destination(stacks.planes, into)
        for volume in sorted({index // stacks.n_planes for index in missing}):
            restored = np.empty(stacks.whole.shape, np.float32)
            yield from _one_volume_job(stacks, volume, blur, restored)
            for z, plane in enumerate(restored):
                sharp[stacks.planes.position(volume * stacks.n_planes + z)] = plane
    return sharp


@dataclass(frozen=True, slots=True)
class _Plan:
    """Settings of deblurring a volume: the same in all of its tiles.

    Attributes
    ----------
    n_iterations
        Where to stop.
    gain, zero
        Counts of a photon, and of none.
    background
        Photons per voxel.
    """

    n_iterations: int
    gain: float
    zero: float
    background: float


def _one_volume_job(
    stacks: Stacks, volume: int, blur: VolumeBlurEstimate, sharp: NDArray[np.float32]
) -> Job[None]:
    known, gamma = blur.stack_optics, blur.row(volume)
    plan = yield from _plan_job(stacks, volume, known, gamma)
    if plan is None:  # a blank volume stays as it is
        sharp[:] = stacks.read(volume, stacks.whole)
        return
    sharp[:] = 0
    weights = np.zeros(sharp.shape[1:], np.float32)
    tiles = list(_tiles(stacks.whole))
    total, observed = len(tiles) * plan.n_iterations, 0.0
    for number, tile in enumerate(tiles):
        photons = (stacks.read(volume, tile) - plan.zero) / plan.gain
        operator = _operator(known, gamma, tile.shape)
        estimate = yield from _sample_job(
            np.maximum(photons, 0), operator, plan, (number * plan.n_iterations, total)
        )
        ramp = _ramp(tile, stacks.whole)
        sharp[:, tile.rows, tile.columns] += estimate * ramp
        weights[tile.rows, tile.columns] += ramp
    sharp /= weights
    for z in range(stacks.n_planes):
        observed += float((stacks.plane(volume, z) - plan.zero).sum(dtype=float))
    _back_to_counts(sharp, plan, observed)


def _plan_job(
    stacks: Stacks, volume: int, known: StackOptics, gamma: NDArray[np.float32]
) -> Job[_Plan | None]:
    """Stop, gain and background by the part of the volume that has most detail."""
    import torch

    detail = yield from find_detail_job(stacks, volume, 1)
    part = stacks.read(volume, detail.region)
    if part.min() == part.max():
        return None
    photons = photons_of(part, known.optics.cutoff)
    two = [torch.from_numpy(half) for half in halves(photons.values)]
    operator = _operator(known, gamma, part.shape)
    samples = [Sample(half, photons.background / 2, operator.domain_shape) for half in two]
    lowest, best, background = float("inf"), 1, photons.background
    for number in range(1, _MOST_ITERATIONS + 1):
        held_out = 0.0
        for sample, other in zip(samples, reversed(two), strict=True):
            yield Progress(number, _MOST_ITERATIONS, "finding where to stop")
            with torch.no_grad():
                expected = sample.advance(operator).expected
                held_out += deviance(other, expected)
                sample.adjust_background(other, expected)
        if held_out < lowest:
            lowest, best = held_out, number
            background = sum(sample.background for sample in samples)
        elif number - best >= _PATIENCE:
            break
    n_iterations = max(1, round(_MORE_FOR_THE_WHOLE * (best - 1)))
    return _Plan(n_iterations, photons.gain, photons.zero, background)


def _operator(known: StackOptics, gamma: NDArray[np.float32], shape: tuple[int, ...]) -> VolumeBlur:
    import torch

    from napari_deepblur.operators import VolumeBlur

    domain = known.domain_of(shape)
    with torch.no_grad():
        transfer = known.pupil(domain).transfer(torch.from_numpy(gamma))
    return VolumeBlur(transfer, shape, domain)


def _sample_job(
    photons: NDArray[np.float32], operator: VolumeBlur, plan: _Plan, at: tuple[int, int]
) -> Job[NDArray[np.float32]]:
    """Sample of one tile, photons, shape (Z, Y, X)."""
    import torch

    sample = Sample(torch.from_numpy(photons), plan.background, operator.domain_shape)
    done, total = at
    for number in range(plan.n_iterations):
        yield Progress(done + number, total, _STAGE)
        with torch.no_grad():
            sample.advance(operator)
    yield Progress(done + plan.n_iterations, total, _STAGE)
    estimate: NDArray[np.float32] = operator.crop(sample.estimate).numpy()
    return estimate


def _back_to_counts(sharp: NDArray[np.float32], plan: _Plan, observed: float) -> None:
    """Photons to counts in place, the light above the zero being that of the observation."""
    floor = plan.background
    light = float(sharp.sum(dtype=float))
    scale = max(observed / plan.gain - floor * sharp.size, 0.0) / max(light, 1e-30)
    sharp *= scale * plan.gain
    sharp += floor * plan.gain + plan.zero


def _tiles(whole: Region) -> list[Region]:
    """Lateral tiles that overlap; each holds all planes."""
    rows, columns = (_tile_slices(part.stop - part.start) for part in (whole.rows, whole.columns))
    return [Region(whole.planes, row, column) for row, column in product(rows, columns)]


def _tile_slices(side: int) -> list[slice]:
    if side <= _TILE + _OVERLAP:
        return [slice(0, side)]
    n_tiles = -(-(side - _OVERLAP) // (_TILE - _OVERLAP))
    starts = np.linspace(0, side - _TILE, n_tiles).round().astype(int)
    return [slice(start, start + _TILE) for start in starts.tolist()]


def _ramp(tile: Region, whole: Region) -> NDArray[np.float32]:
    """Weights of a tile, shape (Y, X): small near borders beyond which other tiles know more."""
    row, column = (
        _ramp_along(part, side.stop)
        for part, side in ((tile.rows, whole.rows), (tile.columns, whole.columns))
    )
    return row[:, None] * column


def _ramp_along(part: slice, side: int) -> NDArray[np.float32]:
    places = np.arange(part.stop - part.start, dtype=np.float32)
    quarter = _OVERLAP / 4
    before = np.clip((places - quarter) / (2 * quarter), 1e-6, 1) if part.start else 1
    after = np.clip((places[::-1] - quarter) / (2 * quarter), 1e-6, 1) if part.stop < side else 1
    return np.asarray(before * after * np.ones_like(places), np.float32)
