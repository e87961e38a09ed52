"""Turn the picture of a point into a PSF: background off, centred, sum 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION, centres
from napari_deepblur.calibration.beads.cut import cut, cut_centred
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.errors import ImageError

__all__ = ["prepared_psf"]

#: Distance in pixels that the peak must have from the border at least, and the largest that the
#: PSF reaches: a blur file holds no larger windows.
_LEAST_REACH, _LARGEST_REACH = 3, 127

#: Peak above the background by the noise along the border, below which there is no PSF to see.
_LEAST_SIGNAL = 5.0

#: Standard deviation of a Gaussian by its median absolute deviation.
_PER_MEDIAN_DEVIATION = 1.4826


def prepared_psf(image: Any) -> NDArray[np.float64]:
    """Cut the PSF out of an image of one point.

    The background is the median along the image's border. The PSF is moved by a fraction of a
    pixel, so that the Gaussian that fits it best lies in the middle.

    Parameters
    ----------
    image
        Counts, shape (h, w); the brightest spot is the PSF. Axes of length 1 are dropped.

    Returns
    -------
        Sum 1, a square with an odd side, as large as fits around the PSF.

    Raises
    ------
    ImageError
        If it is no image, or shows no PSF, or one at its border.
    """
    pixels = np.squeeze(np.asarray(image))
    if pixels.ndim != 2:
        raise ImageError(
            f"a PSF image has two axes (Y, X), got shape {np.shape(image)}: give the one plane in "
            "focus"
        )
    if pixels.dtype.kind not in "biuf" or not np.isfinite(pixels).all():
        raise ImageError("the PSF image holds values that are no numbers: give a grey image")
    light = pixels.astype(np.float64)
    border = np.concatenate([light[0], light[-1], light[1:-1, 0], light[1:-1, -1]])
    light -= np.median(border)
    noise = _PER_MEDIAN_DEVIATION * np.median(np.abs(border - np.median(border)))
    if not light.max() > _LEAST_SIGNAL * noise:
        raise ImageError(
            "the PSF image shows no spot that stands out of its background: give the image of a "
            "single bead, or a computed PSF"
        )
    peak = np.array(np.unravel_index(int(light.argmax()), light.shape))
    window = _window(peak, light.shape)
    middle = peak + _offset(cut(light.astype(np.float32), peak[None], window))
    psf: NDArray[np.float64] = cut_centred(light.astype(np.float32), middle[None], window)[0]
    if not psf.sum() > 0:
        raise ImageError("the PSF image holds no light above its border: cut it out more widely")
    psf /= psf.sum()
    return psf


def _window(peak: NDArray[np.intp], shape: tuple[int, ...]) -> int:
    """Find the side of the largest square around the peak."""
    reach = int(min(peak.min(), (np.array(shape) - 1 - peak).min()))
    if reach < _LEAST_REACH:
        y, x = peak.tolist()
        raise ImageError(
            f"the brightest pixel of the PSF image, y {y}, x {x}, lies at its border (shape "
            f"{shape}): give an image with the PSF in its middle"
        )
    return 2 * min(reach, _LARGEST_REACH) + 1


def _offset(patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the centre of a PSF from the middle pixel, shape (2,)."""
    width = psf_width(patch[0].astype(np.float32))
    offset: NDArray[np.float64] = centres(patch, width / FWHM_PER_DEVIATION)[0]
    return offset
