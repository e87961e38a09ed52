import numpy as np
import pytest

from napari_deepblur.calibration.fit.spline import FieldSpline

PLACES = np.random.default_rng(0).uniform(-1, 1, (40, 2))
ELSEWHERE = np.random.default_rng(1).uniform(-1, 1, (9, 2))


def value_at(spline, values, factors, places):
    return spline.basis_at(places) @ (factors[:, None] * spline.coordinates(values))


def smooth(places):
    y, x = np.asarray(places).T
    return np.stack([np.sin(2 * y) + x, y * x], 1)


def test_without_noise_it_passes_through_all_values():
    spline = FieldSpline(PLACES, np.zeros(40))
    values = np.random.default_rng(2).standard_normal((40, 2))
    (factors,) = spline.factors()
    np.testing.assert_allclose(value_at(spline, values, factors, PLACES), values, atol=1e-8)


def test_interpolation_is_that_of_scipy():
    from scipy.interpolate import RBFInterpolator

    spline = FieldSpline(PLACES, np.zeros(40))
    found = value_at(spline, smooth(PLACES), spline.factors()[0], ELSEWHERE)
    expected = RBFInterpolator(PLACES, smooth(PLACES), kernel="thin_plate_spline")(ELSEWHERE)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_planes_are_free_at_every_smoothing():
    spline = FieldSpline(PLACES, np.random.default_rng(2).uniform(0.5, 2, 40))
    planes = 1 + PLACES @ [[2.0, -1], [0, 3]]
    for factors in spline.factors():
        np.testing.assert_allclose(
            value_at(spline, planes, factors, ELSEWHERE),
            1 + ELSEWHERE @ [[2.0, -1], [0, 3]],
            atol=1e-8,
        )


def test_smoothing_goes_from_all_values_to_a_plane():
    spline = FieldSpline(PLACES, np.ones(40))
    effective = spline.factors().sum(1)
    assert effective[0] > 35
    assert effective[-1] == pytest.approx(3, abs=0.2)
    assert (np.diff(effective) < 0).all()


def test_left_out_is_a_spline_without_the_place():
    variance = np.random.default_rng(2).uniform(0.5, 2, 12)
    places, values = PLACES[:12], np.random.default_rng(2).standard_normal((12, 2))
    spline = FieldSpline(places, variance)
    factors = spline.factors()[6]
    fast = spline.left_out(values, spline.coordinates(values), factors, slice(None))
    for one in range(12):
        # The value that changes nothing is the one that all others predict.
        changed = values.copy()
        changed[one] = fast[one]
        there = value_at(spline, changed, factors, places[one : one + 1])
        np.testing.assert_allclose(there[0], fast[one], atol=1e-8)


@pytest.mark.parametrize(
    "places",
    [
        np.zeros((1, 2)),
        np.array([[0.0, 0], [1, 1]]),
        np.zeros((6, 2)),
        np.linspace(-1, 1, 8)[:, None] * [1.0, 0.5],
        np.repeat(PLACES[:5], 3, axis=0),
    ],
    ids=["one", "two", "all at one place", "in a line", "thrice each"],
)
def test_awkward_places(places):
    spline = FieldSpline(places, np.ones(len(places)))
    values = np.full((len(places), 1), 3.0)
    for factors in spline.factors():
        found = value_at(spline, values, factors, places)
        np.testing.assert_allclose(found, values, atol=1e-6)
        assert np.isfinite(value_at(spline, values, factors, ELSEWHERE)).all()


def test_many_places_share_their_knots():
    places = np.random.default_rng(2).uniform(-1, 1, (2000, 2))
    spline = FieldSpline(places, np.ones(2000))
    found = value_at(spline, smooth(places), spline.factors()[0], ELSEWHERE)
    np.testing.assert_allclose(found, smooth(ELSEWHERE), atol=0.01)
