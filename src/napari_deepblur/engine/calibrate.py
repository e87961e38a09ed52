"""From images of beads to the microscope's family of blurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings, PlaneChoice
from napari_deepblur.engine.bead_images import BeadImages
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.calibration.bead_survey import BeadSurvey

__all__ = ["calibrate", "calibrate_job"]

Positions = Sequence[NDArray[np.floating] | None]


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
        Of the images, for the report.

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


def calibrate_job(
    images: Any,
    settings: CalibrationSettings,
    *,
    axes: str | Sequence[str] | None = None,
    positions: Positions | None = None,
    names: Sequence[str] | None = None,
) -> Job[CalibrationResult]:
    """`calibrate` as a job: yields at least once for each image and each tenth of the beads."""
    from napari_deepblur.calibration.conclusion import conclude
    from napari_deepblur.calibration.fit.left_out import leave_out, n_turns, put_together

    taken = BeadImages.of(images, settings, axes=axes, names=names)
    if positions is not None and len(positions) != len(taken):
        raise ValueError(
            f"positions must have one entry for each of the {len(taken)} acquisitions, "
            f"got {len(positions)}"
        )
    if settings.optics is not None:
        yield from check_sampling_job(settings.optics)
    with memory_guard():
        window = settings.window or (yield from _window_job(taken))
        survey = yield from _survey_job(taken, settings, window, positions)
        survey.require_enough(settings.n_eigen_psfs)
        turns = []
        n = n_turns(survey.judged)
        for turn in range(n):
            yield Progress(turn, n, "leaving out beads")
            turns.append(leave_out(survey.measured, survey.judged, turn))
        yield Progress(n, n, "leaving out beads")
        yield Progress(0, 1, "fitting the family")
        left_out = put_together(survey.measured, survey.judged, turns)
        result = conclude(survey, left_out, settings)
        yield Progress(1, 1, "fitting the family")
    return result


def _window_job(taken: BeadImages) -> Job[int]:
    """The middle one of the windows that suit each acquisition."""
    from napari_deepblur.calibration.beads import choose_window

    windows = []
    for index in range(len(taken)):
        yield Progress(index, len(taken), "choosing the window")
        windows.append(choose_window(taken.read(index)[0]))
    yield Progress(len(taken), len(taken), "choosing the window")
    return sorted(windows)[len(windows) // 2]


def _survey_job(
    taken: BeadImages, settings: CalibrationSettings, window: int, positions: Positions | None
) -> Job[BeadSurvey]:
    from napari_deepblur.calibration.bead_survey import BeadSurvey

    survey = BeadSurvey(window, taken.shape)
    for index, name in enumerate(taken.names):
        yield Progress(index, len(taken), "finding beads")
        image, what = taken.read(index)
        given = None if positions is None else positions[index]
        survey.add(image, name, what, saturation=settings.saturation, positions=given)
    yield Progress(len(taken), len(taken), "finding beads")
    return survey
