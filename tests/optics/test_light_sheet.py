"""The simulated light-sheet microscope: limits, closed forms, symmetries."""

import math

import pytest
import torch
from pydantic import ValidationError

from napari_deepblur.optics.light_sheet import LightSheetMicroscope
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import Optics

MODES = (5, 6, 7, 8, 11)
WINDOW = 21
OPTICS = {"numerical_aperture": 0.8, "wavelength_um": 0.52, "refractive_index": 1.333}


@pytest.fixture(scope="module")
def microscope():
    return LightSheetMicroscope(window=WINDOW)


def adjusted(**changes):
    """One adjustment; by default a sheet in focus, hardly any thickness, no other fault."""
    names = ("waist_position", "tilt_x_degrees", "tilt_y_degrees", "offset_um", "depth_um",
             "slope", "spread_mrad", "Z5", "Z6", "Z7", "Z8", "Z5_per_100_um", "Z6_per_100_um",
             "Z7_per_100_um", "Z8_per_100_um")  # fmt: skip
    state = dict.fromkeys(names, 0.0) | {"waist_um": 1e-4} | changes
    return {name: torch.tensor(float(value)) for name, value in state.items()}


def at(*places):
    return torch.tensor([[float(y), float(x)] for y, x in places])


def detection(microscope, *, depth_um=0.0, **gamma):
    """PSF of the objective alone."""
    pupil = Pupil(
        MODES, cutoff=microscope.optics.cutoff, window=microscope.window, optics=microscope.optics
    )
    waves = torch.tensor([gamma.get(f"Z{mode}", 0.0) for mode in MODES])
    return pupil.psf(waves, defocus_um=torch.tensor(depth_um))


def test_drawn_adjustments_lie_in_their_ranges(microscope):
    states = microscope.draw(400, seed=0)
    ranges = {
        "waist_um": microscope.waist_um,
        "tilt_y_degrees": microscope.tilt_degrees,
        "Z7": microscope.aberration_waves,
        "depth_um": microscope.depth_um,
    }
    for name, (low, high) in ranges.items():
        values = states[name]
        assert values.shape == (400,)
        assert low <= float(values.min()) < low + 0.05 * (high - low)
        assert high >= float(values.max()) > high - 0.05 * (high - low)
    again, other = microscope.draw(400, seed=0), microscope.draw(400, seed=1)
    for name, values in states.items():
        assert torch.equal(again[name], values)
        varies = not name.endswith("_per_100_um")  # which are 0 by default
        assert torch.equal(other[name], values) is not varies


def test_psfs_are_psfs(microscope):
    states = microscope.draw(3, seed=0)
    places = torch.cartesian_prod(*(torch.tensor([-1.0, 0.3, 1.0]),) * 2)
    for index in range(3):
        psfs = microscope.psfs({name: v[index] for name, v in states.items()}, places)
        assert psfs.shape == (9, WINDOW, WINDOW)
        assert float(psfs.min()) >= 0
        torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(9))
        assert float((psfs - psfs[4]).abs().max()) > 1e-3  # and vary over the field


@pytest.mark.parametrize("offset_um", [0.0, 1.5, -1.5])
def test_a_sheet_without_thickness_shows_one_plane(microscope, offset_um):
    state = adjusted(waist_position=0.3, offset_um=offset_um, Z7=0.05)
    (psf,) = microscope.psfs(state, at((0.5, 0.3)))
    expected = detection(microscope, depth_um=offset_um, Z7=0.05)
    torch.testing.assert_close(psf, expected, rtol=0, atol=1e-5)


def test_a_thick_sheet_is_the_mean_over_its_profile(microscope):
    """Against a far finer sum over exp(-2 z² / w²)."""
    (psf,) = microscope.psfs(adjusted(waist_um=2.5), at((0, 0)))
    depths = torch.linspace(-4, 4, 161)
    weights = torch.exp(-2 * depths.square() / 2.5**2)
    planes = torch.stack([detection(microscope, depth_um=depth) for depth in depths.tolist()])
    expected = torch.einsum("d,dyx->yx", weights / weights.sum(), planes)
    assert float((psf - expected).norm() / expected.norm()) < 0.02


def test_the_sheet_is_thickest_away_from_its_waist(microscope):
    state = adjusted(waist_um=1.0, waist_position=-0.2)
    psfs = microscope.psfs(state, at((0, -0.2), (0, 0.2), (0, 0.6), (0, 1)))
    peaks = psfs.amax((-2, -1))
    assert torch.equal(peaks, peaks.sort(descending=True).values)
    assert float(peaks[-1]) < 0.7 * float(peaks[0])


