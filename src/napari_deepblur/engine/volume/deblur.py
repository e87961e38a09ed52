"""From a z-stack and its 3-D blur to a sharper stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.destination import GrowingImage, destination
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.hot_pixels import spread_of_neighbours, without_hot_pixels
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.detail import find_detail_job
from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.richardson_lucy import Pace, RichardsonLucy, deviance
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stacks import Region, Stacks
from napari_deepblur.engine.volume.tiles import tiles_of, weights_of

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.stack_optics import StackOptics

__all__ = ["VolumeResult", "deblur_volumes_job"]

_STAGE = "deblurring"

#: Bold steps: the blur is known, and the stop is chosen afterwards.
_PACE = Pace(n_gentle=4, background_step=0.3, shortens=False)

#: Iterations at most; the held-out likelihood of most stacks is best after 10 to 30.
_MOST_ITERATIONS = 60
_PATIENCE = 3

#: A tile that is unlike the part which set the stop may overshoot, and then goes astray: it ends
#: where its misfit is so many times the lowest.
_DIVERGES_ABOVE = 1.3

#: A whole stack has twice the photons of a half, and bears a little more sharpening.
_MORE_FOR_THE_WHOLE = 1.2

#: Voxels of a tile and of what lies around it: about 40 bytes each.
_LARGEST_DOMAIN = 20_000_000


@dataclass(frozen=True, slots=True)
class VolumeResult:
    """One volume that was deblurred, of shape (Z, Y, X) and in the image's unit.

    Attributes
    ----------
    number
        Of the volume.
    sharp
        Deblurred.
    expected
        Observed without noise, as it should be: the sample blurred again, with the light from
        outside the stack and the background that were found with it; None if nobody asked.
    """

    number: int
    sharp: NDArray[np.float32]
    expected: NDArray[np.float32] | None


def deblur_volumes_job(
    image: Any,
    blur: VolumeBlurEstimate,
    *,
    axes: str | None = None,
    into: GrowingImage | None = None,
    then: Callable[[VolumeResult], Job[None]] | None = None,
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
        Image that grows, which lacks the results of some volumes; by default an array.
    then
        What is done with each volume before the next one.

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
            result = yield from _one_volume_job(stacks, volume, blur, explains=then is not None)
            for z, plane in enumerate(result.sharp):
                sharp[stacks.planes.position(volume * stacks.n_planes + z)] = plane
            if then is not None:
                yield from then(result)
    return sharp


@dataclass(frozen=True, slots=True)
class _Plan:
    """Settings of deblurring a volume: the same in all of its tiles, so that no seam shows.

    Attributes
    ----------
    momenta
        Of each iteration.
    gain, zero
        Counts of a photon, and of none.
    background
        Photons per voxel.
    """

    momenta: tuple[float, ...]
    gain: float
    zero: float
    background: float


class _Optics:
    """Blurs of one pupil for stacks of any shape; tiles of one shape share theirs."""

    def __init__(self, known: StackOptics, gamma: NDArray[np.float32]) -> None:
        self.known = known
        self._gamma = gamma
        self._last: StackBlur | None = None

    def blur(self, shape: tuple[int, ...]) -> StackBlur:
        """Blur of stacks of a shape."""
        import torch

        if self._last is None or self._last.shape != shape:
            self._last = None  # memory, before that of the next is taken
            domain = self.known.domain_of(shape)
            with torch.no_grad():
                transfer = self.known.pupil(domain).transfer(torch.from_numpy(self._gamma))
            self._last = StackBlur(transfer, shape, domain)
        return self._last


def _one_volume_job(
    stacks: Stacks, volume: int, blur: VolumeBlurEstimate, *, explains: bool
) -> Job[VolumeResult]:
    import torch

    optics = _Optics(blur.stack_optics, blur.row(volume))
    plan = yield from _plan_job(stacks, volume, optics)
    if plan is None:  # a blank volume stays as it is
        image = stacks.read(volume, stacks.whole)
        return VolumeResult(volume, image, image)
    planes = yield from _planes_job(stacks, volume)
    # The observed volume is not held besides: parts of it are read as they are needed.
    sharp = np.zeros(stacks.whole.shape, np.float32)
    expected = np.zeros(stacks.whole.shape, np.float32) if explains else None
    weights = np.zeros(stacks.planes.plane_shape, np.float32)
    tiles = tiles_of(stacks.whole, optics.known.domain_of, _LARGEST_DOMAIN)
    total = len(tiles) * len(plan.momenta)
    observed = (float(np.mean([plane.mean for plane in planes])) - plan.zero) / plan.gain
    light = max(observed - plan.background, 0.0)
    for number, tile in enumerate(tiles):
        photons = stacks.read(volume, tile, [plane.usual_spread for plane in planes])
        photons -= plan.zero
        photons /= plan.gain
        counted = torch.from_numpy(np.maximum(photons, 0, out=photons))
        sample = RichardsonLucy(
            counted, plan.background, optics.blur(tile.shape), _PACE, light=light
        )
        lowest = float("inf")
        for done, momentum in enumerate(plan.momenta, number * len(plan.momenta)):
            yield Progress(done, total, _STAGE)
            misfit = deviance(counted, sample.advance(momentum).expected)
            if not misfit <= _DIVERGES_ABOVE * lowest:
                break
            lowest = min(lowest, misfit)
        weight = weights_of(tile, stacks.whole)
        _add(sharp, tile, sample.estimate.numpy(), weight)
        if expected is not None:
            _add(expected, tile, sample.expected().numpy(), weight)
        weights[tile.rows, tile.columns] += weight
    yield Progress(total, total, _STAGE)
    sharp /= weights
    # The light above the background is that of the observation.
    sharp *= plan.gain * light / max(float(sharp.mean(dtype=float)), 1e-30)
    sharp += plan.gain * plan.background + plan.zero
    if expected is not None:
        expected *= plan.gain / weights
        expected += plan.zero
    return VolumeResult(volume, sharp, expected)


@dataclass(frozen=True, slots=True)
class _Plane:
    """Knowledge of a plane before parts of it are read: see `without_hot_pixels`."""

    mean: float
    usual_spread: float


def _planes_job(stacks: Stacks, volume: int) -> Job[list[_Plane]]:
    """Look through the planes of a volume."""
    found = []
    for z in range(stacks.n_planes):
        yield Progress(z, stacks.n_planes, "reading the stack")
        stored = stacks.planes.finite(volume * stacks.n_planes + z)
        spread = spread_of_neighbours(stored) / stored.size
        mean = float(without_hot_pixels(stored, spread).mean(dtype=float))
        found.append(_Plane(mean, spread))
    return found


def _add(
    volume: NDArray[np.float32],
    tile: Region,
    result: NDArray[np.float32],
    weight: NDArray[np.float32],
) -> None:
    """Add the result of a tile, plane by plane: a copy of all of it would take its memory again."""
    for plane, values in zip(volume, result, strict=True):
        plane[tile.rows, tile.columns] += values * weight


def _plan_job(stacks: Stacks, volume: int, optics: _Optics) -> Job[_Plan | None]:
    """Stop, gain and background by the part of the volume that has most detail."""
    import torch

    detail = yield from find_detail_job(stacks, volume, 1)
    part = stacks.read(volume, detail.region)
    if part.min() == part.max():
        return None
    photons = photons_of(part, optics.known.optics.cutoff)
    half, other = (torch.from_numpy(half) for half in halves(photons.values))
    darkest = photons.background / 2
    sample = RichardsonLucy(half, darkest, optics.blur(part.shape), _PACE)
    momenta: list[float] = []
    lowest, best, background = float("inf"), 1, photons.background
    for number in range(1, _MOST_ITERATIONS + 1):
        yield Progress(number, _MOST_ITERATIONS, "finding where to stop")
        momenta.append(sample.momentum)
        expected = sample.advance().expected
        held_out = deviance(other, expected)
        if held_out < lowest:
            lowest, best, background = held_out, number, 2 * sample.background
        elif number - best >= _PATIENCE:
            break
        sample.adjust_background(other, expected)
    n_iterations = max(1, round(_MORE_FOR_THE_WHOLE * (best - 1)))
    momenta += momenta[-1:] * (n_iterations - len(momenta))
    return _Plan(tuple(momenta[:n_iterations]), photons.gain, photons.zero, background)
