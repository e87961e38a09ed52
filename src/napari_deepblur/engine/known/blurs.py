"""Blurs for `deblur` whose PSF is known: nothing is estimated, no network is needed for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.known.psf import KnownPsf
from napari_deepblur.engine.known.psf_image import prepared_psf
from napari_deepblur.engine.known.volumes import ideal_volume_blur
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.errors import ImageError
from napari_deepblur.io import read_image
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.calibration.result import CalibrationResult
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
    from napari_deepblur.operators import ProductConvolutionFamily

__all__ = ["blur_from_calibration", "blur_from_psf", "ideal_blur"]

#: Width of a PSF by λ / 2NA, below which its pixel size or the optics must be wrong: that of the
#: Airy pattern is 1.1, and noise hardly narrows it.
_TOO_NARROW_BELOW = 0.5


@overload
def ideal_blur(  # numpydoc ignore=GL08
    optics: Optics, *, per: Literal["stack"] = "stack"
) -> BlurEstimate: ...


@overload
def ideal_blur(  # numpydoc ignore=GL08
    optics: Optics,
    *,
    per: Literal["volume"],
    z_step_um: float,
    light_sheet_fwhm_um: float | None = None,
) -> VolumeBlurEstimate: ...


def ideal_blur(
    optics: Optics,
    *,
    per: Literal["stack", "volume"] = "stack",
    z_step_um: float | None = None,
    light_sheet_fwhm_um: float | None = None,
) -> BlurEstimate | VolumeBlurEstimate:
    """Make the blur of a perfect objective, which only diffraction limits.

    Parameters
    ----------
    optics
        Optics of the image.
    per
        ``stack`` for the blur of planes in focus, ``volume`` for the 3-D one of a z-stack.
    z_step_um
        From one plane of the z-stack to the next, µm; for ``volume`` only.
    light_sheet_fwhm_um
        Full width at half maximum of its light sheet, µm; None for widefield.

    Raises
    ------
    SamplingError
        If the pixels of the image are too coarse or too fine.
    ValueError
        If the z step or the sheet's width is missing or no length, or given for planes.
    """
    from napari_deepblur.operators import ZernikeFamily

    if per == "volume":
        return ideal_volume_blur(optics, z_step_um, light_sheet_fwhm_um)
    if z_step_um is not None or light_sheet_fwhm_um is not None:
        raise ValueError("a z step and a light sheet are those of a 3-D PSF: give per='volume' too")
    return _blur(KnownPsf("ideal", "ideal PSF", ZernikeFamily()), optics)


def blur_from_psf(
    psf: Any,
    pixel_size_um: float | None = None,
    *,
    optics: Optics,
    name: str = "PSF image",
) -> BlurEstimate:
    """Make the blur of a PSF image: a bead, or a PSF that another program computed.

    The background is taken off, the PSF moved into the middle, resampled to the pixels of the
    image and brought to sum 1.

    Parameters
    ----------
    psf
        Counts, shape (h, w), or an image file; the PSF in focus is its brightest spot.
    pixel_size_um
        Side of a pixel of the PSF image, µm; by default what its file states.
    optics
        Optics of the image to deblur, with its own pixel size.
    name
        Name of an array, for people; a file has its own.

    Raises
    ------
    ImageError
        If the image shows no PSF, or one at its border, or nobody states its pixel size.
    ValueError
        If the PSF is far narrower than diffraction allows, as with a wrong pixel size.
    SamplingError
        If the pixels of the image are too coarse or too fine.
    """
    import torch

    if isinstance(psf, str | Path):
        file = read_image(Path(psf))
        name, psf = Path(psf).name, file.data
        pixel_size_um = pixel_size_um or file.metadata.pixel_size_um
    if pixel_size_um is None:
        raise ImageError(
            f"{name} does not say its pixel size: give it in µm as pixel_size_um (--psf-pixel-size)"
        )
    if not 0 < pixel_size_um < 1000:
        raise ImageError(
            f"the pixel size of the PSF image must be a positive number of micrometres, got "
            f"{pixel_size_um:g}"
        )
    pixels = prepared_psf(psf).astype(np.float32)
    width_um = psf_width(pixels) * pixel_size_um
    limit_um = optics.wavelength_um / (2 * optics.numerical_aperture)
    if width_um < _TOO_NARROW_BELOW * limit_um:
        raise ImageError(
            f"the PSF of {name} is {width_um:.3g} µm wide, far less than diffraction allows "
            f"(λ / 2NA = {limit_um:.3g} µm): check the pixel size of the PSF image, "
            f"{pixel_size_um:g} µm, and the optics"
        )
    family = _one_blur(
        torch.from_numpy(pixels[None]),
        torch.ones(1, 2, 2),
        cutoff=optics.numerical_aperture * pixel_size_um / optics.wavelength_um,
        pixel_size_um=pixel_size_um,
        optics_known=False,
    )
    return _blur(KnownPsf("psf", f"{name}, pixels of {pixel_size_um:g} µm", family), optics)


def blur_from_calibration(
    calibration: CalibrationResult | str | Path,
    acquisition: int = 0,
    *,
    optics: Optics | None = None,
    name: str = "calibration",
) -> BlurEstimate:
    """Make the blur that was measured in one acquisition of a calibration.

    It varies over the field where the calibration's PSFs do, and then serves images of the same
    field.

    Parameters
    ----------
    calibration
        The calibration, or its folder.
    acquisition
        Number of the acquisition, from 0.
    optics
        Optics of the image to deblur; by default those of the calibration.
    name
        Name of the calibration, for people; a folder has its own.

    Raises
    ------
    IndexError
        If there is no such acquisition.
    ValueError
        If neither states the optics, or the folder holds no calibration.
    SamplingError
        If the pixels of the image are too coarse or too fine.
    """
    import torch

    from napari_deepblur.calibration.files import load_calibration

    if isinstance(calibration, str | Path):
        name, calibration = Path(calibration).name, load_calibration(calibration)
    if not 0 <= acquisition < calibration.n_acquisitions:
        raise IndexError(
            f"acquisition {acquisition} is not one of 0 … {calibration.n_acquisitions - 1} of the "
            "calibration"
        )
    optics = optics or calibration.optics
    if optics is None:
        raise ValueError(
            "the calibration states no numerical aperture and wavelength: give the optics of the "
            "image"
        )
    of_all = calibration.family
    gamma = torch.from_numpy(calibration.coefficients[acquisition])
    family = _one_blur(
        of_all.eigen_psfs,
        torch.einsum("p,pkyx->kyx", gamma, of_all.maps),
        cutoff=of_all.cutoff,
        pixel_size_um=of_all.pixel_size_um,
        optics_known=of_all.optics_known,
    )
    known = KnownPsf("calibration", f"{name}, acquisition {acquisition}", family)
    zoom = calibration.pixel_size_um / optics.pixel_size_um
    height, width = (round(side * zoom) for side in calibration.field_shape)
    return _blur(known, optics, (height, width) if known.varies else None)


def _one_blur(
    eigen_psfs: Tensor, weights: Tensor, *, cutoff: float, pixel_size_um: float, optics_known: bool
) -> ProductConvolutionFamily:
    """Make the family of one blur, from eigen-PSFs (K, h, w) and weights at nodes (K, G, G)."""
    from napari_deepblur.operators import ConvexHull, ProductConvolutionFamily

    return ProductConvolutionFamily(
        eigen_psfs,
        weights[None],
        ConvexHull([[1.0]]),
        cutoff=cutoff,
        pixel_size_um=pixel_size_um,
        optics_known=optics_known,
        coefficient_names=("measured PSF",),
    )


def _blur(
    known: KnownPsf, optics: Optics, field_shape: tuple[int, int] | None = None
) -> BlurEstimate:
    optics.require_resolved_blur()
    return BlurEstimate(
        coefficients=known.coefficients,
        std=np.zeros_like(known.coefficients),
        optics=optics,
        model=DEFAULT_MODEL,
        per="stack",
        field_shape=field_shape,
        known=known,
    )
