"""3-D blurs of even and odd planes."""

import dataclasses

import numpy as np
import pytest

import napari_deepblur as ndb
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.errors import ImageError

OPTICS = ndb.Optics(
    numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09, refractive_index=1.518
)


def blur_of(coefficients):
    known = StackOptics(OPTICS, 0.25, noll_indices=(5, 11))
    rows = np.array(coefficients, np.float32)
    return ndb.VolumeBlurEstimate(rows, np.full_like(rows, 0.01), known)


def test_halves_agree_within_a_fiftieth_of_a_wave():
    even = blur_of([[0.1, 0.05], [0.1, 0.05]])
    odd = blur_of([[0.09, 0.06], [0.1, -0.05]])
    halves = ndb.PlaneHalves(even, odd)
    assert halves.agree.tolist() == [True, False]
    np.testing.assert_allclose(halves.differences, [[0.01, -0.01], [0, 0.1]], atol=1e-6)


def test_each_half_gets_its_planes_and_twice_the_step(monkeypatch):
    asked = []

    def job(image, **given):
        asked.append((np.asarray(image), given))
        yield
        return blur_of([[0.0, 0.0]])

    monkeypatch.setattr("napari_deepblur.engine.volume.halves.estimate_volume_blur_job", job)
    stack = np.arange(12)[:, None, None] * np.ones((12, 64, 64))
    halves = ndb.estimate_halves(stack, optics=OPTICS, z_step_um=0.2, light_sheet_fwhm_um=2.0)
    assert dataclasses.is_dataclass(halves)
    assert [image[:, 0, 0].tolist() for image, _ in asked] == [[0, 2, 4, 6, 8, 10],
                                                              [1, 3, 5, 7, 9, 11]]  # fmt: skip
    for _, given in asked:
        assert given["z_step_um"] == pytest.approx(0.4)
        assert given["light_sheet_fwhm_um"] == 2.0
        assert given["axes"] == "ZYX"


def test_too_few_planes_are_refused():
    with pytest.raises(ImageError, match="its halves need 5 each"):
        ndb.estimate_halves(np.ones((9, 64, 64)), optics=OPTICS, z_step_um=0.2)