def test_at_the_rayleigh_length_it_is_thicker_by_the_root_of_two(microscope):
    """Siegman, Lasers, eq. 17.1: w(x) = w₀ √(1 + (x / x_R)²), x_R = π w₀² n / λ."""
    waist = 1.6
    rayleigh = math.pi * waist**2 * microscope.optics.refractive_index / 0.488
    away = rayleigh / (microscope.field_um / 2)
    (there,) = microscope.psfs(adjusted(waist_um=waist), at((0, away)))
    (thick,) = microscope.psfs(adjusted(waist_um=math.sqrt(2) * waist), at((0, 0)))
    torch.testing.assert_close(there, thick, rtol=0, atol=1e-6)


def test_scattering_spreads_the_sheet_along_its_path(microscope):
    # Half the field lies behind: 50 µm times 0.04 rad.
    (there,) = microscope.psfs(adjusted(waist_um=1.5, spread_mrad=40), at((0, 0)))
    (thick,) = microscope.psfs(adjusted(waist_um=math.hypot(1.5, 2.0)), at((0, 0)))
    torch.testing.assert_close(there, thick, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("axis", "place"), [("x", (0.3, 0.8)), ("y", (-0.6, 0.0))])
def test_tilt_moves_the_focus_over_the_field(microscope, axis, place):
    state = adjusted(waist_position=place[1], **{f"tilt_{axis}_degrees": 2})
    (psf,) = microscope.psfs(state, at(place))
    away_um = {"y": place[0], "x": place[1]}[axis] * microscope.field_um / 2
    expected = detection(microscope, depth_um=away_um * math.tan(math.radians(2)))
    torch.testing.assert_close(psf, expected, rtol=0, atol=1e-5)


def test_depth_adds_spherical_aberration(microscope):
    # Where the sheet enters nothing is scattered; the depth is 60 · (1 + 0.5 · 0.4) µm.
    state = adjusted(depth_um=60, slope=0.5, waist_position=-1)
    (psf,) = microscope.psfs(state, at((0.4, -1)))
    torch.testing.assert_close(psf, detection(microscope, Z11=0.072), rtol=0, atol=1e-5)


def test_scattered_light_makes_a_halo():
    bare, hazy = (LightSheetMicroscope(window=41, halo=halo) for halo in (0.0, 0.3))
    state = adjusted(waist_um=1.5, depth_um=80)
    sharp, seen = (one.psfs(state, at((0, 0.5)))[0] for one in (bare, hazy))
    share = 0.3 * 0.8 * 0.75
    axis = (torch.arange(41) - 20) * hazy.optics.pixel_size_um
    halo = torch.exp(-(axis[:, None].square() + axis.square()) / 2)
    expected = (1 - share) * sharp + share * halo / halo.sum()
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-6)


def test_a_symmetric_adjustment_gives_a_symmetric_field():
    microscope = LightSheetMicroscope(window=WINDOW, halo=0)
    state = adjusted(waist_um=1.2, depth_um=50)
    places = at((0.5, 0.7), (0.5, -0.7), (-0.5, 0.7))
    psfs = microscope.psfs(state, places)
    for other in psfs[1:]:
        torch.testing.assert_close(other, psfs[0], rtol=0, atol=1e-6)
    for turned in (psfs[0].flip(0), psfs[0].flip(1), psfs[0].T):
        torch.testing.assert_close(turned, psfs[0], rtol=0, atol=1e-6)


def test_unknown_parameters_are_refused():
    with pytest.raises(ValidationError, match="waist"):
        LightSheetMicroscope(waist=2.0)


def test_depth_adds_the_aberrations_of_the_sample():
    microscope = LightSheetMicroscope(window=WINDOW, spherical_per_100_um=0)
    state = adjusted(depth_um=50, Z6=0.02, Z6_per_100_um=0.1, waist_position=-1)
    (psf,) = microscope.psfs(state, at((0, -1)))
    torch.testing.assert_close(psf, detection(microscope, Z6=0.07), rtol=0, atol=1e-5)


def test_pixels_collect_light_over_their_area():
    """A pixel's mean over its area, from a microscope with three times finer pixels."""
    fine = LightSheetMicroscope(
        window=125, optics=Optics(**OPTICS | {"pixel_size_um": 0.1625 / 3}), halo=0
    )
    camera = LightSheetMicroscope(window=41, halo=0, pixel_area=True)
    state = adjusted(waist_um=2.0)
    points = fine.psfs(state, at((0, 0)))[0, 1:-1, 1:-1]
    binned = points.unfold(0, 3, 3).unfold(1, 3, 3).sum((-2, -1))
    (seen,) = camera.psfs(state, at((0, 0)))
    assert float((seen - binned / binned.sum()).norm() / seen.norm()) < 0.05
    bare = LightSheetMicroscope(window=41, halo=0).psfs(state, at((0, 0)))[0]
    assert float((bare - seen).norm() / seen.norm()) > 0.05
