"""Beads: found, measured and screened; one bad bead never ends a run."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from napari_deepblur.calibration.beads import BeadScene, choose_window
from napari_deepblur.calibration.beads import find_beads as find_in_scene
from napari_deepblur.calibration.beads.centre import centres, shapes
from napari_deepblur.calibration.beads.prediction import smooth_prediction
from napari_deepblur.calibration.beads.saturation import saturation_level
from napari_deepblur.errors import ImageError
from napari_deepblur.samples.bead_field import draw_bead_field

COLUMNS = ["y", "x", "peak", "background", "snr", "fwhm", "ellipticity", "status"]
SIZE = 800


def find_beads(image, **options):
    return find_in_scene(BeadScene.of(image), **options)


@pytest.fixture(scope="module")
def field():
    return draw_bead_field(shape=(SIZE, SIZE), n_beads=80, share_bad=0.15, seed=6)


@pytest.fixture(scope="module")
def beads(field):
    return find_beads(field.image)


def nearest(field, beads):
    """Distance and row of the table's bead nearest to each true one."""
    return KDTree(beads[["y", "x"]].to_numpy()).query(field.positions)


def gaussians(positions, *, shape=(200, 200), deviation=1.5, peak=200.0, noise=2.0):
    """Image of Gaussian beads on a background of 100."""
    row, column = np.indices(shape)
    image = np.random.default_rng(0).normal(100, noise, shape)
    for y, x in positions:
        image += peak * np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * deviation**2))
    return image.astype(np.float32)


def lattice(n=5, step=36.0, first=28.0):
    side = first + step * np.arange(n)
    return np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)


def test_isolated_beads_are_found_and_used(field, beads):
    distance, row = nearest(field, beads)
    good = field.isolated & ~field.bad
    assert (distance[good] < 1).mean() >= 0.95
    assert (beads["status"].to_numpy()[row] == "used")[good].mean() >= 0.95


def test_nothing_else_is_used(field, beads):
    used = beads[beads["status"] == "used"]
    distance, which = KDTree(field.positions[~field.bad]).query(used[["y", "x"]].to_numpy())
    assert (distance > 1).sum() <= 0.01 * len(used)
    assert len(set(which)) == len(used)


def test_centres_are_found_to_a_twentieth_of_a_pixel(field, beads):
    used = beads[beads["status"] == "used"]
    distance, _ = KDTree(field.positions).query(used[["y", "x"]].to_numpy())
    assert np.sqrt((distance**2).mean() / 2) < 0.07


def test_table_tells_brightness_and_shape(field, beads):
    assert list(beads.columns) == COLUMNS
    used = beads[beads["status"] == "used"]
    assert used["background"].between(497, 503).all()
    assert 15 < used["snr"].median() < 21
    np.testing.assert_allclose(used["peak"] / used["snr"], np.sqrt(500), rtol=0.05)
    truth = field.psf(used[["y", "x"]].to_numpy())
    width, ellipticity = shapes(truth, centres(truth, 1.0), 1.0)
    assert np.median(np.abs(used["fwhm"] - width) / width) < 0.1
    assert np.median(np.abs(used["ellipticity"] - ellipticity)) < 0.12


def test_given_positions_are_refined_and_keep_their_order(field, beads):
    good = field.positions[field.isolated & ~field.bad]
    moved = good + np.random.default_rng(0).uniform(-1, 1, good.shape)
    given = find_beads(field.image, positions=moved)
    assert np.hypot(*(given[["y", "x"]].to_numpy() - good).T).max() < 0.4
    assert (given["status"] == "used").mean() > 0.95


def test_given_beads_are_screened_but_never_unlike_the_others(field, beads):
    unlike = beads[beads["status"] == "unlike the others"]
    assert len(unlike)
    dark = np.array([[SIZE / 2, SIZE / 2]])
    assert nearest_distance(field, dark) > 10
    positions = np.concatenate([unlike[["y", "x"]], dark, [[2, 2], [-40, 9999]]])
    given = find_beads(field.image, positions=positions)
    assert list(given["status"]) == len(unlike) * ["used"] + ["faint", "border", "border"]


