"""The long work of the dock "Calibrate from beads": needs neither Qt nor napari."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings
from napari_deepblur.engine.bead_images import BeadImages
from napari_deepblur.engine.calibrate import calibrate_job
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.psf_field import MosaicGrid, mosaic_grid
from napari_deepblur.optics.field import field_grid

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.field_figures import FieldFigures

__all__ = [
    "BeadStack",
    "Calibrated",
    "Found",
    "FoundBeads",
    "Positions",
    "calibrate_task",
    "find_task",
    "save_task",
]

#: Sides of a drawn map, at most.
_LONGEST_MAP = 3.0

#: Of each acquisition the y, x of its beads, shape (n, 2), or None to find them.
Positions = Sequence[NDArray[np.float64] | None]


@dataclass(frozen=True, slots=True)
class BeadStack:
    """Arrays with beads.

    Attributes
    ----------
    arrays
        One of each layer; they may be lazy.
    names
        Of the layers.
    axes
        Letters of TCZYX, the same for all.
    settings
        What to do with them.
    """

    arrays: tuple[Any, ...]
    names: tuple[str, ...]
    axes: str
    settings: CalibrationSettings

    def images(self) -> BeadImages:
        """The acquisitions.

        Raises
        ------
        ImageError
            If an image cannot be used.
        """
        return BeadImages.of(self.arrays, self.settings, axes=self.axes, names=self.names)


@dataclass(frozen=True, slots=True)
class FoundBeads:
    """Beads of one acquisition.

    Attributes
    ----------
    plane
        Number of the plane that was taken of its stack.
    beads
        Table of `find_beads`, with `fwhm_um`.
    """

    plane: int
    beads: DataFrame


@dataclass(frozen=True, slots=True)
class Found:
    """Beads of all acquisitions.

    Attributes
    ----------
    acquisitions
        In the order of the layers, and of the time points of each.
    window
        Side of the patches that they were judged by, pixels.
    """

    acquisitions: tuple[FoundBeads, ...]
    window: int


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration with all that the dock shows of it.

    Attributes
    ----------
    result
        The engine's answer.
    planes
        Number of the plane that was taken of each acquisition's stack.
    grid
        Where the PSFs of the mosaics stand.
    mosaics
        Of each acquisition, in the grid's pixels, shape (T, Y, X).
    maps
        Weight maps of each acquisition over the field, as high as the eigen-PSFs, shape
        (T, K, h, w).
    figures
        How the PSF changes over the field, of each acquisition.
    """

    result: CalibrationResult
    planes: tuple[int, ...]
    grid: MosaicGrid
    mosaics: NDArray[np.float32]
    maps: NDArray[np.float32]
    figures: tuple[FieldFigures, ...]


def find_task(stack: BeadStack) -> Job[Found]:
    """Find the beads and say which can be used."""
    yield Progress(0, 0, "loading")
    from napari_deepblur.calibration.beads import choose_window, find_beads

    taken, settings = stack.images(), stack.settings
    n = len(taken)
    planes, windows, found = [], [], []
    with memory_guard():
        for index in range(n):
            yield Progress(index, 2 * n, "looking at the images")
            planes.append(taken.plane_of(index))
            image = _plane(taken, index, planes[-1])
            windows.append(settings.window or choose_window(image))
        window = sorted(windows)[n // 2]
        for index, plane in enumerate(planes):
            yield Progress(n + index, 2 * n, "finding beads")
            image = _plane(taken, index, plane)
            beads = find_beads(image, window=window, saturation=settings.saturation)
            beads["fwhm_um"] = beads["fwhm"] * settings.pixel_um
            found.append(FoundBeads(plane, beads))
    return Found(tuple(found), window)


def calibrate_task(stack: BeadStack, positions: Positions) -> Job[Calibrated]:
    """Calibrate, with the beads that are known, and draw what is to be shown."""
    yield Progress(0, 0, "loading torch")
    taken = stack.images()
    planes = tuple(taken.plane_of(index) for index in range(len(taken)))
    given = None if all(one is None for one in positions) else positions
    result = yield from calibrate_job(
        stack.arrays, stack.settings, axes=stack.axes, positions=given, names=stack.names
    )
    return (yield from _pictured(result, planes))


def save_task(result: CalibrationResult, folder: Path, *, overwrite: bool) -> Job[Path]:
    """Write a calibration's folder; returns the folder."""
    yield Progress(0, 0, "saving")
    result.save(folder, overwrite=overwrite)
    return folder


def _pictured(result: CalibrationResult, planes: tuple[int, ...]) -> Job[Calibrated]:
    from napari_deepblur.calibration.field_figures import field_figures

    grid = mosaic_grid(result.field_shape, result.eigen_psfs.shape[1:])
    places = grid.field_yx(grid.positions_yx)
    mosaics, maps, figures = [], [], []
    for index in range(result.n_acquisitions):
        yield Progress(index, result.n_acquisitions, "drawing the PSFs")
        mosaics.append(grid.draw(result.psf_field(places, index)))
        maps.append(_weight_maps(result, index))
        figures.append(field_figures(result, index))
    return Calibrated(result, planes, grid, np.stack(mosaics), np.stack(maps), tuple(figures))


def _plane(taken: BeadImages, index: int, plane: int) -> NDArray[np.float32]:
    one = taken.acquisitions[index]
    return one.planes[one.first + plane]


def _weight_maps(result: CalibrationResult, acquisition: int) -> NDArray[np.float32]:
    """Maps (K, h, w) of one acquisition, w by h as the field's sides."""
    import torch

    high, (rows, columns) = result.eigen_psfs.shape[1], result.field_shape
    wide = round(high * float(np.clip(columns / rows, 1 / _LONGEST_MAP, _LONGEST_MAP)))
    places = field_grid(high, wide)
    gamma = torch.from_numpy(result.coefficients[acquisition])
    weights = result.family.weights(gamma, torch.from_numpy(places.astype(np.float32)))
    return np.asarray(weights.T.reshape(-1, high, wide).numpy(), np.float32)
