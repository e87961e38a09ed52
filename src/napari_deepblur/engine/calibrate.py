"""Calibration of a microscope from images of beads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings, PlaneChoice
from napari_deepblur.engine.bead_images import READING, BeadImages
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.beads import BeadScene

__all__ = [
    "Acquisition",
    "FoundBeads",
    "Positions",
    "calibrate",
    "calibrate_job",
    "find_beads_job",
]

#: For each acquisition y, x of its beads in pixels, shape (n, 2), or None to find them.
Positions = Sequence[NDArray[np.floating] | None]


@dataclass(frozen=True, slots=True)
class Acquisition:
    """An acquisition of the field of beads, read and looked at.

    Attributes
    ----------
    name
        Name for messages and the report.
    plane
        Number of the plane in its stack, of a sum the first; 0 without a stack.
    taken
        What was taken of the stack, in words; empty without a stack.
    scene
        The image, with its background and spots.
    """

    name: str
    plane: int
    taken: str
    scene: BeadScene


@dataclass(frozen=True, slots=True)
class FoundBeads:
    """Beads of all acquisitions.

    Attributes
    ----------
    acquisitions
        The acquisitions, in the order of the images and of their time points.
    tables
        Table of each acquisition's beads, as `find_beads` makes it, with `fwhm_um`.
    window
        Side of the patches by which they were screened, pixels.
    settings
        Settings by which they were found.
    """

    acquisitions: tuple[Acquisition, ...]
    tables: tuple[DataFrame, ...]
    window: int
    settings: CalibrationSettings


def calibrate(
    images: Any,
    *,
    pixel_size_um: float | None = None,
    optics: Optics | None = None,
    plane: PlaneChoice | None = None,
    z_range: tuple[int, int] | None = None,
    window: int | None = None,
    n_eigen_psfs: int | None = None,
    saturation: float | None = None,
    inflation: float = 1.1,
    axes: str | Sequence[str] | None = None,
    positions: Positions | None = None,
    names: Sequence[str] | None = None,
) -> CalibrationResult:
    """Learn a microscope's blurs from images of beads, or of isolated spots in a sample.

    Parameters
    ----------
    images
        One image or several, counts: YX, stacks ZYX, time series TYX or TZYX. Each, and each
        time point, is an acquisition of the same field: another time, temperature or slide.
    pixel_size_um, optics, plane, z_range, window, n_eigen_psfs, saturation, inflation
        See `CalibrationSettings`. The pixel size or the optics must be given, and for stacks
        the plane or the range of planes.
    axes
        Letters of TZYX, one per dimension, for all images or for each; by default the last
        ones, so that three dimensions are ZYX.
    positions
        For each acquisition the y, x of its beads in pixels, shape (n, 2), or None to find
        them.
    names
        Names of the images, for the report.

    Raises
    ------
    ImageError
        If an image cannot be used, or has no usable beads, or its pixels are larger than the
        blur.
    ValueError
        If a setting is missing or impossible, or there are fewer beads than n_eigen_psfs + 3.
    DeviceError
        If memory is exhausted.
    """
    settings = CalibrationSettings(
        pixel_size_um=pixel_size_um,
        optics=optics,
        plane=plane,
        z_range=z_range,
        window=window,
        n_eigen_psfs=n_eigen_psfs,
        saturation=saturation,
        inflation=inflation,
    )
    return finish(calibrate_job(images, settings, axes=axes, positions=positions, names=names))


def find_beads_job(
    images: Any,
    settings: CalibrationSettings,
    *,
    axes: str | Sequence[str] | None = None,
    positions: Positions | None = None,
    names: Sequence[str] | None = None,
) -> Job[FoundBeads]:
    """Find the beads of images and say which of them can be used.

    Parameters
    ----------
    images
        See `calibrate`.
    settings
        Settings of the calibration.
    axes, positions, names
        See `calibrate`.

    Yields
    ------
        Events, at least one for each plane that is read.
    """
    from napari_deepblur.calibration.beads import BeadScene

    taken = BeadImages.of(images, settings, axes=axes, names=names)
    _check_positions(positions, len(taken))
    acquisitions = []
    with memory_guard():
        for index, name in enumerate(taken.names):
            read = yield from taken.read_job(index)
            scene = BeadScene.of(read.image)
            acquisitions.append(Acquisition(name, read.plane, read.taken, scene))
        yield Progress(taken.n_reads, taken.n_reads, READING)
        return (yield from _screening_job(acquisitions, settings, positions))


def calibrate_job(
    images: Any,
    settings: CalibrationSettings,
    *,
    axes: str | Sequence[str] | None = None,
    positions: Positions | None = None,
    names: Sequence[str] | None = None,
) -> Job[CalibrationResult]:
    """Calibrate as a job.

    Parameters
    ----------
    images
        See `calibrate`; or the `FoundBeads` of `find_beads_job` for the same planes, so that
        nothing is read again.
    settings
        Settings of the calibration.
    axes, positions, names
        See `calibrate`; with `FoundBeads` only the positions count.

    Yields
    ------
        Events, at least one for each plane that is read and each step of the fit.
    """
    if settings.optics is not None:
        yield from check_sampling_job(settings.optics)
    if isinstance(images, FoundBeads):
        _check_positions(positions, len(images.acquisitions))
        found = yield from _again_job(images, settings, positions)
    else:
        found = yield from find_beads_job(
            images, settings, axes=axes, positions=positions, names=names
        )
    with memory_guard():
        return (yield from _fit_job(found, settings))


def _check_positions(positions: Positions | None, n: int) -> None:
    if positions is not None and len(positions) != n:
        raise ValueError(
            f"positions must have one entry for each of the {n} acquisitions, got {len(positions)}"
        )


def _again_job(
    found: FoundBeads, settings: CalibrationSettings, positions: Positions | None
) -> Job[FoundBeads]:
    """Screen found beads again where positions or settings are others."""
    if (settings.plane, settings.z_range) != (found.settings.plane, found.settings.z_range):
        raise ValueError("the beads were found in other planes: find them again")
    with memory_guard():
        known = found.tables if settings.screens_like(found.settings) else None
        return (yield from _screening_job(found.acquisitions, settings, positions, known))


def _screening_job(
    acquisitions: Sequence[Acquisition],
    settings: CalibrationSettings,
    positions: Positions | None,
    known: Sequence[DataFrame] | None = None,
) -> Job[FoundBeads]:
    """Choose the window and make the tables of beads, where they are not known."""
    from napari_deepblur.calibration.beads import choose_window, find_beads

    n = len(acquisitions)
    stage = "finding beads"
    yield Progress(0, n, stage)
    window = settings.window
    if window is None:
        # The middle one of the windows that suit each acquisition.
        window = sorted(choose_window(one.scene) for one in acquisitions)[n // 2]
    tables = []
    for index, one in enumerate(acquisitions):
        given = None if positions is None else positions[index]
        if known is not None and given is None:
            tables.append(known[index])
            yield Progress(index + 1, n, stage)
            continue
        beads = find_beads(
            one.scene,
            window=window,
            saturation=settings.saturation,
            positions=None if given is None else np.asarray(given, np.float64),
        )
        after = beads.columns.get_loc("fwhm") + 1
        beads.insert(after, "fwhm_um", beads["fwhm"] * settings.pixel_um)
        tables.append(beads)
        yield Progress(index + 1, n, stage)
    return FoundBeads(tuple(acquisitions), tuple(tables), window, settings)


def _fit_job(found: FoundBeads, settings: CalibrationSettings) -> Job[CalibrationResult]:
    """Fit eigen-PSFs and maps to found beads, and cross-validate them."""
    from napari_deepblur.calibration.bead_samples import BeadSamples
    from napari_deepblur.calibration.fit.cross_validation import combine, fold_errors, n_folds
    from napari_deepblur.calibration.summary import summarise

    n = len(found.acquisitions)
    samples = BeadSamples(found.window, found.acquisitions[0].scene.image.shape)
    for index, (one, beads) in enumerate(zip(found.acquisitions, found.tables, strict=True)):
        yield Progress(index, n, "cutting out beads")
        samples.add(one.scene, beads, name=one.name, plane=one.taken)
    yield Progress(n, n, "cutting out beads")
    samples.require_enough(settings.n_eigen_psfs)
    folds, total = [], n_folds(samples.weighted)
    for fold in range(total):
        yield Progress(fold, total, "cross-validating")
        folds.append(fold_errors(samples.measured, samples.weighted, fold))
    yield Progress(total, total, "cross-validating")
    yield Progress(0, 1, "fitting the family")
    errors = combine(samples.measured, samples.weighted, folds)
    result = summarise(samples, errors, settings)
    yield Progress(1, 1, "fitting the family")
    return result
