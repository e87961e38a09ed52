"""Families of simulated microscopes, made by the extractor that serves beads.

Source: Debarnot, Mangeat & Weiss, "Learning low-dimensional models of microscopes", IEEE Trans.
Comput. Imaging 7 (2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.extractor import Extraction, extract
from napari_deepblur.calibration.fit.maps import nodes
from napari_deepblur.calibration.fit.modes import PsfSamples, find_eigen_psfs
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.operators import ProductConvolutionFamily

__all__ = [
    "MICROSCOPES",
    "SimulatedMicroscope",
    "sample_psfs",
    "simulated_family",
    "simulated_microscope",
]

#: Names of the simulated microscopes that `simulated_microscope` knows.
MICROSCOPES = ("spim", "light-sheet", "widefield-fieldvarying")


#: What the microscope "light-sheet" has instead of that of "spim": sheets of 2 to 8 µm full width
#: at half maximum at their waist and over 10 µm beside it, and deep samples.
_THICK_SHEET: dict[str, Any] = {
    "field_um": 150.0,
    "window": 125,
    "waist_um": (1.7, 6.8),
    "tilt_degrees": (-1.5, 1.5),
    "offset_um": (-3.0, 3.0),
    "depth_um": (0.0, 140.0),
    "spherical_per_100_um": 0.15,
    "aberration_waves": (-0.03, 0.03),
    "aberration_per_100_um": (-0.1, 0.1),
    "spread_mrad": (0.0, 30.0),
    "halo": 0.15,
    "halo_um": 2.5,
    "pixel_area": True,
}

#: Coefficients that tell how much a uniform draw varies.
_N_DRAWN = 300


class SimulatedMicroscope(Protocol):
    """Gives PSFs over its field for drawn adjustments."""

    @property
    def optics(self) -> Optics:
        """Optics of the microscope."""

    @property
    def pixel_area(self) -> bool:
        """True if its PSFs are those of pixels with an area."""

    def model_dump(self) -> dict[str, Any]:
        """Its parameters by name."""

    def draw(self, n: int, *, seed: int) -> dict[str, Tensor]:
        """Draw adjustments of n microscopes: numbers (n,) by name."""

    def psfs(self, state: dict[str, Tensor], field_yx: Tensor) -> Tensor:
        """PSFs of one adjustment at normalised field positions (M, 2): (M, h, w), sum 1."""


def simulated_microscope(name: str) -> SimulatedMicroscope:
    """Make the simulated microscope of a name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    from napari_deepblur.optics.field_aberrations import FieldVaryingMicroscope
    from napari_deepblur.optics.light_sheet import LightSheetMicroscope

    if name not in MICROSCOPES:
        raise ValueError(f"no simulated microscope {name!r}: choose {' or '.join(MICROSCOPES)}")
    if name == "widefield-fieldvarying":
        return FieldVaryingMicroscope()
    return LightSheetMicroscope() if name == "spim" else LightSheetMicroscope(**_THICK_SHEET)


def sample_psfs(
    microscope: SimulatedMicroscope, state: dict[str, Tensor], n_places: int
) -> PsfSamples:
    """PSFs of one adjustment at n_places × n_places of the field, border to border."""
    import torch

    places = nodes(n_places)
    psfs = microscope.psfs(state, torch.from_numpy(places).float()).numpy()
    return PsfSamples(places, psfs, np.zeros(len(psfs)))


def simulated_family(
    samples: list[PsfSamples],
    optics: Optics,
    *,
    n_eigen_psfs: int = 4,
    n_functions: int = 4,
    n_vertices: int = 128,
    pixel_area: bool = False,
    seen_at: float | None = None,
) -> tuple[ProductConvolutionFamily, Extraction]:
    """Fit the family of a simulated microscope to all its adjustments.

    The admissible set is the convex hull of the adjustments that lie farthest from one another,
    inflated about its centroid until coefficients drawn uniformly from it vary as much as those
    of the adjustments do.

    Parameters
    ----------
    samples
        PSFs of each adjustment, at nodes that divide the field evenly: the maps' nodes too.
    optics
        Optics of the microscope.
    n_eigen_psfs, n_functions
        K and J: P = K · J coefficients.
    n_vertices
        Number of vertices of the admissible set.
    pixel_area, seen_at
        As for `ProductConvolutionFamily`.
    """
    import torch

    from napari_deepblur.operators import ConvexHull, ProductConvolutionFamily

    n_nodes = round(len(samples[0]) ** 0.5)
    eigen_psfs = find_eigen_psfs(samples).first(n_eigen_psfs)
    extraction = extract(samples, eigen_psfs, n_functions=n_functions, n_nodes=n_nodes)
    gamma = extraction.coefficients
    corners = gamma[_farthest(gamma, n_vertices)]
    drawn = ConvexHull(torch.from_numpy(corners)).sample(_N_DRAWN, seed=0).numpy()
    inflation = (gamma.var(0).sum() / drawn.var(0).sum()) ** 0.5
    centre = corners.mean(0)
    vertices = torch.from_numpy(centre + inflation * (corners - centre)).float()
    functions = ("constant", *(f"map {j}" for j in range(1, n_functions)))
    names = [f"eigen-PSF {k} {name}" for k in range(1, n_eigen_psfs + 1) for name in functions]
    family = ProductConvolutionFamily(
        torch.from_numpy(extraction.eigen_psfs.basis).float(),
        torch.from_numpy(extraction.maps).float(),
        ConvexHull(vertices),
        cutoff=optics.cutoff,
        pixel_size_um=optics.pixel_size_um,
        coefficient_names=names,
        pixel_area=pixel_area,
        seen_at=seen_at,
    )
    return family, extraction


def _farthest(points: NDArray[np.float64], n: int) -> list[int]:
    """Rows of points (N, P), each the farthest from all before it."""
    chosen = [int(((points - points.mean(0)) ** 2).sum(1).argmax())]
    distance = ((points - points[chosen[0]]) ** 2).sum(1)
    while len(chosen) < min(n, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(1))
    return chosen
