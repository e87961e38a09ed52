"""The usable beads of all acquisitions, as samples of the PSF over the field."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.calibration.beads import BeadScene, BeadStatus
from napari_deepblur.calibration.beads.patches import Pedestal, cut_patches
from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.calibration.fit.smooth_psfs import with_misfit
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.field import to_field

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["BeadSamples"]

#: Beads that must be left when as many as there are eigen-PSFs are taken away.
_FEWEST_BESIDES = 3


@dataclass(slots=True)
class BeadSamples:
    """Bead tables and PSFs, one entry for each acquisition.

    Attributes
    ----------
    window
        Side of the PSFs, pixels, odd.
    field_shape
        (Y, X) of the images.
    names
        Names of the acquisitions.
    planes
        What was taken of each stack, in words; empty for a plane.
    tables
        Bead tables, as `find_beads` makes them.
    measured
        PSFs of the usable beads, in the order of the table.
    weighted
        The same PSFs with the noise by which they are weighted: it includes how much a bead
        deviates from the others, and what is left of its background.
    pedestals
        What is left of the background around the usable beads.
    """

    window: int
    field_shape: tuple[int, int]
    names: list[str] = field(default_factory=list)
    planes: list[str] = field(default_factory=list)
    tables: list[DataFrame] = field(default_factory=list)
    measured: list[PsfSamples] = field(default_factory=list)
    weighted: list[PsfSamples] = field(default_factory=list)
    pedestals: list[Pedestal] = field(default_factory=list)

    @property
    def n_used(self) -> int:
        """Number of usable beads in all acquisitions."""
        return sum(len(part) for part in self.measured)

    def add(self, scene: BeadScene, beads: DataFrame, *, name: str, plane: str = "") -> None:
        """Add an acquisition.

        Parameters
        ----------
        scene
            Image of the beads.
        beads
            Table of all its beads.
        name
            Name of the acquisition.
        plane
            What was taken of its stack, in words.

        Raises
        ------
        ImageError
            If there are no beads, or none that can be used.
        """
        used = beads[beads["status"] == BeadStatus.USED]
        if not len(used):
            raise ImageError(_why_none(beads, name))
        found = cut_patches(scene, used, window=self.window)
        places = to_field(used[["y", "x"]].to_numpy(float), scene.image.shape)
        samples = PsfSamples(places, found.psfs, found.noise.astype(np.float64))
        self.names.append(name)
        self.planes.append(plane)
        self.tables.append(beads)
        self.measured.append(samples)
        # A bead on an uneven background has little say.
        noise = np.sqrt(samples.noise**2 + found.pedestal.certain_energy)
        self.weighted.append(with_misfit(replace(samples, noise=noise)))
        self.pedestals.append(found.pedestal)

    @property
    def most_eigen_psfs(self) -> int:
        """Largest number of eigen-PSFs that the beads can tell apart."""
        # With one bead in each acquisition, one for each.
        return max(self.n_used - _FEWEST_BESIDES, len(self.names))

    def require_enough(self, n_eigen_psfs: int | None) -> None:
        """Check that there are beads enough for the eigen-PSFs asked for.

        Raises
        ------
        ValueError
            If there are too few.
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
    advice = BeadStatus(counts.index[0]).advice
    if len(counts) == 1:
        return f"no bead of {name} can be used, all are left out ({reasons}): {advice}"
    return f"no bead of {name} can be used ({reasons}): {advice}"
