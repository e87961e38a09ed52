"""Images that hold isolated beads are read from them, and others are not."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import napari_deepblur as ndb
from napari_deepblur.engine.blur_file import load_blur
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.isolated_beads import isolated_beads
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.operators import WidefieldFamily
from napari_deepblur.samples.isolated_beads import draw_isolated_beads

OPTICS = ndb.Optics(
    numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1, refractive_index=1.518
)
GAMMA = np.array([0.06, 0.03, -0.05, 0.04, 0.05, -0.03, 0.02, 0.04, 0.4], np.float32)


def bead_image(**wishes):
    wishes = {"shape": (160, 160), "n_beads": 4} | wishes
    return draw_isolated_beads(WidefieldFamily(), GAMMA, pixel_size_um=0.1, **wishes)


def snr(blur, row=0):
    family = WidefieldFamily()
    found = family.psf(torch.from_numpy(blur.coefficients[row]))
    return float(psf_snr(found, family.psf(torch.from_numpy(GAMMA))))


@pytest.fixture(scope="module")
def read():
    return ndb.estimate_blur(bead_image(), optics=OPTICS)


def test_an_image_of_beads_is_read_from_them(read):
    assert read.n_beads == (4,)
    assert snr(read) > 20
    kinds = {concern.kind for concern in read.concerns[0]}
    assert not kinds & {ConcernKind.NEARLY_EMPTY, ConcernKind.UNLIKE}


def test_the_number_of_beads_is_kept(read, tmp_path):
    read.save(tmp_path / "blur.json")
    assert load_blur(tmp_path / "blur.json").n_beads == (4,)
    assert read.only(0).n_beads == (4,)


def test_planes_that_share_a_blur_share_their_beads():
    stack = np.stack([bead_image(seed=seed, photons=60.0) for seed in (1, 2)])
    together = ndb.estimate_blur(stack, optics=OPTICS, axes="ZYX", per="stack")
    assert together.n_beads == (8,)
    assert snr(together) > 20


def test_a_plane_of_beads_among_others_is_told(read):
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(160, 160)), 2) * 500 + 200
    stack = np.stack([texture, bead_image()]).astype(np.float32)
    blur = ndb.estimate_blur(stack, optics=OPTICS, axes="ZYX")
    assert blur.n_beads == (0, 4)
    np.testing.assert_allclose(blur.coefficients[1], read.coefficients[0], atol=2e-3)


@pytest.mark.parametrize("radius", [8, 14])
def test_discs_are_no_beads(radius):
    rng = np.random.default_rng(1)
    rows, columns = np.indices((200, 200))
    discs = sum(
        (np.hypot(rows - y, columns - x) < radius).astype(float)
        for y, x in ((40, 50), (60, 150), (150, 60), (140, 150))
    )
    image = rng.poisson(200 * gaussian_filter(discs, 1.2) + 5).astype(np.float32)
    assert ndb.estimate_blur(image, optics=OPTICS).n_beads == ()


def test_textures_hold_no_spots():
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(160, 160)), 1.5) * 100 + 100
    assert isolated_beads(ValidPlane.of(texture.astype(np.float32)), OPTICS) is None


def test_noise_and_flat_planes_hold_no_spots():
    noise = np.random.default_rng(0).normal(100, 5, (128, 128)).astype(np.float32)
    assert isolated_beads(ValidPlane(noise), OPTICS) is None
    assert isolated_beads(ValidPlane(np.zeros((128, 128), np.float32)), OPTICS) is None


def test_saturated_beads_are_left_out():
    image = bead_image(photons=500.0)
    found = isolated_beads(ValidPlane.of(image.clip(None, 350)), OPTICS)
    assert found is None or float(found.counts.max()) < 350


def test_faulty_columns_are_of_no_use():
    image = bead_image()
    beads = isolated_beads(ValidPlane.of(image), OPTICS)
    valid = np.ones(image.shape, bool)
    _, column = np.unravel_index(image.argmax(), image.shape)
    valid[:, column - 6 : column - 4] = False
    masked = isolated_beads(ValidPlane(image, valid), OPTICS)
    assert len(masked) == len(beads)
    assert not masked.usable.all()
