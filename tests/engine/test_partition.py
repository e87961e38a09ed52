"""Partition of a plane: tiles cover it, their weights add up to one, and they know their place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deepblur.engine.partition import Margins, partition, smallest_side, whole


@st.composite
def fields(draw):
    margins = Margins(
        draw(st.integers(0, 20)), draw(st.integers(0, 12)), draw(st.sampled_from([1, 2, 8]))
    )
    side = smallest_side(margins) + draw(st.integers(0, 50))
    shape = draw(st.tuples(st.integers(1, 300), st.integers(1, 300)))
    return shape, side, margins


@settings(deadline=None)
@given(fields())
def test_weights_add_up_to_one(drawn):
    shape, side, margins = drawn
    total = np.zeros(shape, np.float32)
    for tile in partition(shape, side, margins):
        tile.add_to(total, np.ones(tile.shape, np.float32))
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@settings(deadline=None)
@given(fields())
def test_tiles_hold_their_halo_and_begin_at_multiples(drawn):
    shape, side, margins = drawn
    for tile in partition(shape, side, margins):
        for read, write, length in zip(tile.read, tile.write, shape, strict=True):
            assert 0 <= read.start <= write.start < write.stop <= read.stop <= length
            assert read.start % margins.multiple == 0
            assert read.start == 0 or write.start - read.start >= margins.halo
            assert read.stop == length or read.stop - write.stop == margins.halo
            assert read.stop - read.start <= side


def test_regions_are_those_of_the_field():
    tiles = partition((100, 300), 100, Margins(10, 4))
    np.testing.assert_allclose(whole((100, 300)).region, [[-1, -1], [1, 1]])
    np.testing.assert_allclose(tiles[0].region[0], [-1, -1])
    np.testing.assert_allclose(tiles[-1].region[1], [1, 1])
    read = tiles[1].read[1]
    np.testing.assert_allclose(tiles[1].region[:, 1], [read.start / 150 - 1, read.stop / 150 - 1])


def test_tiles_without_room_for_their_margins_are_refused():
    margins = Margins(20, 8)
    with pytest.raises(ValueError, match=f"give {smallest_side(margins)} or more"):
        partition((400, 400), smallest_side(margins) - 1, margins)
    assert len(partition((40, 40), 40, margins)) == 1  # no tile, no margins
