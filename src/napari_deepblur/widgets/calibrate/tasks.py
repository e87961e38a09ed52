"""Long work of the dock "Calibrate from beads", without Qt and napari."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.files import load_calibration, save_calibration
from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings
from napari_deepblur.engine.calibrate import (
    FoundBeads,
    Positions,
    calibrate_job,
    find_beads_job,
)
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.psf_field import MosaicGrid, mosaic_grid
from napari_deepblur.optics.field import field_grid

if TYPE_CHECKING:
    from napari_deepblur.calibration.field_figures import FieldFigures

__all__ = [
    "BeadStack",
    "Calibrated",
    "calibrate_task",
    "find_task",
    "load_task",
    "save_task",
]

#: Sides of a drawn map, at most.
_LONGEST_MAP = 3.0


@dataclass(frozen=True, slots=True)
class BeadStack:
    """Arrays with beads.

    Attributes
    ----------
    arrays
        Pixels of each layer; they may be lazy.
    names
        Names of the layers.
    axes
        Letters of TCZYX, the same for all.
    settings
        Settings of the calibration.
    found
        Beads that were found in them, if they were looked for in the same planes.
    """

    arrays: tuple[Any, ...]
    names: tuple[str, ...]
    axes: str
    settings: CalibrationSettings
    found: FoundBeads | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration with all that the dock shows of it.

    Attributes
    ----------
    result
        Result of the engine.
    planes
        Number of the plane that was taken of each acquisition's stack.
    grid
        Grid of the mosaics.
    mosaics
        PSFs over the field of each acquisition, in the grid's pixels, shape (T, Y, X).
    maps
        Weight maps of each acquisition over the field, as high as the eigen-PSFs, shape
        (T, K, h, w).
    figures
        Width and roundness of the PSF over the field, of each acquisition.
    extremes
        Sharpest and widest PSF of the first acquisition's field, shape (2, h, w).
    found
        Beads as they were found, before the user's edits.
    """

    result: CalibrationResult
    planes: tuple[int, ...]
    grid: MosaicGrid
    mosaics: NDArray[np.float32]
    maps: NDArray[np.float32]
    figures: tuple[FieldFigures, ...]
    extremes: NDArray[np.float32]
    found: FoundBeads | None = None


def find_task(stack: BeadStack) -> Job[FoundBeads]:
    """Find the beads of the layers."""
    yield Progress(0, 0, "loading")
    return (
        yield from find_beads_job(stack.arrays, stack.settings, axes=stack.axes, names=stack.names)
    )


def calibrate_task(stack: BeadStack, positions: Positions) -> Job[Calibrated]:
    """Calibrate from the beads of the layers, and draw what is to be shown.

    Parameters
    ----------
    stack
        Layers, with the beads that were found in them.
    positions
        Beads of each acquisition that the user edited, None for the others.
    """
    yield Progress(0, 0, "loading torch")
    found = stack.found or (yield from find_task(stack))
    given = None if all(one is None for one in positions) else positions
    result = yield from calibrate_job(found, stack.settings, positions=given)
    planes = tuple(one.plane for one in found.acquisitions)
    return (yield from _pictured(result, planes, found))


def save_task(result: CalibrationResult, folder: Path, *, overwrite: bool) -> Job[Path]:
    """Write a calibration's folder; returns the folder."""
    yield Progress(0, 0, "saving")
    save_calibration(result, folder, overwrite=overwrite)
    return folder


def load_task(folder: Path) -> Job[Calibrated]:
    """Read a calibration's folder, and draw what is to be shown."""
    yield Progress(0, 0, "reading the calibration")
    result = load_calibration(folder)
    return (yield from _pictured(result, (0,) * result.n_acquisitions))


def _pictured(
    result: CalibrationResult, planes: tuple[int, ...], found: FoundBeads | None = None
) -> Job[Calibrated]:
    from napari_deepblur.calibration.field_figures import field_figures

    grid = mosaic_grid(result.field_shape, result.eigen_psfs.shape[1:])
    places = grid.field_yx(grid.positions_yx)
    mosaics, maps, figures = [], [], []
    for index in range(result.n_acquisitions):
        yield Progress(index, result.n_acquisitions, "drawing the PSFs")
        mosaics.append(grid.draw(result.psf_field(places, index)))
        maps.append(_weight_maps(result, index))
        figures.append(field_figures(result, index))
    extremes = _extremes(result, figures[0])
    return Calibrated(
        result, planes, grid, np.stack(mosaics), np.stack(maps), tuple(figures), extremes, found
    )


def _extremes(result: CalibrationResult, figures: FieldFigures) -> NDArray[np.float32]:
    widths = figures.fwhm_um
    at = np.array(
        [np.unravel_index(pick, widths.shape) for pick in (widths.argmin(), widths.argmax())]
    )
    return result.psf_field(2 * at / (np.array(widths.shape) - 1) - 1)


def _weight_maps(result: CalibrationResult, acquisition: int) -> NDArray[np.float32]:
    """Sample the maps (K, h, w) of one acquisition, w by h as the field's sides."""
    import torch

    high, (rows, columns) = result.eigen_psfs.shape[1], result.field_shape
    wide = round(high * float(np.clip(columns / rows, 1 / _LONGEST_MAP, _LONGEST_MAP)))
    places = field_grid(high, wide)
    gamma = torch.from_numpy(result.coefficients[acquisition])
    weights = result.family.weights(gamma, torch.from_numpy(places.astype(np.float32)))
    return np.asarray(weights.T.reshape(-1, high, wide).numpy(), np.float32)
