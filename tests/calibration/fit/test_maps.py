import numpy as np
import pytest

from napari_deepblur.calibration.fit.maps import fit_maps, nodes
from napari_deepblur.calibration.fit.spline import FieldSpline

PLACES = np.random.default_rng(1).uniform(-1, 1, (150, 2))


def smooth(places):
    y, x = places.T
    return np.stack([1 + y, np.cos(2 * x) * y], 1)


def fit(values, noise, groups=(0, 1)):
    spline = FieldSpline(PLACES, np.full(len(PLACES), noise**2))
    return fit_maps(spline, values, np.array(groups))


def test_nodes_reach_from_border_to_border():
    places = nodes(3)
    assert places.shape == (9, 2)
    assert places[0].tolist() == [-1, -1]
    assert places[5].tolist() == [0, 1]


def test_noise_is_smoothed_away():
    values = smooth(PLACES) + 0.2 * np.random.default_rng(2).standard_normal((150, 2))
    inside = 0.8 * nodes(9)
    error = fit(values, 0.2).at(inside) - smooth(inside)
    assert np.sqrt(np.mean(error**2)) < 0.07


def test_each_group_has_its_own_smoothing():
    rough = np.sin(9 * PLACES[:, :1] * PLACES[:, 1:])
    values = np.hstack([PLACES[:, :1], rough]) + 0.1 * np.random.default_rng(2).standard_normal(
        (150, 2)
    )
    apart = fit(values, 0.1).at(PLACES)
    together = fit(values, 0.1, groups=(0, 0)).at(PLACES)
    true = np.hstack([PLACES[:, :1], rough])
    assert np.square(apart - true)[:, 0].sum() < np.square(together - true)[:, 0].sum()


def test_noise_alone_becomes_nothing():
    values = np.random.default_rng(2).standard_normal((150, 60))
    maps = fit(values, 1.0, groups=[0] * 60)
    assert np.square(maps.at(PLACES)).mean() < 0.002


def test_a_constant_stays_constant():
    values = 5 + 0.1 * np.random.default_rng(2).standard_normal((150, 40))
    found = fit(values, 0.1, groups=[0] * 40).at(nodes(5))
    np.testing.assert_allclose(found, 5, atol=0.05)
    assert found.std(0).max() < 0.01


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_places_tell_no_slope(n):
    spline = FieldSpline(PLACES[:n], np.full(n, 1e-6))
    maps = fit_maps(spline, np.arange(1.0, n + 1)[:, None], np.zeros(1, int))
    np.testing.assert_allclose(maps.at(nodes(3)), (n + 1) / 2, rtol=1e-4)


def test_noisy_values_have_little_say():
    values, variance = smooth(PLACES), np.full(150, 1e-4)
    values[::3] += 5
    variance[::3] = 25
    spline = FieldSpline(PLACES, variance)
    found = fit_maps(spline, values, np.array([0, 1])).at(PLACES[1::3])
    np.testing.assert_allclose(found, smooth(PLACES[1::3]), atol=0.05)


def test_noise_power_is_that_of_repeated_measurements():
    places = nodes(6)
    found, told = [], []
    rng = np.random.default_rng(3)
    for _ in range(25):
        maps = fit(smooth(PLACES) + 0.3 * rng.standard_normal((150, 2)), 0.3)
        found.append(maps.at(places))
        told.append(maps.noise_power(places))
    measured = np.var(found, axis=0).sum()
    assert 0.6 < np.mean(told) / measured < 1.4
