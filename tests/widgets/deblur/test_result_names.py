"""Names of results tell the PSFs apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.bench import Bench
from helpers.layers import OPTICS, deblurred, estimated, estimated_in_3d, known_layer
from napari_deepblur.engine.known.choice import MeasuredPsf
from napari_deepblur.widgets.deblur.result_names import sharp_name
from napari_deepblur.widgets.tasks.task import Done

MICROSCOPE = ndb.Optics(**OPTICS)


def of_blur(blur, **changes):
    return replace(estimated(), blur=blur, **changes)


def bead() -> np.ndarray:
    return (20 + 1e4 * ndb.ideal_blur(MICROSCOPE).psf()).astype(np.float32)


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (estimated(), "deblurred (cells)"),
        (estimated(per="stack"), "deblurred (cells)"),
        (estimated(per="stack", n_planes=3), "deblurred, one PSF (cells)"),
        (estimated_in_3d(), "deblurred, 3-D PSF (cells)"),
        (of_blur(ndb.ideal_blur(MICROSCOPE)), "deblurred, ideal PSF (cells)"),
        (
            of_blur(ndb.ideal_blur(MICROSCOPE, per="volume", z_step_um=0.3)),
            "deblurred, ideal 3-D PSF (cells)",
        ),
        (
            of_blur(ndb.blur_from_psf(bead(), 0.09, optics=MICROSCOPE, name="bead 3")),
            "deblurred, PSF of bead 3 (cells)",
        ),
        (
            of_blur(
                ndb.blur_from_psf(bead(), 0.09, optics=MICROSCOPE),
                choice=MeasuredPsf(calibration="beads"),
            ),
            "deblurred, measured PSF (cells)",
        ),
        (of_blur(replace(estimated().blur, source="red")), "deblurred, PSF of red (cells)"),
        (of_blur(replace(estimated().blur, source="cells")), "deblurred (cells)"),
    ],
)
def test_a_result_is_named_by_its_psf(found, name: str) -> None:
    assert sharp_name("deblurred", known_layer(64, 64), found) == name


def test_of_other_settings_the_name_says_which() -> None:
    bench = Bench(known_layer(64, 64))
    for aperture, wavelength_um in ((1.4, 0.52), (1.2, 0.52), (1.2, 0.6)):
        optics = {"numerical_aperture": aperture, "wavelength_um": wavelength_um}
        bench.controller.settings.update(optics)
        bench.controller.sharp.deblur()
        found = estimated()
        blur = replace(found.blur, optics=MICROSCOPE.model_copy(update=optics))
        bench.runner.on_end(Done(deblurred(replace(found, blur=blur), 64, 64)))
    assert [name for name in bench.names if "deblurred" in name] == [
        "deblurred (cells)",
        "deblurred, NA 1.2 (cells)",
        "deblurred, NA 1.2, 0.6 µm (cells)",
    ]
