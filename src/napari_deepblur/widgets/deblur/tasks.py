"""Estimates of the dock, as jobs that need neither Qt nor napari."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.known.choice import KnownChoice
from napari_deepblur.engine.psf_field import MosaicGrid, PsfWidth, mosaic_grid, psf_field
from napari_deepblur.engine.psf_quality import (
    PSF_3D_SHAPE,
    PsfQuality,
    quality_of_planes,
    quality_of_volumes,
)
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import find_blur_job
from napari_deepblur.engine.shared_light import concerns_of_shared_light
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.stacks import Stacks
from napari_deepblur.widgets.deblur.known_wish import ReusedBlur
from napari_deepblur.widgets.deblur.readiness import Resolved

__all__ = ["Estimated", "FieldPictures", "estimate_task", "load_task"]


@dataclass(frozen=True, slots=True)
class FieldPictures:
    """Pictures of a blur that varies over the field.

    Attributes
    ----------
    grid
        Places of the PSFs in the mosaics.
    mosaics
        PSFs drawn at their places, shape (N, Y, X), in the grid's pixels; None once they have
        become a layer.
    widths
        Width and place of the sharpest and of the widest PSF, for each row of coefficients.
    eigen_psfs
        Eigen-PSFs at the image's own sampling, shape (K, h, w).
    """

    grid: MosaicGrid
    mosaics: NDArray[np.float32] | None
    widths: tuple[tuple[PsfWidth, PsfWidth], ...]
    eigen_psfs: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Estimated:
    """A blur with everything that the dock shows of it.

    Attributes
    ----------
    blur
        Blur as the engine estimated it.
    names
        Names of the P coefficients.
    unit
        Unit of the coefficients.
    psfs
        PSFs at the field's centre, shape (N, h, w), or (N, d, h, w) of 3-D blurs, each of sum 1; N
        is 1 where one blur serves all planes.
    field
        Pictures of the PSFs over the field; None where the PSF is the same everywhere.
    quality
        The PSFs beside that of a perfect objective.
    n_modes
        Number of the first coefficients that have `unit`; None for all.
    planes_per_row
        Number of planes that share a row: those of a volume, where blurs are 3-D.
    choice
        The known PSF, or the other layer's blur, that was asked for; None for an estimate, or a
        blur from a file.
    """

    blur: BlurEstimate | VolumeBlurEstimate
    names: tuple[str, ...]
    unit: str
    psfs: NDArray[np.float32]
    field: FieldPictures | None = None
    quality: PsfQuality | None = None
    n_modes: int | None = None
    planes_per_row: int = 1
    choice: KnownChoice | ReusedBlur | None = None

    @property
    def is_3d(self) -> bool:
        """True for blurs of volumes."""
        return isinstance(self.blur, VolumeBlurEstimate)

    @property
    def known(self) -> str:
        """Name of the PSF where it was known and not estimated; empty otherwise."""
        if isinstance(self.blur, VolumeBlurEstimate):
            return self.blur.known_as
        return "" if self.blur.known is None else self.blur.known.name

    def row(self, plane: int) -> int:
        """Return the row of `coefficients` and `psfs` that belongs to a plane."""
        return min(plane // self.planes_per_row, len(self.psfs) - 1)

    def without_mosaics(self) -> Estimated:
        """Return a copy without the mosaics, which are as large as the image."""
        if self.field is None:
            return self
        return replace(self, field=replace(self.field, mosaics=None))


def estimate_task(image: Any, wanted: Resolved) -> Job[Estimated]:
    """Estimate an image's blur."""
    yield Progress(0, 0, "loading what is needed (longer the first time)")
    request = wanted.request(image)
    blur = yield from find_blur_job(request)
    if wanted.shares_light_over_um is not None and isinstance(blur, BlurEstimate):
        blur = _doubted(blur, request, wanted.shares_light_over_um)
    found = yield from _pictured(blur, request)
    return replace(found, choice=wanted.known.choice)


def _doubted(blur: BlurEstimate, request: Request, depth_um: float) -> BlurEstimate:
    """Add to each plane's concerns that its stack's planes share their light, if they do."""
    shared = concerns_of_shared_light(
        request.image, request.axes or "", optics=blur.optics, depth_um=depth_um
    )
    return replace(blur, concerns=tuple((*shared, *row) for row in blur.concerns))


def load_task(request: Request) -> Job[Estimated]:
    """Read a blur from the file that a request names, and bring it to the request's image."""
    yield Progress(0, 0, "reading the blur")
    return (yield from _pictured((yield from find_blur_job(request)), request))


def _pictured(blur: BlurEstimate | VolumeBlurEstimate, request: Request) -> Job[Estimated]:
    if isinstance(blur, VolumeBlurEstimate):
        return (yield from _pictured_in_3d(blur, request))
    psfs = np.stack([blur.psf(row) for row in range(len(blur.coefficients))])
    field = (yield from _field_pictures(blur, psfs)) if blur.varies else None
    return Estimated(
        blur,
        blur.coefficient_names,
        blur.family.unit,
        psfs,
        field,
        quality=quality_of_planes(blur.optics, psfs),
        n_modes=len(blur.family.noll_indices) or None,
    )


def _pictured_in_3d(blur: VolumeBlurEstimate, request: Request) -> Job[Estimated]:
    psfs = np.empty((blur.n_volumes, *PSF_3D_SHAPE), np.float32)
    for row in range(blur.n_volumes):
        yield Progress(row, blur.n_volumes, "drawing the PSFs")
        psfs[row] = blur.psf_3d(PSF_3D_SHAPE, row)
    return Estimated(
        blur,
        blur.coefficient_names,
        "waves RMS",
        psfs,
        quality=quality_of_volumes(blur, psfs),
        planes_per_row=Stacks.of(request.image, request.axes).n_planes,
    )


def _field_pictures(blur: BlurEstimate, psfs: NDArray[np.float32]) -> Job[FieldPictures]:
    from napari_deepblur.operators import ProductConvolutionFamily

    assert isinstance(blur.family, ProductConvolutionFamily)
    if blur.field_shape is None:
        raise ValueError("the blur does not say the shape of its field: estimate it anew")
    grid = mosaic_grid(blur.field_shape, (psfs.shape[1], psfs.shape[2]))
    mosaics, widths = [], []
    for row in range(len(psfs)):
        yield Progress(row, len(psfs), "drawing the PSFs")
        field = psf_field(blur, row, grid)
        mosaics.append(grid.draw(field.psfs))
        widths.append((field.sharpest, field.widest))
    eigen_psfs = blur.family.eigen_psfs.numpy()
    return FieldPictures(grid, np.stack(mosaics), tuple(widths), eigen_psfs)
