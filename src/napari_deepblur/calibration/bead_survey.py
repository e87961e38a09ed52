"""The beads of all acquisitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads import find_beads
from napari_deepblur.calibration.beads.patches import cut_patches
from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.calibration.fit.smooth_psfs import with_misfit
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.field import to_field

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["BeadSurvey"]

#: So many more beads than eigen-PSFs there must be.
_FEWEST_BESIDES = 3

#: What to do where most beads suffer from one thing.
_ADVICE = {
    "border": "give a smaller window or take a larger field",
    "crowded": "dilute the beads, or give a smaller window",
    "faint": "take the image with more light",
    "hot pixel": "these are single pixels of the camera and no beads",
    "saturated": "take the image again with less light or a shorter exposure",
    "unlike the others": "take an image of single beads of one kind",
}


@dataclass(slots=True)
class BeadSurvey:
    """Bead tables and PSFs, acquisition by acquisition.

    Attributes
    ----------
    window
        Side of the PSFs, pixels, odd.
    field_shape
        (Y, X) of the images.
    names, planes
        Of each acquisition: its name, and what was taken of it.
    tables
        Tables of `find_beads`.
    measured
        PSFs of the beads that can be used, in the order of the table.
    judged
        The same with the noise by which they count.
    """

    window: int
    field_shape: tuple[int, int]
    names: list[str] = field(default_factory=list)
    planes: list[str] = field(default_factory=list)
    tables: list[DataFrame] = field(default_factory=list)
    measured: list[PsfSamples] = field(default_factory=list)
    judged: list[PsfSamples] = field(default_factory=list)

    @property
    def n_used(self) -> int:
        """Number of beads that can be used, in all acquisitions."""
        return sum(len(part) for part in self.measured)

    def add(
        self,
        image: NDArray[np.float32],
        name: str,
        what: str,
        *,
        saturation: float | None = None,
        positions: NDArray[np.floating] | None = None,
    ) -> None:
        """Find an image's beads and cut out those that can be used.

        Parameters
        ----------
        image
            Counts, shape (Y, X).
        name
            Of the acquisition.
        what
            What was taken of it, if it is a stack.
        saturation
            Counts at and above which pixels are saturated.
        positions
            y, x of the beads in pixels, shape (n, 2), where they are known.

        Raises
        ------
        ImageError
            If there are no beads, or none that can be used.
        """
        given = None if positions is None else np.asarray(positions, np.float64)
        beads = find_beads(image, window=self.window, saturation=saturation, positions=given)
        used = beads[beads["status"] == "used"]
        if not len(used):
            raise ImageError(_why_none(beads, name))
        patches, noise = cut_patches(image, used, window=self.window)
        places = to_field(used[["y", "x"]], image.shape)
        measured = PsfSamples(places, patches, noise.astype(np.float64))
        self.names.append(name)
        self.planes.append(what)
        self.tables.append(beads)
        self.measured.append(measured)
        self.judged.append(with_misfit(measured))

    @property
    def most_eigen_psfs(self) -> int:
        """As many as the beads can tell apart: with one in each acquisition one for each."""
        return max(self.n_used - _FEWEST_BESIDES, len(self.names))

    def require_enough(self, n_eigen_psfs: int | None) -> None:
        """Check that there are beads enough for the eigen-PSFs asked for.

        Raises
        ------
        ValueError
            If there are not.
        """
        if n_eigen_psfs is not None and n_eigen_psfs > self.most_eigen_psfs:
            raise ValueError(
                f"{n_eigen_psfs} eigen-PSFs need at least {n_eigen_psfs + _FEWEST_BESIDES} usable "
                f"beads, there are {self.n_used}: take more beads, or ask for fewer eigen-PSFs"
            )


def _why_none(beads: DataFrame, name: str) -> str:
    if not len(beads):
        return f"no beads found in {name}: give an image of bright, single spots on a dark ground"
    counts = beads["status"].value_counts()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    advice = _ADVICE.get(str(counts.index[0]), "give other positions")
    if len(counts) == 1:
        return f"no bead of {name} can be used, all are left out ({reasons}): {advice}"
    return f"no bead of {name} can be used ({reasons}): {advice}"
