"""Long work of the dock, as jobs that need neither Qt nor napari."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.psf_field import MosaicGrid, PsfWidth, mosaic_grid, psf_field, psf_width
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import find_blur_job, restore_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.errors import ImageError
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.view import PsfQuality

__all__ = [
    "Deblurred",
    "Estimated",
    "FieldPictures",
    "deblur_task",
    "estimate_task",
    "load_task",
]


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
        PSFs at the field's centre, shape (N, h, w), each of sum 1; N is 1 where one blur serves
        all planes.
    field
        Pictures of the PSFs over the field; None where the PSF is the same everywhere.
    quality
        The PSFs beside that of a perfect objective.
    n_modes
        Number of the first coefficients that have `unit`; None for all.
    """

    blur: BlurEstimate
    names: tuple[str, ...]
    unit: str
    psfs: NDArray[np.float32]
    field: FieldPictures | None = None
    quality: PsfQuality | None = None
    n_modes: int | None = None

    def row(self, plane: int) -> int:
        """Return the row of `coefficients` and `psfs` that belongs to a plane."""
        return min(plane, len(self.psfs) - 1)

    def without_mosaics(self) -> Estimated:
        """Return a copy without the mosaics, which are as large as the image."""
        if self.field is None:
            return self
        return replace(self, field=replace(self.field, mosaics=None))


@dataclass(frozen=True, slots=True)
class Deblurred:
    """A sharper image and the blur that was taken out.

    Attributes
    ----------
    estimated
        Blur that was taken out.
    sharp
        Deblurred image, float32, shape of the image.
    extent
        Least and largest intensity of `sharp`.
    check
        Check of the deblurred image against the observed one; None if the check failed.
    residual
        Observed image minus the deblurred one blurred again, in units of the noise, shape of the
        image; None if it was not asked for.
    """

    estimated: Estimated
    sharp: NDArray[np.float32]
    extent: tuple[float, float]
    check: DeblurringCheck | None
    residual: NDArray[np.float32] | None = None


def estimate_task(image: Any, wanted: Resolved) -> Job[Estimated]:
    """Estimate an image's blur."""
    yield Progress(0, 0, "loading the neural networks (longer the first time)")
    return (yield from _pictured((yield from find_blur_job(wanted.request(image)))))


def deblur_task(image: Any, wanted: Resolved, estimated: Estimated | None) -> Job[Deblurred]:
    """Deblur an image and check the result; without an estimate, estimate its blur first."""
    if estimated is None:
        estimated = yield from estimate_task(image, wanted)
    yield Progress(0, 0, "loading the model")
    restored = yield from restore_job(wanted.request(image, estimated.blur))
    sharp = restored.sharp
    extent = float(sharp.min()), float(sharp.max())
    return Deblurred(estimated, sharp, extent, restored.check, restored.residual)


def load_task(request: Request) -> Job[Estimated]:
    """Read a blur from the file that a request names, and bring it to the request's image."""
    yield Progress(0, 0, "reading the blur")
    return (yield from _pictured((yield from find_blur_job(request))))


def _pictured(blur: BlurEstimate | VolumeBlurEstimate) -> Job[Estimated]:
    if isinstance(blur, VolumeBlurEstimate):
        raise ImageError(
            "the file holds 3-D blurs of volumes: deblur with `deepblur deblur --blur` or in Python"
        )
    psfs = np.stack([blur.psf(row) for row in range(len(blur.coefficients))])
    field = (yield from _field_pictures(blur, psfs)) if blur.varies else None
    return Estimated(
        blur,
        blur.coefficient_names,
        blur.family.unit,
        psfs,
        field,
        quality=_quality(blur, psfs),
        n_modes=len(blur.family.noll_indices) or None,
    )


def _quality(blur: BlurEstimate, psfs: NDArray[np.float32]) -> PsfQuality:
    """Put PSFs (N, h, w) beside that of a perfect objective, which is cut to their size."""
    unaberrated = _fitted(_perfect_psf(blur.optics.cutoff), psfs.shape[-2:])
    pixel_um = blur.optics.pixel_size_um
    widths = [psf_width(psf) * pixel_um for psf in psfs]
    return PsfQuality(
        unaberrated,
        strehl=psfs.max((-2, -1)) / unaberrated.max(),
        widths_um=np.array(widths, np.float32),
        unaberrated_width_um=psf_width(unaberrated) * pixel_um,
    )


def _perfect_psf(cutoff: float) -> NDArray[np.float32]:
    import torch

    from napari_deepblur.operators import ZernikeFamily

    psf: NDArray[np.float32] = ZernikeFamily((4,), cutoff=cutoff).psf(torch.zeros(1)).numpy()
    return psf


def _fitted(psf: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Cut the middle out of a PSF, or put zeros around it, to give it odd sides."""
    fitted = np.zeros(shape, np.float32)
    sides = [min(pair) for pair in zip(psf.shape, shape, strict=True)]
    inner = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(shape, sides, strict=True))
    cut = tuple(
        slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(psf.shape, sides, strict=True)
    )
    fitted[inner] = psf[cut]
    return fitted


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
