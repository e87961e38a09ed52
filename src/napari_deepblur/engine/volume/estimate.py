"""From a z-stack to its 3-D blur."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.detail import Detail, find_detail_job
from napari_deepblur.engine.volume.doubt import (
    concerns_of_stack,
    standard_errors,
    tells_nothing,
)
from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.engine.volume.stacks import Stacks
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.identify import Identification

__all__ = ["PsfProgress", "estimate_volume_blur_job", "thinning"]

#: PSF of the progress events: what is looked at is the middle.
_SHOWN = (31, 49, 49)

#: From so many voxels on, every second plane does where planes are close.
_MANY_VOXELS = 600_000

#: Iterations between two of them.
_SHOWN_EVERY = 5


@dataclass(frozen=True, slots=True)
class PsfProgress(Progress):
    """Progress of an identification, with the PSF as it is known now.

    Attributes
    ----------
    psf
        Shape (31, 49, 49) at the image's sampling, its centre in the middle, sum 1.
    """

    psf: NDArray[np.float32]


def estimate_volume_blur_job(
    image: Any,
    *,
    optics: Optics,
    z_step_um: float | None,
    axes: str | None = None,
    light_sheet_fwhm_um: float | None = None,
) -> Job[VolumeBlurEstimate]:
    """Read one pupil off each volume of an image; yields some times a second.

    Parameters
    ----------
    image
        Observed, counts, shape (Z, Y, X) or (T, Z, Y, X).
    optics
        Microscope and pixel size.
    z_step_um
        From one plane to the next, µm; positive where successive planes lie deeper in the sample.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.

    Raises
    ------
    ImageError
        If the image is no stack, or cannot be used.
    ValueError
        If the z step or the sheet's width is missing or no length.
    """
    if z_step_um is None:
        raise ValueError(
            "per='volume' needs z_step_um: give the distance from one plane to the next in µm"
        )
    known = StackOptics(optics, z_step_um, light_sheet_fwhm_um)
    stacks = Stacks.of(image, axes)
    yield from check_sampling_job(optics)
    shape = (stacks.n_volumes, len(known.noll_indices))
    coefficients, std = np.empty(shape, np.float32), np.empty(shape, np.float32)
    concerns: list[tuple[Concern, ...]] = []
    with memory_guard():
        for volume in range(stacks.n_volumes):
            row = yield from _one_volume_job(stacks, volume, known)
            coefficients[volume], std[volume] = row[:2]
            concerns.append(row[2])
    return VolumeBlurEstimate(coefficients, std, known, tuple(concerns))


_Row = tuple[NDArray[np.float32], NDArray[np.float32], tuple[Concern, ...]]


def _one_volume_job(stacks: Stacks, volume: int, known: StackOptics) -> Job[_Row]:
    detail = yield from find_detail_job(stacks, volume, stacks.n_volumes)
    concerns = concerns_of_stack(detail, known)
    part = stacks.read(volume, detail.region)
    if part.min() == part.max():
        where = f" in volume {volume}" if stacks.n_volumes > 1 else ""
        raise ImageError(f"all voxels are equal{where}: there is no blur to read")
    work = yield from _identify_job(*_thinned(part, known))
    if work.left is None or tells_nothing(work.left):
        concerns.append(Concern.of(ConcernKind.TELLS_NOTHING))
        coefficients, std = yield from _by_network_job(stacks, volume, detail, known)
    else:
        coefficients = work.coefficients.numpy()
        std = standard_errors(work.left, known.prior_std).numpy()
    return coefficients, std, tuple(concerns)


def _thinned(
    part: NDArray[np.float32], known: StackOptics
) -> tuple[NDArray[np.float32], StackOptics]:
    every = thinning(part.size, known)
    return part[::every], replace(known, z_step_um=every * known.z_step_um)


def thinning(n_voxels: int, known: StackOptics) -> int:
    """Count the planes of which one is looked at: of many close ones every second.

    That takes half the time, and gives nearly the same γ.

    Parameters
    ----------
    n_voxels
        Of the part that is looked at.
    known
        Its optics.
    """
    is_fine = n_voxels <= _MANY_VOXELS or known.z_step_um > known.depth_of_field_um
    return 1 if is_fine else 2


def _identify_job(part: NDArray[np.float32], known: StackOptics) -> Job[Identification]:
    """Maximum likelihood of one part of a volume."""
    import torch

    from napari_deepblur.engine.volume.identify import Identification

    photons = photons_of(part, known.optics.cutoff)
    first, second = (torch.from_numpy(half) for half in halves(photons.values))
    with torch.no_grad():
        pupil = known.pupil(known.domain_of(part.shape))
    work = Identification(pupil, (first, second), photons.background / 2, prior_std=known.prior_std)
    steps = work.run()
    psf, shown = np.zeros(_SHOWN, np.float32), -_SHOWN_EVERY
    while True:
        # Gradients are off within each step, not between them: between, other code runs.
        with torch.no_grad():
            step = next(steps, None)
            if step is None:
                return work
            if not step.checks and step.done >= shown + _SHOWN_EVERY:
                psf, shown = work.psf(_SHOWN).numpy(), step.done
        stage = "trying another start" if step.checks else "estimating the PSF"
        yield PsfProgress(step.done, step.total, stage, psf)


def _by_network_job(
    stacks: Stacks, volume: int, detail: Detail, known: StackOptics
) -> Job[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Let the network read the sharpest plane, where the stack as a whole tells nothing."""
    from napari_deepblur.engine.estimate import estimate_blur_job
    from napari_deepblur.optics.zernike import noll_to_radial_azimuthal

    coefficients = np.zeros(len(known.noll_indices), np.float32)
    std = np.array(known.prior_std, np.float32)
    plane = stacks.plane(volume, detail.sharpest_plane)
    try:
        read = yield from estimate_blur_job(plane, optics=known.optics, axes="YX")
    except ImageError:  # too small for the network, or all of one value
        return coefficients, std
    for index, (noll_index, name) in enumerate(
        zip(known.noll_indices, known.coefficient_names, strict=True)
    ):
        if name not in read.coefficient_names:
            continue
        column = read.coefficient_names.index(name)
        value, error = read.coefficients[0, column], read.std[0, column]
        # One plane does not tell the sign of the even modes.
        even = noll_to_radial_azimuthal(noll_index)[0] % 2 == 0
        coefficients[index] = value
        std[index] = max(std[index], np.hypot(error, value) if even else error)
    return coefficients, std
