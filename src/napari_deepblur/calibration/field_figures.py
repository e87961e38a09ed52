"""Width and roundness of the calibrated PSF over the field, and its largest gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads import BeadStatus
from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION, centres, shapes
from napari_deepblur.calibration.fit.maps import nodes
from napari_deepblur.optics.field import to_field

if TYPE_CHECKING:
    from napari_deepblur.calibration.result import CalibrationResult

__all__ = ["FieldFigures", "field_figures"]

#: Places along each axis at which the PSF is looked at.
_N_PLACES = 15

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """The PSF of one acquisition at places that divide its field evenly, border to border.

    Attributes
    ----------
    fwhm_um
        Full width at half maximum (geometric mean of both axes), µm, shape (G, G).
    ellipticity
        1 - short / long axis, shape (G, G).
    variation
        Relative error of one and the same PSF for the whole field: root mean square over the
        field, 0.1 is 10 %.
    gap_um
        Distance of the place that is farthest from all used beads to the nearest one, µm.
    gap_yx
        Normalised coordinates of that place.
    """

    fwhm_um: Floats
    ellipticity: Floats
    variation: float
    gap_um: float
    gap_yx: tuple[float, float]


def field_figures(result: CalibrationResult, acquisition: int = 0) -> FieldFigures:
    """Measure the PSF of one acquisition over the field.

    Width and roundness are measured as those of the beads in the table are.
    """
    from scipy.spatial import KDTree

    places = nodes(_N_PLACES)
    psfs = result.psf_field(places, acquisition).astype(np.float64)
    beads = result.beads[result.beads["status"] == BeadStatus.USED]
    deviation = float(beads["fwhm"].median()) / FWHM_PER_DEVIATION
    fwhm, ellipticity = shapes(psfs, centres(psfs, deviation), deviation)
    mean = psfs.mean(0)
    variation = np.square(psfs - mean).sum() / np.square(psfs).sum()
    own = beads[beads["acquisition"] == acquisition][["y", "x"]].to_numpy(float)
    half_um = np.array(result.field_shape) / 2 * result.pixel_size_um
    at_um = (to_field(own, result.field_shape) + 1) * half_um
    distance = KDTree(at_um).query((places + 1) * half_um)[0]
    farthest = int(np.argmax(distance))
    return FieldFigures(
        fwhm.reshape(_N_PLACES, _N_PLACES) * result.pixel_size_um,
        ellipticity.reshape(_N_PLACES, _N_PLACES),
        float(np.sqrt(variation)),
        float(distance[farthest]),
        (float(places[farthest, 0]), float(places[farthest, 1])),
    )
