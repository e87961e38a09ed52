"""The 3-D blur of beads whose pupil and width are known, and what is no bead."""

from dataclasses import replace

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.stacks import GAMMA, KNOWN, OPTICS, Z_STEP_UM, blurred, photographed
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.errors import ImageError

WIDTH_PX = 0.7
WIDE = replace(KNOWN, broadening_px=WIDTH_PX)


def point(*places, shape=(24, 96, 96)):
    """Single voxels."""
    sharp = np.zeros(shape, np.float32)
    for place in places:
        sharp[place] = 1
    return sharp


def read(stack, **options):
    """The blur of a bead's stack."""
    return ndb.blur_from_bead(stack, optics=OPTICS, z_step_um=Z_STEP_UM, **options)


@pytest.fixture(scope="module")
def seen():
    """A bead that is not in the middle, without noise."""
    return blurred(point((11, 51, 45)), known=WIDE)


@pytest.fixture(scope="module")
def blur(seen):
    return read(photographed(seen, photons=2000, background=20.0, gain=2.0, offset=100.0))


def test_pupil_and_width_are_read_off_the_bead(blur):
    error = np.abs(blur.coefficients[0] - GAMMA)
    assert error.max() < 0.01
    assert (error <= 3 * blur.std[0]).all()
    assert blur.std.max() < 0.02
    assert blur.stack_optics.broadening_px == pytest.approx(WIDTH_PX, abs=0.05)
    assert blur.concerns == ((),)


def test_the_width_is_saved_with_the_blur(blur, tmp_path):
    blur.save(tmp_path / "bead.json")
    assert ndb.load_blur(tmp_path / "bead.json").stack_optics == blur.stack_optics


def test_few_photons_give_larger_errors(seen, blur):
    dim = read(photographed(seen, photons=60))
    assert np.abs(dim.coefficients[0] - GAMMA).max() < 0.06
    assert dim.std.mean() > 1.1 * blur.std.mean()


def test_two_beads_are_doubted():
    two = blurred(point((11, 48, 44), (12, 50, 54)), known=WIDE)
    doubted = read(photographed(two, photons=2000))
    assert {concern.kind for concern in doubted.concerns[0]} == {ConcernKind.NOT_A_BEAD}


@pytest.mark.parametrize(
    ("stack", "options", "message"),
    [
        (np.ones((9, 64, 64), np.float32), {}, "no bead"),
        (np.random.default_rng(0).poisson(9, (9, 64, 64)).astype(np.float32), {}, "stands out"),
        (np.ones((2, 9, 64, 64), np.float32), {"axes": "TZYX"}, "one z-stack"),
        (np.ones((64, 64), np.float32), {}, "no Z"),
    ],
)
def test_what_is_no_bead_is_refused(stack, options, message):
    with pytest.raises(ImageError, match=message):
        read(stack, **options)


def test_a_saturated_bead_is_refused(seen):
    stack = photographed(seen, photons=2000)
    with pytest.raises(ImageError, match="saturated"):
        read(stack.clip(None, 0.3 * stack.max()))
