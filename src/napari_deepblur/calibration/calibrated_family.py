"""The family of a microscope that was calibrated from beads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.extractor import Extraction
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.operators import ProductConvolutionFamily

__all__ = ["calibrated_family", "measured_cutoff"]

#: The OTF is taken to end where it stays below this, or below so many standard errors of its
#: noise.
_LEAST_TRANSFER, _LEAST_ERRORS = 0.02, 3.0

#: A pupil whose OTF ends at the pixels' own limit.
_LARGEST_CUTOFF = 0.5


def calibrated_family(
    extraction: Extraction,
    *,
    optics: Optics | None,
    cutoff: float,
    pixel_size_um: float,
    inflation: float,
) -> ProductConvolutionFamily:
    """Make the family whose admissible set is the hull of the acquisitions' coefficients.

    Parameters
    ----------
    extraction
        Eigen-PSFs, maps and coefficients.
    optics
        If known, images of other pixels are fitted by their cutoff, else by their pixel size.
    cutoff
        Pupil radius in cycles per pixel, for want of optics.
    pixel_size_um
        Side of a pixel, µm.
    inflation
        Factor by which the hull is larger than the acquisitions' own, about its centroid.
    """
    import torch

    from napari_deepblur.operators import ConvexHull, ProductConvolutionFamily

    gamma = extraction.coefficients
    centre = gamma.mean(0)
    vertices = torch.from_numpy(centre + inflation * (gamma - centre)).float()
    modes = (f"mode {number}" for number in range(1, gamma.shape[1]))
    return ProductConvolutionFamily(
        torch.from_numpy(extraction.eigen_psfs.basis).float(),
        torch.from_numpy(extraction.maps).float(),
        ConvexHull(vertices),
        cutoff=cutoff if optics is None else optics.cutoff,
        pixel_size_um=pixel_size_um,
        optics_known=optics is not None,
        coefficient_names=("mean operator", *modes),
    )


def measured_cutoff(psf: NDArray[np.floating], noise: float) -> float:
    """Pupil radius in cycles per pixel, from where the mean PSF's spectrum ends.

    Half of the frequency beyond which the ring means of the OTF's modulus stay below 2 %, or
    below three standard errors of the noise. Aberrations and the beads' own size weaken the
    highest frequencies, so the true cutoff is rather larger.

    Parameters
    ----------
    psf
        Sum 1, shape (h, w).
    noise
        Standard deviation of the noise in its pixels.
    """
    spectrum = np.abs(np.fft.fft2(psf))
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, psf.shape), indexing="ij"))
    width = 1 / min(psf.shape)
    ring = (frequency / width).round().astype(int)
    transfer = np.bincount(ring.ravel(), spectrum.ravel()) / np.bincount(ring.ravel())
    least = max(_LEAST_TRANSFER, _LEAST_ERRORS * noise * np.sqrt(psf.size))
    seen = np.flatnonzero(transfer >= least)
    end = (seen[-1] + 0.5) * width if len(seen) else width
    return float(min(end / 2, _LARGEST_CUTOFF))
