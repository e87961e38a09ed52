"""Deblurring in tiles gives what deblurring of the whole plane gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from napari_deepblur import BlurEstimate
from napari_deepblur.engine.deblur import deblur, deblur_job
from napari_deepblur.engine.events import Warned, finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.tile_restoration import largest_tile
from napari_deepblur.operators.convolution import Convolution

#: Half a PSF at the canonical cutoff, pixels: nearer to the border more may differ.
_MARGIN = 15


@pytest.fixture(scope="module")
def plane():
    image = observed_scene("filaments", random_gamma(1, seed=3), size=250)[0]
    noisy = np.random.default_rng(0).poisson(60 + 400 * image / image.max())
    return noisy.astype(np.float32)


def blur_of(model, shape):
    varies = load_model(model).varies
    family = load_model(model).family
    gamma = family.admissible_set.sample(1, seed=1).numpy()
    field = shape if varies else None
    return BlurEstimate(
        gamma, np.zeros_like(gamma), CANONICAL_OPTICS, str(model), field_shape=field
    )


def assert_tiles_make_the_whole(model, image, tile_px):
    blur = blur_of(model, image.shape)
    expected = deblur(image, blur, device="cpu")
    in_tiles = deblur(image, blur, device="cpu", tile_px=tile_px)
    difference = np.abs(in_tiles - expected) / np.ptp(image)
    assert difference.max() > 0  # there were tiles
    assert difference[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].max() < 1e-3


@settings(max_examples=6, deadline=None)
@given(shape=st.tuples(st.integers(190, 250), st.integers(190, 250)), tile_px=st.integers(180, 189))
@pytest.mark.parametrize("kind", ["tiny_model", "tiny_varying_model"])
def test_tiles_make_the_whole(request, kind, plane, shape, tile_px):
    model = request.getfixturevalue(kind)
    assert_tiles_make_the_whole(model, plane[: shape[0], : shape[1]], tile_px)


def test_tiles_make_the_whole_with_the_bundled_model(plane):
    assert_tiles_make_the_whole("widefield-zernike", plane[:200], 184)


def test_areas_without_data_are_left_out_in_tiles_too(tiny_model, plane):
    holed = plane.copy()
    holed[60:130, 100:180] = np.nan
    sharp = deblur(holed, blur_of(tiny_model, plane.shape), device="cpu", tile_px=190)
    np.testing.assert_array_equal(np.isnan(sharp), np.isnan(holed))


def test_tiles_too_small_for_the_blur_are_refused(tiny_model, plane):
    with pytest.raises(ValueError, match="tiles of 100 pixels are too small"):
        deblur(plane, blur_of(tiny_model, plane.shape), device="cpu", tile_px=100)


def test_smaller_tiles_are_tried_where_memory_is_too_small(tiny_model, plane, monkeypatch):
    forward = Convolution.forward

    def with_little_memory(self, sharp):
        if max(self.range_shape) > 200:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, sharp)

    monkeypatch.setattr(Convolution, "forward", with_little_memory)
    blur = blur_of(tiny_model, plane.shape)
    texts = [e.text for e in deblur_job(plane, blur, device="cpu") if isinstance(e, Warned)]
    assert len(texts) == 1
    assert "goes on with tiles of" in texts[0]
    sharp = finish(deblur_job(plane, blur, device="cpu"), warn=lambda _: None)
    monkeypatch.undo()
    expected = deblur(plane, blur, device="cpu")
    assert np.abs(sharp - expected)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].max() < 1e-3 * np.ptp(plane)


def test_less_memory_makes_smaller_tiles(tiny_model, monkeypatch):
    network = load_model(tiny_model).network("deblurring", torch.device("cpu"))
    sides = []
    for free in (2**28, 2**30, 2**40):
        monkeypatch.setattr(
            "napari_deepblur.engine.tile_restoration.free_memory", lambda _, free=free: free
        )
        sides.append(largest_tile(network, 1))
    assert sides[0] < sides[1] < sides[2] == 2048
    assert largest_tile(network, 100) == 2048
