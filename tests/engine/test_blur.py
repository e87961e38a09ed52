"""Blur estimates: their tables, PSFs and files."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deepblur import BlurEstimate, Optics, load_blur
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.operators import ZernikeFamily

OPTICS = Optics(numerical_aperture=1.2, wavelength_um=0.5, pixel_size_um=0.08)


def blur_of(model, *, n_planes=3, per="plane"):
    n_rows = n_planes if per == "plane" else 1
    rng = np.random.default_rng(0)
    coefficients = rng.uniform(-0.1, 0.1, (n_rows, 7)).astype(np.float32)
    std = rng.uniform(0, 0.02, (n_rows, 7)).astype(np.float32)
    return BlurEstimate(coefficients, std, OPTICS, str(model), per, n_planes)


@pytest.mark.parametrize("per", ["plane", "stack"])
def test_round_trip(tiny_model, tmp_path, per):
    blur = blur_of(tiny_model, per=per)
    blur.save(tmp_path / "blur.json")
    read = load_blur(tmp_path / "blur.json")
    np.testing.assert_allclose(read.coefficients, blur.coefficients, atol=1e-6)
    np.testing.assert_allclose(read.std, blur.std, atol=1e-6)
    assert read.coefficients.dtype == np.float32
    assert (read.optics, read.model, read.per, read.n_planes) == (
        blur.optics, blur.model, blur.per, blur.n_planes,
    )  # fmt: skip


@given(values=st.lists(st.floats(-0.15, 0.15), min_size=7, max_size=7))
@settings(deadline=None, max_examples=10)
def test_any_coefficients_survive(tiny_model, tmp_path_factory, values):
    row = np.array([values], np.float32)
    path = tmp_path_factory.mktemp("blur") / "blur.json"
    BlurEstimate(row, np.abs(row), OPTICS, str(tiny_model)).save(path)
    np.testing.assert_allclose(load_blur(path).coefficients, row, atol=1e-6)


def test_psf_is_that_of_the_family_at_the_images_sampling(tiny_model):
    blur = blur_of(tiny_model)
    family = ZernikeFamily(cutoff=OPTICS.cutoff)
    for plane in range(3):
        psf = blur.psf(plane, position_yx=(10, 20))
        np.testing.assert_allclose(psf, family.psf(blur.coefficients_of(plane)), atol=1e-7)
        assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(blur.psf(0) - blur.psf(1)).max() > 1e-3


def test_one_blur_for_a_stack_serves_every_plane(tiny_model):
    blur = blur_of(tiny_model, per="stack")
    np.testing.assert_array_equal(blur.psf(0), blur.psf(2))
    np.testing.assert_array_equal(blur.psf(0), blur.psf(7))


@pytest.mark.parametrize("plane", [-1, 3])
def test_there_is_no_such_plane(tiny_model, plane):
    with pytest.raises(IndexError, match=f"plane {plane} is not one of 0 … 2"):
        blur_of(tiny_model).psf(plane)


def test_names_and_eigen_psfs(tiny_model):
    blur = blur_of(tiny_model)
    assert blur.coefficient_names[0] == "Z4 defocus"
    assert len(blur.coefficient_names) == 7
    assert blur.eigen_psfs.shape == (8, 31, 31)


def test_an_existing_file_is_kept(tiny_model, tmp_path):
    path = tmp_path / "blur.json"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        blur_of(tiny_model).save(path)
    assert path.read_text() == "mine"
    blur_of(tiny_model).save(path, overwrite=True)
    assert load_blur(path).n_planes == 3


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_blur(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"no json", b"\xff\xfe\x80"], ids=repr)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "blur.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a blur file") as caught:
        load_blur(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda c: c["coefficients"].pop(), "damaged"),
        (lambda c: c["std"].pop(), "damaged"),
        (lambda c: c["coefficients"][0].pop(), "not a blur file"),
        (lambda c: c.update(n_planes=7), "damaged"),
        (lambda c: c["coefficient_names"].pop(), "damaged"),
        (lambda c: c.update(format="napari-deepblur blur 9"), "not a blur file: format"),
        (lambda c: c["optics"].update(wavelength_um=520), "micrometres"),
        (lambda c: c.update(surprise=1), "surprise"),
    ],
)
def test_damaged_files_are_refused(tiny_model, tmp_path, change, fragment):
    path = tmp_path / "blur.json"
    blur_of(tiny_model).save(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=fragment):
        load_blur(path)


def test_a_blur_of_a_model_that_is_gone(tmp_path):
    row = np.zeros((1, 7), np.float32)
    with pytest.raises(ModelError, match="no model"):
        BlurEstimate(row, row, OPTICS, str(tmp_path / "gone")).psf()


def varying_blur_of(model, *, field_shape=(60, 90)):
    gamma = load_model(model).family.admissible_set.sample(2, seed=0).numpy()
    return BlurEstimate(gamma, 0 * gamma, OPTICS, str(model), n_planes=2, field_shape=field_shape)


def test_a_varying_blur_survives_its_file(tiny_varying_model, tmp_path):
    blur = varying_blur_of(tiny_varying_model)
    blur.save(tmp_path / "blur.json")
    read = load_blur(tmp_path / "blur.json")
    assert read.varies
    assert read.field_shape == (60, 90)
    assert read.coefficient_names == blur.coefficient_names == tuple(f"γ{p}" for p in range(6))
    for place in ((0, 0), (40, 80)):
        np.testing.assert_allclose(read.psf(1, place), blur.psf(1, place), atol=1e-6)


def test_a_varying_psf_is_the_familys_at_that_place(tiny_varying_model):
    blur = varying_blur_of(tiny_varying_model)
    family = load_model(tiny_varying_model).family.at_cutoff(OPTICS.cutoff)
    operator = family.operator(blur.coefficients_of(1), (60, 90))
    for place in ((0, 0), (59, 89), (20, 71)):
        psf = blur.psf(1, place)
        np.testing.assert_allclose(psf, operator.psf(place).numpy(), atol=1e-6)
        assert psf.sum() == pytest.approx(1, abs=1e-4)
    assert np.abs(blur.psf(1, (0, 0)) - blur.psf(1, (59, 89))).max() > 1e-3
    # By default that of the field's centre.
    np.testing.assert_allclose(blur.psf(1), blur.psf(1, (29.5, 44.5)), atol=1e-6)
    with pytest.raises(IndexError, match="plane 2 is not one"):
        blur.psf(2, (0, 0))


def test_psfs_of_many_places_at_once(tiny_varying_model):
    blur = varying_blur_of(tiny_varying_model)
    field = blur.psf_field(0, np.array([[0.0, 0.0], [1 / 60 - 1, 1 / 90 - 1]]))
    assert field.shape[0] == 2
    assert field.dtype == np.float32
    np.testing.assert_allclose(field[0], blur.psf(0), atol=1e-6)
    np.testing.assert_allclose(field[1], blur.psf(0, (0, 0)), atol=1e-6)


def test_a_varying_blur_must_know_its_field(tiny_varying_model):
    blur = varying_blur_of(tiny_varying_model, field_shape=None)
    assert blur.psf().sum() == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="shape of its field"):
        blur.psf(0, (3, 4))


def test_eigen_psfs_of_a_varying_blur(tiny_varying_model, tiny_model):
    assert varying_blur_of(tiny_varying_model).eigen_psfs.shape == (3, 31, 31)
    assert not blur_of(tiny_model).varies
    assert blur_of(tiny_model).psf_field(1, np.zeros((4, 2))).shape[0] == 4
