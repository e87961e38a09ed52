"""Tiles: they cover the plane and have the size that networks know."""

import numpy as np
import pytest

from napari_deepblur.engine.tiles import tile_places, tile_slices, tile_windows


@pytest.mark.parametrize("side", [32, 33, 42, 43, 64, 100, 128, 129, 170, 171, 300, 512, 2048])
def test_tiles_cover_the_axis(side):
    tiles = tile_slices(side)
    assert len(tiles) >= (1 if side == 32 else 2)
    assert len({tile.start for tile in tiles}) == len(tiles)
    assert {tile.stop - tile.start for tile in tiles} == {min(128, max(32, -(-3 * side // 4)))}
    assert {i for tile in tiles for i in range(tile.start, tile.stop)} == set(range(side))


@pytest.mark.parametrize("shape", [(32, 32), (100, 128), (300, 171), (512, 2048)])
def test_places_are_the_tiles_middles(shape):
    places = tile_places(shape, tile_windows(shape))
    rows, columns = (tile_slices(side) for side in shape)
    assert places.shape == (len(rows) * len(columns), 2)
    assert places.dtype == np.float32
    assert np.abs(places).max() < 1
    # Row by row, as the tiles are read, and spread evenly to both sides.
    pixels = (places + 1) * shape / 2 - 0.5
    np.testing.assert_allclose(pixels[1 % len(columns)], middle(rows[0], columns[1 % len(columns)]))
    np.testing.assert_allclose(pixels[-1], middle(rows[-1], columns[-1]))
    np.testing.assert_allclose(places.mean(0), 0, atol=2 / min(shape))


def middle(row, column):
    """Pixel coordinates of a tile's middle."""
    return [(part.start + part.stop - 1) / 2 for part in (row, column)]


@pytest.mark.parametrize("density", [1, 2])
def test_tiles_move_to_where_there_is_data(density):
    valid = np.ones((400, 300), bool)
    valid[:, 160:] = False
    windows = tile_windows(valid.shape, density=density, valid=valid)
    usual = tile_windows(valid.shape, density=density)
    assert len(windows) == len(usual)
    assert min(valid[window].mean() for window in windows) > 0.98
    for window, before in zip(windows, usual, strict=True):  # only as far as needed
        assert abs(window[0].start - before[0].start) <= 4
        assert (window == before) == (valid[before].mean() > 0.98)


def test_tiles_take_what_data_there_is():
    valid = np.zeros((200, 200), bool)
    valid[50:110, 90:150] = True
    windows = tile_windows(valid.shape, valid=valid)
    assert all(valid[window].sum() == valid.sum() for window in windows)
    where = tile_places(valid.shape, windows)
    assert np.abs(where).max() < 0.4
