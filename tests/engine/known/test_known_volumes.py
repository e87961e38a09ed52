"""3-D blurs whose PSF is known: the ideal one, and that of a bead's z-stack."""

from dataclasses import replace

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.stacks import GAMMA, KNOWN, OPTICS, Z_STEP_UM, blurred, photographed, points
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import find_blur_job, restore_job
from napari_deepblur.errors import ImageError, SamplingError
from napari_deepblur.io import write_image

WIDE = replace(KNOWN, broadening_px=0.7)
NONE = np.zeros_like(GAMMA)


@pytest.fixture(scope="module")
def stack():
    """Points seen by a perfect objective."""
    return photographed(blurred(points((14, 96, 96)), gamma=NONE, margin=(3, 16, 16)))


@pytest.fixture(scope="module")
def bead():
    """A bead seen by an aberrated one."""
    sharp = np.zeros((24, 96, 96), np.float32)
    sharp[11, 51, 45] = 1
    return photographed(blurred(sharp, known=WIDE), photons=2000, background=20.0)


def ideal(**choices):
    return ndb.ideal_blur(OPTICS, per="volume", z_step_um=Z_STEP_UM, **choices)


def found(image, known, **choices):
    """The blur that a request finds."""
    request = Request(
        image=image, optics=OPTICS, per="volume", z_step_um=Z_STEP_UM, known=known, **choices
    )
    return finish(find_blur_job(request))


def test_the_ideal_blur_is_diffraction_alone():
    blur = ideal()
    assert (blur.per, blur.known_as, blur.n_volumes) == ("volume", "ideal 3-D PSF", 1)
    assert not blur.coefficients.any()
    assert blur.in_domain.all()
    psf = blur.psf_3d((15, 33, 33))
    assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert np.unravel_index(psf.argmax(), psf.shape) == (7, 16, 16)
    np.testing.assert_allclose(psf, psf[::-1], atol=1e-7)
    in_focus = psf[7] / psf[7].sum()
    width = np.abs(ndb.ideal_blur(OPTICS).psf().max() / in_focus.max() - 1)
    assert width < 0.15
    # No light is lost on its way: each plane holds as much as the others.
    wide = blur.psf_3d((15, 129, 129)).sum((1, 2))
    np.testing.assert_allclose(wide, wide.mean(), rtol=0.03)


def test_a_light_sheet_makes_it_thinner():
    psf, thin = (one.psf_3d((15, 33, 33)) for one in (ideal(), ideal(light_sheet_fwhm_um=0.6)))
    assert thin[0].sum() / thin[7].sum() < 0.1 * psf[0].sum() / psf[7].sum()


def test_python_and_a_request_are_the_same(stack):
    one = found(stack, {"kind": "ideal"})
    np.testing.assert_array_equal(one.psf_3d(), ideal().psf_3d())


def test_it_takes_the_blur_out(stack):
    request = Request(
        image=stack, optics=OPTICS, per="volume", z_step_um=Z_STEP_UM, known={"kind": "ideal"}
    )
    restored = finish(restore_job(request))
    sharp = points((14, 96, 96))[3:-3, 16:-16, 16:-16]

    def likeness(image):
        return np.corrcoef(image.ravel(), sharp.ravel())[0, 1]

    assert likeness(restored.sharp) > likeness(stack) + 0.2
    assert len(restored.check.concerns) >= 1


def test_it_is_saved_and_moved_to_other_voxels(tmp_path):
    ideal().save(tmp_path / "ideal.json")
    again = ndb.load_blur(tmp_path / "ideal.json")
    assert again.known_as == "ideal 3-D PSF"
    moved = again.at(z_step_um=0.2, wavelength_um=0.6)
    other = OPTICS.model_copy(update={"wavelength_um": 0.6})
    direct = ndb.ideal_blur(other, per="volume", z_step_um=0.2)
    np.testing.assert_allclose(moved.psf_3d(), direct.psf_3d(), atol=1e-7)


def test_the_pupil_of_a_bead_is_brought_to_the_voxels_of_the_stack(bead, stack):
    known = {"kind": "psf", "image": bead, "pixel_size_um": 0.1, "z_step_um": Z_STEP_UM}
    request = Request(image=stack, optics=OPTICS, per="volume", z_step_um=0.2, known=known)
    blur = finish(find_blur_job(request))
    assert np.abs(blur.coefficients[0] - GAMMA).max() < 0.03
    assert blur.stack_optics.z_step_um == 0.2
    assert blur.known_as == "PSF image, voxels of 0.3 × 0.1 µm"


def test_a_computed_psf_is_taken_like_a_bead(stack):
    computed = replace(ideal(), coefficients=GAMMA[None]).psf_3d((21, 65, 65))
    known = {"kind": "psf", "image": computed, "pixel_size_um": 0.1, "z_step_um": Z_STEP_UM}
    assert np.abs(found(stack, known).coefficients[0] - GAMMA).max() < 0.03


def test_a_computed_psf_may_be_smaller_than_an_image(stack):
    computed = ideal().psf_3d((15, 41, 41))
    known = {"kind": "psf", "image": computed, "pixel_size_um": 0.1, "z_step_um": Z_STEP_UM}
    assert np.abs(found(stack, known).coefficients[0]).max() < 0.03


def test_a_file_states_its_voxels(bead, stack, tmp_path):
    path = tmp_path / "bead.tif"
    write_image(path, bead, "ZYX", pixel_size_um=0.1, z_step_um=Z_STEP_UM)
    blur = found(stack, {"kind": "psf", "image": path})
    assert blur.known_as == "bead.tif, voxels of 0.3 × 0.1 µm"


@pytest.mark.parametrize(
    ("known", "error", "says"),
    [
        ({"kind": "psf", "image": np.ones((9, 9)), "pixel_size_um": 0.1}, ImageError, "no z-stack"),
        ({"kind": "psf", "image": np.ones((9, 9, 9))}, ImageError, "give them in µm"),
        ({"kind": "calibration", "calibration": "beads"}, ValueError, "of one plane"),
    ],
)
def test_what_has_no_3d_psf_is_refused(stack, known, error, says: str):
    with pytest.raises(error, match=says):
        found(stack, known)


def test_a_z_step_is_asked_for(stack):
    with pytest.raises(ValueError, match="give the distance"):
        ndb.ideal_blur(OPTICS, per="volume", z_step_um=None)
    with pytest.raises(ValueError, match="z-step"):
        finish(
            find_blur_job(
                Request(image=stack, optics=OPTICS, per="volume", known={"kind": "ideal"})
            )
        )
    with pytest.raises(ValueError, match="per='volume'"):
        ndb.ideal_blur(OPTICS, z_step_um=0.3)


def test_too_coarse_pixels_are_refused():
    coarse = OPTICS.model_copy(update={"pixel_size_um": 0.5})
    with pytest.raises(SamplingError, match="no blur left"):
        ndb.ideal_blur(coarse, per="volume", z_step_um=0.3)
