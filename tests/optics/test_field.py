"""Field coordinates: one convention for pixels of any size."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_deepblur.optics.field import field_grid, to_field


def test_the_outer_edges_are_at_plus_minus_one():
    corners = [[-0.5, -0.5], [99.5, 49.5], [49.5, 24.5], [0, 0]]
    expected = [[-1.0, -1], [1, 1], [0, 0], [-0.99, -0.98]]
    np.testing.assert_allclose(to_field(corners, (100, 50)), expected)


@given(
    shape=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    zoom=st.integers(2, 9),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_places_stay_where_they_are_in_finer_pixels(shape, zoom, place):
    """Pixel p of a coarse image is the middle of pixels zoom · p … of a fine one."""
    coarse = np.array(place) * shape
    fine = zoom * coarse + (zoom - 1) / 2
    np.testing.assert_allclose(
        to_field(fine, (zoom * shape[0], zoom * shape[1])), to_field(coarse, shape), atol=1e-9
    )


def test_a_grid_is_made_of_pixel_centres_row_by_row():
    pixels = [(y, x) for y in range(3) for x in range(5)]
    np.testing.assert_allclose(field_grid(3, 5), to_field(pixels, (3, 5)))
