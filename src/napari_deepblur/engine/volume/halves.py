"""3-D blurs of the even and of the odd planes of a z-stack: a check that needs no truth.

The two halves share no photon. Where their blurs agree, noise and chance details of the sample did
not make them. What both share, such as a wrong NA or light from beside the stack, it cannot show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.events import Job, finish
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.estimate import estimate_volume_blur_job
from napari_deepblur.engine.volume.stacks import Stacks
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import Optics

__all__ = ["PlaneHalves", "estimate_halves", "estimate_halves_job"]

#: Waves by which halves may differ and still be said to agree.
_AGREE_WITHIN = 0.02

#: Planes of a half at least.
_FEWEST = 5


@dataclass(frozen=True)
class PlaneHalves:
    """Blurs of the even and of the odd planes.

    Attributes
    ----------
    even, odd
        Of the planes 0, 2, 4 … and 1, 3, 5 …, which lie two z steps apart.
    """

    even: VolumeBlurEstimate
    odd: VolumeBlurEstimate

    @property
    def differences(self) -> NDArray[np.float32]:
        """Coefficients of the even planes minus those of the odd ones, waves, (n_volumes, P)."""
        difference: NDArray[np.float32] = self.even.coefficients - self.odd.coefficients
        return difference

    @property
    def agree(self) -> NDArray[np.bool_]:
        """True where no coefficient differs by more than 0.02 waves, shape (n_volumes,)."""
        return np.asarray(np.abs(self.differences).max(1) <= _AGREE_WITHIN)


def estimate_halves(
    image: Any,
    *,
    optics: Optics,
    z_step_um: float,
    axes: str | None = None,
    light_sheet_fwhm_um: float | None = None,
) -> PlaneHalves:
    """Read the 3-D blur off the even and off the odd planes of an image.

    Parameters
    ----------
    image
        Observed, counts, shape (Z, Y, X) or (T, Z, Y, X), of 10 planes or more.
    optics
        Microscope and pixel size.
    z_step_um
        From one plane of the image to the next, µm.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.

    Raises
    ------
    ImageError
        If the image is no stack, or has too few planes.
    ValueError
        If the z step or the sheet's width is no length.
    """
    return finish(
        estimate_halves_job(
            image,
            optics=optics,
            z_step_um=z_step_um,
            axes=axes,
            light_sheet_fwhm_um=light_sheet_fwhm_um,
        )
    )


def estimate_halves_job(
    image: Any,
    *,
    optics: Optics,
    z_step_um: float,
    axes: str | None = None,
    light_sheet_fwhm_um: float | None = None,
) -> Job[PlaneHalves]:
    """`estimate_halves` as a job: yields some times a second."""
    planes = Stacks.of(image, axes).planes
    dim = planes.axes.index("Z")
    if planes.shape[dim] < 2 * _FEWEST:
        raise ImageError(
            f"the stack has {planes.shape[dim]} planes: its halves need {_FEWEST} each"
        )
    blurs = []
    for first in (0, 1):
        half = planes.data[(*(slice(None),) * dim, slice(first, None, 2))]
        blur = yield from estimate_volume_blur_job(
            half,
            optics=optics,
            z_step_um=2 * z_step_um,
            axes=planes.axes,
            light_sheet_fwhm_um=light_sheet_fwhm_um,
        )
        blurs.append(blur)
    return PlaneHalves(*blurs)
