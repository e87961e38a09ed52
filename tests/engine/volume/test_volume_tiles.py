"""Lateral tiles of a volume: what they cover, their weights, and results in tiles."""

from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_deepblur as ndb
from helpers.stacks import GAMMA, KNOWN, photographed, points
from napari_deepblur.engine.volume import deblur, tiles
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.engine.volume.stacks import Region
from napari_deepblur.engine.volume.tiles import tiles_of, weights_of


def volume(depth, height, width):
    return Region(slice(0, depth), slice(0, height), slice(0, width))


def surrounded(shape):
    return (shape[0], shape[1] + 40, shape[2] + 40)


@given(st.integers(1, 900), st.integers(1, 900), st.integers(300_000, 3_000_000))
def test_tiles_cover_the_volume_and_fit(height, width, largest):
    whole = volume(4, height, width)
    found = tiles_of(whole, surrounded, largest)
    weight = np.zeros((height, width))
    for tile in found:
        part = weights_of(tile, whole)
        assert part.shape == tile.shape[1:]
        assert part.min() > 0
        weight[tile.rows, tile.columns] += part
    assert weight.min() > 0
    assert len({tile.shape for tile in found}) == 1
    small = max(found[0].shape[1:]) <= 2 * tiles.OVERLAP
    assert small or np.prod(surrounded(found[0].shape)) <= largest


def test_a_volume_that_fits_is_one_tile():
    assert tiles_of(volume(8, 200, 300), surrounded, 10**7) == [volume(8, 200, 300)]


@given(
    height=st.integers(80, 100),
    width=st.integers(260, 340),
    largest=st.integers(250_000, 400_000),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=3)
def test_in_tiles_the_result_is_nearly_that_of_the_whole(height, width, largest, seed):
    # An objective with a narrow cone of light: its tiles hold all that reaches into their middle.
    optics = ndb.Optics(
        numerical_aperture=0.5, wavelength_um=0.52, pixel_size_um=0.25, refractive_index=1.0
    )
    known = StackOptics(optics, 1.0)
    shape = (8, height, width)
    stack = photographed(_seen(points(shape, n=height * width // 100, seed=seed), known))
    gamma = np.zeros((1, len(known.noll_indices)), np.float32)
    blur = ndb.VolumeBlurEstimate(gamma, gamma, known)
    whole = ndb.deblur(stack, blur)
    assert len(tiles_of(volume(*shape), known.domain_of, largest)) > 1
    with patch.object(deblur, "_LARGEST_DOMAIN", largest):
        tiled = ndb.deblur(stack, blur)
    # Grids of another size sample the PSF a little differently, and a few bright voxels differ.
    inside = (slice(None), slice(16, -16), slice(16, -16))
    difference = np.abs(tiled - whole)[inside] / np.ptp(whole)
    assert difference.max() < 0.1
    assert np.sqrt(np.square(difference).mean()) < 1e-3
    assert np.quantile(difference, 0.99) < 1e-3


def test_a_tile_ends_before_it_goes_astray(monkeypatch):
    """A course that overshoots ever more leaves no light in the sample, unless it is ended."""
    noise = np.random.default_rng(0).poisson(20, (8, 64, 64)).astype(np.float32)
    blur = ndb.VolumeBlurEstimate(GAMMA[None], np.full((1, len(GAMMA)), 0.01, np.float32), KNOWN)

    def plan_job(*_):
        yield from ()
        return deblur._Plan((1.5,) * 60, 1.0, 0.0, 15.0)

    monkeypatch.setattr(deblur, "_plan_job", plan_job)
    assert np.ptp(ndb.deblur(noise, blur)) > 5


def _seen(sharp, known):
    import torch

    transfer = known.pupil(sharp.shape).transfer(torch.zeros(len(known.noll_indices)))
    spectrum = torch.fft.rfftn(torch.from_numpy(sharp)) * transfer
    return torch.fft.irfftn(spectrum, s=sharp.shape).clamp_min(0).numpy()
