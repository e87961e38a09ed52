"""A plane that is looked at part by part is what it is as a whole."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from napari_deepblur import BlurEstimate
from napari_deepblur.engine import forward_fit, plane_features, stored_plane
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.deblur import deblur
from napari_deepblur.engine.diagnostics import check_deblurring, residual_image
from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Progress, finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.photometry import Photometry
from napari_deepblur.engine.stored_plane import (
    StoredPlane,
    bands_of,
    is_blank,
    row_bands,
    seen_plane_job,
    spread_windows,
)
from napari_deepblur.engine.valid_pixels import ValidPlane

_AT = Progress(0, 1, "")


@pytest.fixture
def little_memory(monkeypatch):
    """Planes of more than 20 000 pixels are too large."""
    monkeypatch.setattr(stored_plane, "_LARGEST_WHOLE", 20_000)
    monkeypatch.setattr(stored_plane, "BAND", 64)


@pytest.fixture(scope="module")
def plane():
    """Counts with shot noise, some hot pixels and a dead column."""
    image = observed_scene("filaments", random_gamma(1, seed=3), size=280)[0]
    rng = np.random.default_rng(0)
    counts = rng.poisson(60 + 400 * image / image.max()).astype(np.float32)
    counts[rng.integers(0, 280, 20), rng.integers(0, 280, 20)] = 9000
    counts[:, 100] = 3
    return counts


def holed(plane):
    """With a corner that a program filled."""
    with_hole = plane.copy()
    with_hole[:90, :70] = 0
    return with_hole


def seen(plane):
    return finish(seen_plane_job(Planes.of(plane), 0, _AT))


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("change", [np.copy, holed], ids=["whole", "holed"])
def test_parts_are_those_of_the_whole(plane, change):
    plane = change(plane)
    whole, stored = ValidPlane.of(plane), seen(plane)
    assert isinstance(stored, StoredPlane)
    assert not whole.is_whole
    assert not stored.is_whole
    window = (slice(40, 171), slice(33, 280))
    expected, found = whole.part(window), stored.part(window)
    np.testing.assert_array_equal(found.valid, expected.valid)
    valid = expected.valid
    np.testing.assert_allclose(found.image[valid], expected.image[valid], rtol=1e-6)
    if expected.empty is not None and expected.empty.any():
        np.testing.assert_array_equal(found.empty, expected.empty)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("change", [np.copy, holed], ids=["whole", "holed"])
def test_brightness_and_noise_are_those_of_the_whole(plane, change):
    plane = change(plane)
    expected = Photometry.of(ValidPlane.of(plane), 0.25)
    found = Photometry.of(seen(plane), 0.25)
    assert expected.noise.varies
    for name in ("loudest", "overall", "observed_light"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=2e-3), name
    assert float(found.scale.dark) == pytest.approx(float(expected.scale.dark), rel=1e-5)
    assert float(found.scale.span) == pytest.approx(float(expected.scale.span), rel=1e-3)


@pytest.mark.usefixtures("little_memory")
def test_what_is_blank():
    assert is_blank(Planes.of(np.full((200, 200), 5)), 0)
    assert seen(np.full((200, 200), np.nan)) is None
    almost = np.full((200, 200), 5)
    almost[180, 3] = 6
    assert not is_blank(Planes.of(almost), 0)
    assert seen(almost) is not None


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(st.integers(200, 280), st.integers(200, 280)),
    tile_px=st.integers(184, 230),
)
@pytest.mark.parametrize("change", [np.copy, holed], ids=["whole", "holed"])
@pytest.mark.parametrize("kind", ["tiny_model", "tiny_varying_model"])
def test_deblurred_part_by_part_it_is_the_whole_deblurred(request, kind, change, shape, tile_px):
    model, plane = map(request.getfixturevalue, (kind, "plane"))
    image = change(plane)[: shape[0], : shape[1]]
    opened = load_model(model)
    gamma = opened.family.admissible_set.sample(1, seed=1).numpy()
    field = shape if opened.varies else None
    blur = BlurEstimate(gamma, gamma * 0, CANONICAL_OPTICS, str(model), field_shape=field)
    expected = deblur(image, blur, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_plane, "_LARGEST_WHOLE", 20_000)
        patch.setattr(stored_plane, "BAND", 64)
        found = deblur(image, blur, device="cpu", tile_px=tile_px)
    difference = np.abs(found - expected)[15:-15, 15:-15] / np.ptp(expected)
    assert difference.max() < 1e-3


@given(height=st.integers(32, 9000), width=st.integers(32, 9000))
def test_bands_cover_a_plane(height, width):
    bands = row_bands((height, width))
    assert bands[0].start == 0
    assert bands[-1].stop == height
    assert all(one.stop == other.start for one, other in pairwise(bands))
    assert all(band.start % stored_plane.BAND == 0 for band in bands)
    assert len(bands) == 1 or min(band.stop - band.start for band in bands) >= 32


@pytest.mark.usefixtures("little_memory")
def test_bands_know_their_surroundings(plane):
    for part, own in bands_of(ValidPlane.of(plane), above=3, below=5):
        assert own.start in {0, 3}
        assert part.image.shape[0] - own.stop in {0, 5}


@pytest.mark.usefixtures("little_memory")
@given(height=st.integers(200, 900), width=st.integers(200, 900))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_are_spread_from_border_to_border(height, width):
    windows = spread_windows((height, width), 100, 3)
    for axis, length in enumerate((height, width)):
        starts = sorted({window[axis].start for window in windows})
        assert starts[0] == 0
        assert max(window[axis].stop for window in windows) == length
        assert all(b - a >= 100 for a, b in pairwise(starts))


@pytest.fixture(scope="module")
def restored(plane, tiny_model):
    gamma = load_model(tiny_model).family.admissible_set.sample(1, seed=1).numpy()
    blur = BlurEstimate(gamma, gamma * 0, CANONICAL_OPTICS, str(tiny_model))
    return deblur(plane, blur, device="cpu"), blur


def test_its_residual_is_that_of_the_whole(plane, restored):
    sharp, blur = restored
    whole = residual_image(plane, sharp, blur)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_plane, "_LARGEST_WHOLE", 20_000)
        patch.setattr(stored_plane, "BAND", 64)
        found = residual_image(plane, sharp, blur)
    assert np.abs(found - whole).max() < 0.02 * np.abs(whole).max()


@pytest.mark.usefixtures("little_memory")
def test_it_is_checked_on_parts(plane, restored, monkeypatch):
    sharp, blur = restored
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_plane, "_LARGEST_WHOLE", 10**9)
        whole = check_deblurring(plane, sharp, blur)
    monkeypatch.setattr(forward_fit, "_PART", 128)
    found = check_deblurring(plane, sharp, blur)
    assert found.residual == pytest.approx(whole.residual, rel=0.1)
    assert found.flux_moved == pytest.approx(whole.flux_moved, rel=0.2)
    wrong = check_deblurring(plane, np.roll(sharp, 6, 1), blur)
    assert ConcernKind.NOT_EXPLAINED in {concern.kind for concern in wrong.concerns[0]}


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("kind", ["tiny_model", "tiny_varying_model"])
def test_its_blur_is_read_off_parts(request, kind, plane, monkeypatch):
    model = request.getfixturevalue(kind)
    shapes = []
    original = plane_features.tile_windows
    monkeypatch.setattr(
        plane_features,
        "tile_windows",
        lambda shape, **how: shapes.append(shape) or original(shape, **how),
    )
    monkeypatch.setattr(plane_features, "_VIEW", 128)
    blank = np.where(np.arange(280) < 150, 0, plane)  # the left parts hold nothing
    blur = estimate_blur(np.stack([plane, blank, np.zeros_like(plane)]), optics=CANONICAL_OPTICS,
                         model=model, device="cpu")  # fmt: skip
    assert max(max(shape) for shape in shapes) <= 128
    assert np.isfinite(blur.coefficients).all()
    assert blur.is_blank.tolist() == [False, False, True]
