"""Mosaics of PSFs stand where they belong, and widths are those of the optics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deepblur import BlurEstimate, Optics
from napari_deepblur.engine.psf_field import mosaic_grid, psf_field, psf_width

SIDES = st.tuples(st.integers(64, 3000), st.integers(64, 3000))
WINDOWS = st.integers(3, 60).map(lambda half: 2 * half + 1)


@settings(deadline=None)
@given(SIDES, WINDOWS)
def test_a_mosaic_lies_within_the_image_and_its_psfs_do_not_overlap(shape, window: int) -> None:
    grid = mosaic_grid(shape, (window, window))
    low = np.array(grid.origin_yx) - grid.zoom / 2
    high = low + grid.zoom * np.array(grid.shape)
    assert (low >= -0.5).all()
    assert (high <= np.array(shape) - 0.5).all()
    np.testing.assert_allclose(low + 0.5, np.array(shape) - 0.5 - high)
    assert all(3 <= n <= 6 for n in grid.n_places)
    psfs = np.ones((grid.n_places[0] * grid.n_places[1], window, window), np.float32)
    assert grid.draw(psfs).sum() == len(psfs) * grid.drawn[0] * grid.drawn[1]


@settings(deadline=None)
@given(SIDES, WINDOWS)
def test_psfs_stand_in_the_middle_of_equal_parts_of_the_field(shape, window: int) -> None:
    grid = mosaic_grid(shape, (window, window))
    places = grid.positions_yx.reshape(*grid.n_places, 2)
    for axis in (0, 1):
        n, side = grid.n_places[axis], shape[axis]
        middles = (np.arange(n) + 0.5) * side / n - 0.5
        found = np.moveaxis(places, axis, 0)[:, 0, axis]
        assert np.abs(found - middles).max() <= grid.zoom


@pytest.mark.parametrize(
    ("side", "window", "n", "zoom", "drawn"),
    [(64, 41, 3, 1, 21), (128, 41, 3, 1, 41), (512, 41, 6, 2, 41), (2048, 41, 6, 8, 41)],
)
def test_psfs_are_drawn_as_large_as_there_is_room(side, window, n, zoom, drawn) -> None:
    grid = mosaic_grid((side, side), (window, window))
    assert (grid.n_places, grid.zoom, grid.drawn) == ((n, n), zoom, (drawn, drawn))


@settings(deadline=None)
@given(SIDES)
def test_each_psf_is_centred_at_its_position(shape) -> None:
    grid = mosaic_grid(shape, (21, 31))
    psfs = np.zeros((grid.n_places[0] * grid.n_places[1], 21, 31), np.float32)
    psfs[:, 10, 15] = 1 + np.arange(len(psfs))
    mosaic = grid.draw(psfs)
    for brightness, position in enumerate(grid.positions_yx, 1):
        (pixel,) = np.argwhere(mosaic == brightness)
        np.testing.assert_allclose(grid.origin_yx + grid.zoom * pixel, position)


@pytest.mark.parametrize("deviation", [(1.0, 1.0), (1.3, 2.9), (6.0, 4.0)])
def test_width_of_a_gaussian(deviation) -> None:
    axis = np.arange(-25, 26)
    y, x = (np.exp(-((axis / one) ** 2) / 2) for one in deviation)
    fwhm = 2 * np.sqrt(2 * np.log(2) * deviation[0] * deviation[1])
    assert psf_width(y[:, None] * x) == pytest.approx(fwhm, rel=0.02)


def test_a_halo_counts() -> None:
    axis = np.arange(-25, 26)
    core, halo = (np.exp(-((axis[:, None] ** 2 + axis**2) / (2 * one**2))) for one in (1.0, 5.0))
    core, halo = core / core.sum(), halo / halo.sum()
    widths = [psf_width(share * core + (1 - share) * halo) for share in (1, 0.8, 0.6, 0)]
    assert sorted(widths) == widths
    assert widths[2] > 1.5 * widths[0]


@pytest.mark.parametrize("cutoff", [0.1, 0.2, 0.25])
def test_width_of_the_airy_disc(cutoff: float) -> None:
    from napari_deepblur.operators import ZernikeFamily

    family = ZernikeFamily().at_cutoff(cutoff)
    psf = family.psf(family.admissible_set.low * 0).numpy()
    # Half of the light lies within a radius of 0.267 λ / NA of the complete pattern.
    assert psf_width(psf) == pytest.approx(0.535 / cutoff, rel=0.04)


def test_the_field_of_a_varying_blur(tiny_varying_model) -> None:
    optics = Optics(numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.1625)
    # Ever more defocus from the first row to the last.
    gamma = np.array([[1, 0.4, 0.4, 0, 0, 0]], np.float32)
    blur = BlurEstimate(gamma, gamma, optics, str(tiny_varying_model), field_shape=(120, 150))
    field = psf_field(blur, 0, mosaic_grid((120, 150), (31, 31)))
    np.testing.assert_allclose(field.psfs.sum((-2, -1)), 1, rtol=1e-4)
    assert field.sharpest.position_yx[0] < 30
    assert field.widest.position_yx[0] > 90
    assert field.widest.width_um > 1.1 * field.sharpest.width_um
    assert field.sharpest.width_um == pytest.approx(0.535 * 0.52 / 0.8, rel=0.1)
