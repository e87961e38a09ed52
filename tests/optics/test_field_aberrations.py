"""The simulated microscope whose aberrations change over the field: closed forms, symmetries."""

import pytest
import torch
from pydantic import ValidationError

from napari_deepblur.optics.field_aberrations import FieldVaryingMicroscope
from napari_deepblur.optics.pupil import Pupil

MODES = (4, 5, 6, 7, 8, 9, 10, 11)
WINDOW = 21


@pytest.fixture(scope="module")
def microscope():
    return FieldVaryingMicroscope(window=WINDOW)


def adjusted(**changes):
    """One adjustment, by default perfect."""
    names = ("axis_y", "axis_x", "curvature", "astigmatism", "coma", "tilt_y", "tilt_x")
    state = dict.fromkeys((*names, *(f"Z{mode}" for mode in MODES)), 0.0) | changes
    return {name: torch.tensor(float(value)) for name, value in state.items()}


def at(*places):
    return torch.tensor([[float(y), float(x)] for y, x in places])


def pupil_psf(microscope, **gamma):
    waves = torch.tensor([gamma.get(f"Z{mode}", 0.0) for mode in MODES])
    return Pupil(MODES, cutoff=microscope.optics.cutoff, window=microscope.window).psf(waves)


def assert_same(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_drawn_adjustments_lie_in_their_ranges(microscope):
    states = microscope.draw(400, seed=0)
    assert {"axis_y", "curvature", "coma", "tilt_x", "Z4", "Z11"} <= set(states)
    low, high = microscope.coma_waves
    assert low <= float(states["coma"].min()) < 0.9 * low
    assert high >= float(states["coma"].max()) > 0.9 * high
    assert torch.equal(microscope.draw(400, seed=0)["coma"], states["coma"])
    assert not torch.equal(microscope.draw(400, seed=1)["coma"], states["coma"])


def test_psfs_are_psfs(microscope):
    states = microscope.draw(3, seed=0)
    places = torch.cartesian_prod(*(torch.tensor([-1.0, 0.3, 1.0]),) * 2)
    for index in range(3):
        psfs = microscope.psfs({name: v[index] for name, v in states.items()}, places)
        assert psfs.shape == (9, WINDOW, WINDOW)
        assert float(psfs.min()) >= 0
        torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(9))
        assert float((psfs - psfs[4]).abs().max()) > 1e-3


def test_a_perfect_microscope_has_one_psf(microscope):
    psfs = microscope.psfs(adjusted(), at((0, 0), (1, -1), (-0.3, 0.9)))
    for psf in psfs:
        assert_same(psf, pupil_psf(microscope))


def test_what_is_the_same_over_the_field(microscope):
    psfs = microscope.psfs(adjusted(Z9=0.05, Z4=-0.03), at((0, 0), (1, -1)))
    for psf in psfs:
        assert_same(psf, pupil_psf(microscope, Z9=0.05, Z4=-0.03))


def test_curvature_is_defocus_by_the_squared_distance(microscope):
    state = adjusted(curvature=0.06, axis_y=0.1, axis_x=-0.2)
    for y, x in ((0.1, -0.2), (0.1, 0.8), (-0.9, -0.7)):
        (psf,) = microscope.psfs(state, at((y, x)))
        waves = 0.06 * ((y - 0.1) ** 2 + (x + 0.2) ** 2)
        assert_same(psf, pupil_psf(microscope, Z4=waves))


@pytest.mark.parametrize(
    ("place", "gamma"),
    [
        ((0, 0), {}),
        ((0, 1), {"Z6": 0.05}),
        ((1, 0), {"Z6": -0.05}),
        ((-(0.5**0.5), -(0.5**0.5)), {"Z5": 0.05}),
        ((0.5**0.5, -(0.5**0.5)), {"Z5": -0.05}),
        ((0, 0.5), {"Z6": 0.0125}),
    ],
)
def test_astigmatism_turns_with_the_place(microscope, place, gamma):
    """Shack & Thompson: W = √6 · a · (2 (H · ρ)² − |H|² |ρ|²)."""
    (psf,) = microscope.psfs(adjusted(astigmatism=0.05), at(place))
    assert_same(psf, pupil_psf(microscope, **gamma))


@pytest.mark.parametrize(
    ("place", "gamma"),
    [((0, 1), {"Z8": 0.05}), ((1, 0), {"Z7": 0.05}), ((-0.5, 0.4), {"Z7": -0.025, "Z8": 0.02})],
)
def test_coma_points_away_from_the_axis(microscope, place, gamma):
    (psf,) = microscope.psfs(adjusted(coma=0.05), at(place))
    assert_same(psf, pupil_psf(microscope, **gamma))


def test_a_tilted_specimen_goes_out_of_focus_on_both_sides(microscope):
    state = adjusted(tilt_y=0.04, tilt_x=-0.06)
    for y, x in ((1, 0), (0, 1), (-0.5, -0.5)):
        (psf,) = microscope.psfs(state, at((y, x)))
        assert_same(psf, pupil_psf(microscope, Z4=0.04 * y - 0.06 * x))


def test_a_centred_field_has_the_symmetries_of_the_square(microscope):
    """Whatever grows with the distance from the axis turns and flips with the place."""
    state = adjusted(curvature=0.06, astigmatism=0.05, coma=-0.06, Z11=0.04)
    y, x = 0.7, -0.4
    psfs = microscope.psfs(state, at((y, x), (-y, x), (y, -x), (x, y), (-y, -x)))
    assert_same(psfs[1], psfs[0].flip(0))
    assert_same(psfs[2], psfs[0].flip(1))
    assert_same(psfs[3], psfs[0].T)
    assert_same(psfs[4], psfs[0].flip(0, 1))
    assert float((psfs[0] - psfs[0].T).abs().max()) > 1e-3


def test_a_shifted_axis_shifts_the_field(microscope):
    faults = {"curvature": 0.06, "astigmatism": -0.05, "coma": 0.06}
    shifted = adjusted(**faults, axis_y=0.3, axis_x=-0.2)
    places = at((0.6, 0.5), (-0.8, 0.1))
    expected = microscope.psfs(adjusted(**faults), places - torch.tensor([0.3, -0.2]))
    assert_same(microscope.psfs(shifted, places), expected)


def test_unknown_parameters_are_refused():
    with pytest.raises(ValidationError, match="coma"):
        FieldVaryingMicroscope(coma=0.1)
