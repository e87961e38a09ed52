"""The check of volumes as they are deblurred: what a right and a wrong blur leave."""

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.stacks import GAMMA, KNOWN, OPTICS, blurred, photographed, points
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import restore_job
from napari_deepblur.engine.volume.check import VolumeChecks
from napari_deepblur.engine.volume.deblur import deblur_volumes_job


def blur_of(gamma):
    gamma = np.atleast_2d(np.asarray(gamma, np.float32))
    return ndb.VolumeBlurEstimate(gamma, 0 * gamma, KNOWN)


def checked(stack, gamma=GAMMA, **options):
    checks = VolumeChecks(stack, None, OPTICS.cutoff, **options)
    finish(deblur_volumes_job(stack, blur_of(gamma), then=checks.volume_job))
    return checks


@pytest.fixture(scope="module")
def stack():
    return photographed(blurred(points((20, 96, 96))))


@pytest.fixture(scope="module")
def right(stack):
    return checked(stack, residual=True)


def test_the_right_blur_leaves_the_noise(right, stack):
    check = right.check()
    assert check.residual.shape == (len(stack),)
    assert np.median(check.residual) == pytest.approx(1, abs=0.2)
    assert np.isnan(check.unsupported).all()
    assert ((check.flux_moved > 0) & (check.flux_moved <= 1)).all()


def test_the_residual_is_what_the_check_measures(right):
    width = round(3.75 / OPTICS.cutoff)
    inside = right.residual[:, width:-width, width:-width]
    measured = np.sqrt(np.square(inside, dtype=float).mean((1, 2)))
    np.testing.assert_allclose(measured, right.check().residual, rtol=1e-4)


def test_a_wrong_blur_leaves_more(right, stack):
    wrong = checked(stack, -2 * GAMMA).check()
    assert wrong.residual.mean() > 1.3 * right.check().residual.mean()
    assert ConcernKind.NOT_EXPLAINED in {one.kind for each in wrong.concerns for one in each}
    assert not any(right.check().concerns)


def test_blank_volumes_are_said_to_be_blank():
    check = checked(np.full((4, 64, 64), 7, np.float32)).check()
    assert np.isnan(check.residual).all()
    assert {concern.kind for concern in check.concerns[0]} == {ConcernKind.BLANK}


def test_a_request_of_volumes_is_checked_and_has_its_residual(stack, right):
    request = Request(image=stack, axes="ZYX", blur=blur_of(GAMMA), residual=True)
    restored = finish(restore_job(request))
    np.testing.assert_allclose(restored.check.residual, right.check().residual, rtol=1e-3)
    np.testing.assert_allclose(restored.residual, right.residual, atol=0.05)


def test_a_check_that_fails_is_a_warning(stack, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no such thing")

    monkeypatch.setattr("napari_deepblur.engine.volume.check.noise_model", fails)
    request = Request(image=stack[:4], axes="ZYX", blur=blur_of(GAMMA))
    with pytest.warns(UserWarning, match="not checked: no such thing"):
        restored = finish(restore_job(request))
    assert restored.check is None
    assert restored.sharp.shape == stack[:4].shape