def nearest_distance(field, position):
    return np.hypot(*(field.positions - position).T).min()


def test_the_same_bead_given_twice_is_used_once():
    image = gaussians([(100, 100)])
    given = find_beads(image, positions=[(100.8, 100), (99, 100.5)])
    assert list(given["status"]) == ["used", "repeated"]


def test_given_beads_beside_others_are_crowded():
    image = gaussians([(100, 100), (100, 107), (50, 50)])
    given = find_beads(image, positions=[(100, 100), (50, 50)])
    assert list(given["status"]) == ["crowded", "used"]


@pytest.mark.parametrize(
    "image",
    [
        np.random.default_rng(0).normal(100, 5, (300, 300)),
        np.random.default_rng(0).poisson(0.3, (200, 300)),
        np.full((64, 64), 7.0),
        np.zeros((5, 5)),
    ],
    ids=["noise", "photons", "constant", "tiny"],
)
def test_no_beads_no_rows(image):
    beads = find_beads(image)
    assert len(beads) == 0
    assert list(beads.columns) == COLUMNS
    assert len(find_beads(image, positions=np.zeros((0, 2)))) == 0


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_few_beads_are_enough(n):
    beads = find_beads(gaussians(lattice()[:n]))
    assert list(beads["status"]) == n * ["used"]


def test_flaws_are_named():
    places = lattice()
    image = gaussians([*places, (28.0, 110.0), (6.0, 46.0)])
    image[82, 118] += 150
    image = np.minimum(image + gaussians([places[12]], peak=3000.0, noise=0) - 100, 500)
    beads = find_beads(image)
    status = {
        name: beads["status"][KDTree(beads[["y", "x"]].to_numpy()).query(place)[1]]
        for name, place in {
            "crowded": (28, 110),
            "border": (6, 46),
            "hot pixel": (82, 118),
            "saturated": places[12],
            "used": places[24],
        }.items()
    }
    assert list(status) == list(status.values())


def test_a_clump_is_unlike_the_others_where_the_blur_varies():
    """A bead as wide as those at the other side is odd here, and no one else is."""
    image = gaussians([])
    places = lattice()
    for index, (y, x) in enumerate(places):
        width = 1.2 + 1.2 * (200 - x if index == 10 else x) / 200
        image += gaussians([(y, x)], deviation=width, noise=0) - 100
    beads = find_beads(image, window=21)
    odd = beads[beads["status"] == "unlike the others"]
    np.testing.assert_allclose(odd[["y", "x"]], [places[10]], atol=0.2)
    assert (beads["status"] == "used").sum() == 24


def test_side_lobes_are_no_neighbours():
    """Comatic PSFs a thousand times as bright as the noise show lobes of their own."""
    field = draw_bead_field(shape=(600, 600), n_beads=40, crowded=0, peak_snr=1000, seed=2)
    beads = find_beads(field.image)
    _, row = nearest(field, beads)
    assert (beads["status"].to_numpy()[row] == "used")[field.isolated].mean() > 0.9
    assert len(beads) < 1.1 * len(field.positions)


def test_statuses_do_not_depend_on_unit_or_orientation():
    image = gaussians([*lattice(), (28.0, 112.0), (6.0, 46.0)])
    beads = find_beads(image)
    scaled = find_beads(3.7 * image - 50)
    assert list(scaled["status"]) == list(beads["status"])
    np.testing.assert_allclose(scaled["snr"], beads["snr"], rtol=1e-3)
    turned = find_beads(image.T).sort_values(["x", "y"])
    beads = beads.sort_values(["y", "x"])
    np.testing.assert_allclose(turned["y"], beads["x"], atol=0.01)
    assert list(turned["status"]) == list(beads["status"])


