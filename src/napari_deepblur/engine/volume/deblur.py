"""From a z-stack and its 3-D blur to a sharper stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.destination import GrowingImage, destination
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.detail import find_detail_job
from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.richardson_lucy import Pace, RichardsonLucy, deviance
from napari_deepblur.engine.volume.scratch import Scratch
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stacks import Stacks
from napari_deepblur.engine.volume.stored_blur import Steps, StoredBlur
from napari_deepblur.engine.volume.stored_sample import StoredSample, bytes_of

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.stack_optics import StackOptics

__all__ = ["N_GENTLE", "ResultPlanes", "VolumeResult", "deblur_volumes_job"]

_STAGE = "deblurring"

#: Iterations with the PSF itself, before those that sharpen faster.
N_GENTLE = 4

#: Bold steps: the blur is known, and the stop is chosen afterwards.
_PACE = Pace(n_gentle=N_GENTLE, background_step=0.3, shortens=False)

#: Iterations at most; the held-out likelihood of most stacks is best after 10 to 30.
_MOST_ITERATIONS = 60
_PATIENCE = 3

#: A volume that is unlike the part which set the stop may overshoot, and then goes astray: it ends
#: where its misfit is so many times the lowest.
_DIVERGES_ABOVE = 1.3

#: A whole stack has twice the photons of a half, and bears a little more sharpening.
_MORE_FOR_THE_WHOLE = 1.2


class ResultPlanes(Protocol):
    """Planes of a result, which may be read from a temporary file one by one."""

    def __getitem__(self, z: int, /) -> NDArray[np.float32]:
        """Plane, shape (Y, X)."""


@dataclass(frozen=True, slots=True)
class VolumeResult:
    """One volume that was deblurred, in the image's unit; it is there until the next one begins.

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
    sharp: ResultPlanes
    expected: ResultPlanes | None


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
            yield from _one_volume_job(stacks, volume, blur, sharp, then)
    return sharp


@dataclass(frozen=True, slots=True)
class _Plan:
    """Settings of deblurring a volume.

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


def _one_volume_job(
    stacks: Stacks,
    volume: int,
    blur: VolumeBlurEstimate,
    sharp: Any,
    then: Callable[[VolumeResult], Job[None]] | None,
) -> Job[None]:
    """Deblur a volume, write its planes, and do with it what is done then."""
    known, gamma = blur.stack_optics, blur.row(volume)
    plan = yield from _plan_job(stacks, volume, known, gamma)
    if plan is None:  # a blank volume stays as it is
        image = stacks.read(volume, stacks.whole)
        yield from _hand_over_job(stacks, VolumeResult(volume, image, image), sharp, then)
        return
    shape = stacks.whole.shape
    with Scratch.of(bytes_of(shape, known.domain_of(shape))) as scratch:
        of_stack = StoredBlur(known, gamma, shape, scratch)
        sample = StoredSample(of_stack, plan.background, n_gentle=N_GENTLE, scratch=scratch)
        light = yield from _read_job(stacks, volume, plan, sample)
        yield from _sharpen_job(plan, sample, light, explains=then is not None)
        planes = range(stacks.n_planes)
        found = sum(float(sample.plane(z).mean(dtype=float)) for z in planes) / len(planes)
        # The light above the background is that of the observation.
        factor = plan.gain * light / max(found, 1e-30)
        offset = plan.gain * plan.background + plan.zero
        result = VolumeResult(
            volume,
            _Scaled(sample.plane, factor, offset),
            _Scaled(sample.expected, plan.gain, plan.zero) if then is not None else None,
        )
        yield from _hand_over_job(stacks, result, sharp, then)


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Planes in the image's unit, of those in photons."""

    plane: Callable[[int], NDArray[np.float32]]
    factor: float
    offset: float

    def __getitem__(self, z: int) -> NDArray[np.float32]:
        return self.plane(z) * np.float32(self.factor) + np.float32(self.offset)


def _hand_over_job(
    stacks: Stacks,
    result: VolumeResult,
    sharp: Any,
    then: Callable[[VolumeResult], Job[None]] | None,
) -> Job[None]:
    for z in range(stacks.n_planes):
        sharp[stacks.planes.position(result.number * stacks.n_planes + z)] = result.sharp[z]
    if then is not None:
        yield from then(result)


def _read_job(stacks: Stacks, volume: int, plan: _Plan, sample: StoredSample) -> Job[float]:
    """Store the photons of a volume; returns their mean light above the background."""
    mean = 0.0
    for z in range(stacks.n_planes):
        yield Progress(z, stacks.n_planes, "reading the stack")
        plane = stacks.plane(volume, z)
        mean += float(plane.mean(dtype=float)) / stacks.n_planes
        photons = (plane - np.float32(plan.zero)) / np.float32(plan.gain)
        sample.photons[z : z + 1, :] = photons.clip(0)[None]
    return max((mean - plan.zero) / plan.gain - plan.background, 0.0)


def _sharpen_job(plan: _Plan, sample: StoredSample, light: float, *, explains: bool) -> Job[None]:
    """Do the iterations, and then leave what is expected in the place of the photons."""
    n = sample.n_steps
    total = n * (1 + len(plan.momenta) + int(explains))
    yield from _steps_job(sample.begin(light), 0, n, total)
    lowest = float("inf")
    for number, momentum in enumerate(plan.momenta, 1):
        yield from _steps_job(sample.advance(momentum), number * n, n, total)
        if not sample.misfit <= _DIVERGES_ABOVE * lowest:
            break
        lowest = min(lowest, sample.misfit)
    if explains:
        yield from _steps_job(sample.explain(), total - n, n, total)
    yield Progress(total, total, _STAGE)


def _steps_job(work: Steps, done: int, n_steps: int, total: int) -> Job[None]:
    """Do some work, which counts for so many steps."""
    for step, _ in enumerate(work):
        yield Progress(done + min(step, n_steps), total, _STAGE)


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
    half, other = (torch.from_numpy(half) for half in halves(photons.values))
    darkest = photons.background / 2
    domain = known.domain_of(part.shape)
    with torch.no_grad():
        transfer = known.pupil(domain).transfer(torch.from_numpy(gamma))
    sample = RichardsonLucy(half, darkest, StackBlur(transfer, part.shape, domain), _PACE)
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
