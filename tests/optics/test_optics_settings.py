"""Microscope settings: what is accepted, what is refused and in which words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_deepblur import Optics
from napari_deepblur.errors import SamplingError
from napari_deepblur.optics.settings import Sampling

OIL = {"numerical_aperture": 1.4, "wavelength_um": 0.52, "pixel_size_um": 0.065}


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"wavelength_um": 520}, r"micrometres.*0\.52"),
        ({"wavelength_um": 0.02}, r"between 0\.2 and 2"),
        ({"wavelength_um": -0.5}, r"between 0\.2 and 2"),
        ({"wavelength_um": math.nan}, r"between 0\.2 and 2"),
        ({"pixel_size_um": 0}, "positive"),
        ({"pixel_size_um": -0.1}, "positive"),
        ({"pixel_size_um": math.inf}, "positive"),
        ({"numerical_aperture": 0}, "between 0 and 2"),
        ({"numerical_aperture": 65}, "between 0 and 2"),
        ({"numerical_aperture": 1.518}, r"1\.518.*must be smaller than.*1\.518"),
        ({"refractive_index": 1.0}, r"1\.4.*must be smaller than refractive_index \(1\)"),
        ({"refractive_index": 0.9}, "between 1 and 3"),
        ({"magnification": 60}, "magnification"),
    ],
)
def test_refused(changes, fragment):
    with pytest.raises(ValidationError, match=fragment):
        Optics(**(OIL | changes))


@pytest.mark.parametrize("missing", OIL)
def test_nothing_is_guessed(missing):
    with pytest.raises(ValidationError, match=missing):
        Optics(**{name: value for name, value in OIL.items() if name != missing})


def test_cutoff_in_cycles_per_pixel():
    assert Optics(**OIL).cutoff == pytest.approx(1.4 * 0.065 / 0.52)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Optics(**OIL).wavelength_um = 0.6


@given(cutoff=st.floats(0.001, 1.5))
def test_a_sampling_without_blur_is_refused_a_coarse_one_warned_of(cutoff):
    optics = Optics(
        numerical_aperture=1.2, wavelength_um=0.5, pixel_size_um=cutoff * 0.5 / 1.2,
        refractive_index=1.33,
    )  # fmt: skip
    if optics.cutoff < 0.02:
        with pytest.raises(SamplingError, match=r"finer.*check the unit.*bin the image"):
            optics.require_resolved_blur()
    elif optics.cutoff > 0.5:
        with pytest.raises(SamplingError, match="larger than the optical blur"):
            optics.require_resolved_blur()
    else:
        optics.require_resolved_blur()
        coarse = optics.cutoff > 0.3
        assert optics.sampling is (Sampling.UNDERSAMPLED if coarse else Sampling.WELL_SAMPLED)
        assert optics.sampling_text.startswith(optics.sampling)


def test_the_refusal_names_the_limit():
    optics = Optics(numerical_aperture=1.2, wavelength_um=0.455, pixel_size_um=0.512)
    with pytest.raises(SamplingError, match=r"0\.512 µm.*0\.19 µm.*units"):
        optics.require_resolved_blur()


@pytest.mark.parametrize(
    ("cutoff", "coarsest", "suits"),
    [(0.62, 0.9, True), (0.9000000001, 0.9, True), (0.4, 0.9, True), (0.95, 0.9, False),
     (0.2, 0.9, False), (0.4, 0.5, False), (0.62, 0.5, False)],
)  # fmt: skip
def test_coarse_pixels_suit_a_wide_blur(cutoff, coarsest, suits):
    optics = Optics(
        numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=cutoff * 0.52 / 0.8,
        refractive_index=1.333,
    )  # fmt: skip
    assert optics.suits_wide_blur(coarsest) is suits
    if cutoff < coarsest + 0.01:
        optics.require_resolved_blur(coarsest)
    else:
        with pytest.raises(SamplingError, match="no blur left") as caught:
            optics.require_resolved_blur(coarsest)
        assert ("A light sheet may blur" in str(caught.value)) is (cutoff < 0.9)