def test_beads_far_larger_than_a_pixel_are_found():
    image = gaussians(lattice(2, 90.0, 50.0), deviation=7.0)
    beads = find_beads(image, window=61)
    assert list(beads["status"]) == 4 * ["used"]
    np.testing.assert_allclose(beads["fwhm"], 7 * 2.355, rtol=0.05)


def test_saturation_is_told_by_a_pile_of_pixels():
    image = gaussians(lattice()).round()
    assert saturation_level(image) == np.inf
    assert saturation_level(image.clip(None, 250)) == 250
    assert saturation_level(np.full((9, 9), 3.0)) == np.inf
    assert saturation_level(np.random.default_rng(0).poisson(2, (100, 100)).clip(0, 6)) == np.inf


def test_given_saturation_counts():
    image = gaussians([(60, 60), (140, 140)])
    image += gaussians([(60, 60)], peak=100, noise=0) - 100
    beads = find_beads(image, saturation=350).sort_values("y")
    assert list(beads["status"]) == ["saturated", "used"]


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (np.zeros((2, 9, 9)), {}, ImageError, r"one plane of beads .* \(2, 9, 9\)"),
        (np.full((9, 9), np.nan), {}, ImageError, "holds data"),
        (np.zeros((9, 9)), {"window": 30}, ValueError, "odd .* got 30"),
        (np.zeros((9, 9)), {"positions": [(1, 2, 3)]}, ValueError, r"shape \(n, 2\)"),
        (np.zeros((9, 9)), {"positions": [(1, np.nan)]}, ValueError, "finite positions"),
    ],
)
def test_bad_input_is_refused(image, options, error, message):
    with pytest.raises(error, match=message):
        find_beads(image, **options)


def test_chosen_window_grows_with_the_beads_and_shrinks_with_their_density():
    sparse = choose_window(BeadScene.of(gaussians(lattice())))
    large = choose_window(BeadScene.of(gaussians(lattice(2, 90.0, 50.0), deviation=3.5)))
    rng = np.random.default_rng(0)
    dense = choose_window(BeadScene.of(gaussians(rng.uniform(0, 200, (250, 2)))))
    assert 9 <= dense < sparse < large <= 63
    assert all(window % 2 for window in (sparse, large, dense))
    assert 9 <= choose_window(BeadScene.of(np.zeros((40, 40)))) <= 63
    assert choose_window(BeadScene.of(np.zeros((12, 12)))) == 9


def test_centre_follows_a_moved_bead_and_ignores_a_constant():
    rng = np.random.default_rng(0)
    shifts = rng.uniform(-2, 2, (20, 2))
    beads = np.stack([gaussians([shift + 15], shape=(31, 31), noise=0) for shift in shifts])
    np.testing.assert_allclose(centres(beads - 100.0, 2.0), shifts, atol=1e-3)
    np.testing.assert_allclose(centres(beads - 95.0, 1.5), shifts, atol=0.02)


def test_shape_of_an_elliptical_gaussian():
    impulse = np.zeros((1, 41, 41))
    impulse[0, 20, 20] = 1
    beads = gaussian_filter(impulse, (0, 2, 4), truncate=8)
    fwhm, ellipticity = shapes(beads, np.zeros((1, 2)), 2.5)
    assert fwhm == pytest.approx(2.3548 * np.sqrt(8), rel=1e-3)
    assert ellipticity == pytest.approx(0.5, abs=1e-3)


def test_prediction_of_a_bead_that_was_left_out():
    """A smooth field of rank 2 is predicted exactly, whatever the bead itself looks like."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, (60, 2))
    base = rng.normal(size=(2, 5, 5))
    truth = base[0] + (places[:, :1, None] ** 2 - places[:, 1:, None]) * base[1]
    spoiled = truth.copy()
    spoiled[7] += 100
    weights = np.ones(60)
    weights[7] = 0
    np.testing.assert_allclose(smooth_prediction(spoiled, places, weights), truth, atol=1e-8)
