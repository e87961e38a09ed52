"""Beads and calibrations that nobody had to compute."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from napari.layers import Image

from helpers.bench import Runner
from helpers.families import varying_family
from napari_deepblur.calibration.beads import BeadScene
from napari_deepblur.calibration.field_figures import FieldFigures
from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings
from napari_deepblur.engine.calibrate import Acquisition, FoundBeads
from napari_deepblur.engine.psf_field import mosaic_grid
from napari_deepblur.widgets.calibrate.bead_points import BeadsInPlane
from napari_deepblur.widgets.calibrate.controller import CalibrateController
from napari_deepblur.widgets.calibrate.session import CalibrationSession
from napari_deepblur.widgets.calibrate.tasks import Calibrated
from napari_deepblur.widgets.calibrate.view import CalibrateView

#: Of the beads of `bead_table`, in their order.
STATUSES = ("used", "crowded", "used", "border", "used", "unlike the others")
WINDOW = 21
EMPTY = BeadScene.of(np.zeros((96, 128)))


def bead_table(shift: float = 0.0) -> pd.DataFrame:
    """Six beads on a diagonal, three of them usable."""
    place = 10.123456789 * np.arange(1, 7) + shift
    return pd.DataFrame(
        {
            "y": place,
            "x": place / 2,
            "snr": 20.0,
            "fwhm": 3.0,
            "fwhm_um": 0.3,
            "ellipticity": 0.1,
            "status": np.array(STATUSES, object),
        }
    )


def bead_settings(**changes) -> CalibrationSettings:
    """Settings of a calibration of `known_layer`."""
    return CalibrationSettings(**{"pixel_size_um": 0.09} | changes)


def found_beads(
    n: int = 1, *, plane: int = 0, tables: Sequence[pd.DataFrame] | None = None
) -> FoundBeads:
    """Beads of some acquisitions, each a pixel beside the one before."""
    tables = [bead_table(float(t)) for t in range(n)] if tables is None else tables
    acquisitions = tuple(Acquisition(f"time {t}", plane, "", EMPTY) for t in range(len(tables)))
    return FoundBeads(acquisitions, tuple(tables), WINDOW, bead_settings())


def beads_in_planes(n: int = 1, *, plane: int = 0) -> list[BeadsInPlane]:
    """The same beads, as the points of a layer take them."""
    return [BeadsInPlane(plane, bead_table(float(t))) for t in range(n)]


def calibrated(
    tables: Sequence[pd.DataFrame], shape: tuple[int, int] = (96, 128), *, plane: int = 0
) -> Calibrated:
    """A calibration of a field whose PSF varies, by the beads of each acquisition."""
    family = varying_family(window=WINDOW)
    n = len(tables)
    gamma = family.admissible_set.sample(n, seed=0).numpy()
    beads = pd.concat([table.assign(acquisition=t) for t, table in enumerate(tables)])
    result = CalibrationResult(
        beads=beads.reset_index(drop=True),
        family=family,
        coefficients=gamma,
        field_shape=shape,
        pixel_size_um=0.09,
        window=WINDOW,
        energy=np.array([0.9, 0.98, 0.999]),
        varying_energy=np.array([0.0, 0.8, 0.97]),
        cross_validation_db=np.array([-12.0, -18.0, -24.0]),
        names=tuple(f"time {t}" for t in range(n)),
        planes=("",) * n,
        notes=("few beads",),
    )
    grid = mosaic_grid(shape, (WINDOW, WINDOW))
    places = (2 * grid.positions_yx + 1) / np.array(shape) - 1
    mosaics = np.stack([grid.draw(result.psf_field(places, t)) for t in range(n)])
    maps = np.stack([np.full((3, WINDOW, 28), t + 1, np.float32) for t in range(n)])
    width = np.linspace(0.25, 0.4, 4).reshape(2, 2)
    figures = [FieldFigures(width + t / 10, width, 0.1, 1.0, (0.0, 0.0)) for t in range(n)]
    extremes = result.psf_field(np.zeros((2, 2)))
    return Calibrated(result, (plane,) * n, grid, mosaics, maps, tuple(figures), extremes)


class CalibrateBench:
    """A controller among stand-ins."""

    def __init__(self, *layers: Image, viewer: ViewerModel | None = None, **choices) -> None:
        self.viewer = ViewerModel() if viewer is None else viewer
        for layer in layers:
            self.viewer.add_layer(layer)
        self.view = MagicMock(spec=CalibrateView)
        self.runner = Runner()
        self.controller = CalibrateController(
            self.viewer, self.view, CalibrationSession.of(self.viewer), start=self.runner, **choices
        )

    @property
    def plan(self):
        return self.view.show_plan.call_args.args[0]

    @property
    def message(self):
        return self.view.show_message.call_args.args

    @property
    def counts(self):
        return self.view.show_beads.call_args.args[0]

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]
