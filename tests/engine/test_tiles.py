"""Tiles: they cover the plane and have the size that networks know."""

import pytest

from napari_deepblur.engine.tiles import tile_slices


@pytest.mark.parametrize("side", [32, 33, 42, 43, 64, 100, 128, 129, 170, 171, 300, 512, 2048])
def test_tiles_cover_the_axis(side):
    tiles = tile_slices(side)
    assert len(tiles) >= (1 if side == 32 else 2)
    assert len({tile.start for tile in tiles}) == len(tiles)
    assert {tile.stop - tile.start for tile in tiles} == {min(128, max(32, -(-3 * side // 4)))}
    assert {i for tile in tiles for i in range(tile.start, tile.stop)} == set(range(side))
