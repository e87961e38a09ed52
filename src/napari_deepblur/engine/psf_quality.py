"""Figures of PSFs beside those of a perfect objective: Strehl ratio, width, depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.optics.settings import Optics

__all__ = ["PSF_3D_SHAPE", "PsfQuality", "quality_of_planes", "quality_of_volumes"]

#: Planes, rows and columns of 3-D PSFs that are shown, as of those that an estimate shows on its
#: way, so that nothing jumps when it ends.
PSF_3D_SHAPE = (31, 49, 49)


@dataclass(frozen=True, slots=True)
class PsfQuality:
    """The PSF of each plane beside that of a perfect objective of the same optics.

    Attributes
    ----------
    unaberrated
        PSF of the perfect objective, shape of each of the PSFs.
    strehl
        Peak of each PSF, at the field's centre, as a share of the perfect one's, shape (N,).
    widths_um
        Width of each PSF, within which half of the light falls, µm, shape (N,).
    unaberrated_width_um
        The same of the perfect objective's PSF.
    depths_um
        Full width at half maximum of each 3-D PSF along z, µm, shape (N,); None in 2-D.
    unaberrated_depth_um
        The same of the perfect objective's PSF.
    """

    unaberrated: NDArray[np.float32]
    strehl: NDArray[np.float32]
    widths_um: NDArray[np.float32]
    unaberrated_width_um: float
    depths_um: NDArray[np.float32] | None = None
    unaberrated_depth_um: float | None = None

    @property
    def figures(self) -> dict[str, NDArray[np.float32]]:
        """Numbers of all PSFs, shape (N,), by their names with units."""
        figures = {"Strehl ratio": self.strehl, "width (µm)": self.widths_um}
        return figures if self.depths_um is None else figures | {"depth (µm)": self.depths_um}


def quality_of_planes(optics: Optics, psfs: NDArray[np.float32]) -> PsfQuality:
    """Put PSFs (N, h, w) beside that of a perfect objective, which is cut to their size.

    Parameters
    ----------
    optics
        Of the image.
    psfs
        Shape (N, h, w), each of sum 1.
    """
    unaberrated = _fitted(_perfect_psf(optics.cutoff), psfs.shape[-2:])
    pixel_um = optics.pixel_size_um
    return PsfQuality(
        unaberrated,
        strehl=psfs.max((-2, -1)) / unaberrated.max(),
        widths_um=np.array([psf_width(psf) * pixel_um for psf in psfs], np.float32),
        unaberrated_width_um=psf_width(unaberrated) * pixel_um,
    )


def quality_of_volumes(blur: VolumeBlurEstimate, psfs: NDArray[np.float32]) -> PsfQuality:
    """Put PSFs (N, d, h, w) beside that of a perfect objective of the same stack.

    Parameters
    ----------
    blur
        The blur.
    psfs
        Shape (N, d, h, w), each of sum 1.
    """
    known = blur.stack_optics
    perfect = replace(blur, coefficients=np.zeros_like(blur.coefficients[:1]))
    depth, height, width = psfs.shape[1:]
    unaberrated = perfect.psf_3d((depth, height, width))
    pixel_um, step_um = known.optics.pixel_size_um, known.z_step_um
    return PsfQuality(
        unaberrated,
        strehl=psfs.max((-3, -2, -1)) / unaberrated.max(),
        widths_um=np.array([psf_width(_sharpest(psf)) * pixel_um for psf in psfs], np.float32),
        unaberrated_width_um=psf_width(_sharpest(unaberrated)) * pixel_um,
        depths_um=np.array([_depth(psf) * step_um for psf in psfs], np.float32),
        unaberrated_depth_um=_depth(unaberrated) * step_um,
    )


def _sharpest(psf: NDArray[np.float32]) -> NDArray[np.float32]:
    """Plane through the brightest voxel."""
    plane: NDArray[np.float32] = psf[int(psf.max((1, 2)).argmax())]
    return plane


def _depth(psf: NDArray[np.float32]) -> float:
    """Full width at half maximum along z through the brightest voxel, planes."""
    z, y, x = np.unravel_index(int(psf.argmax()), psf.shape)
    profile = psf[:, y, x] / psf[z, y, x]
    return _reach(profile[z:]) + _reach(profile[z::-1])


def _reach(falling: NDArray[np.float32]) -> float:
    """Count the steps from the peak, 1, to one half; to the end of the profile at most."""
    below = np.flatnonzero(falling < 0.5)
    if not len(below):
        return float(len(falling))
    first = int(below[0])
    above, under = float(falling[first - 1]), float(falling[first])
    return first - 1 + (above - 0.5) / (above - under)


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
