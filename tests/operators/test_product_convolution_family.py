"""Families that vary over the field: coordinates, sums, parts of the field, other pixels."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.families import varying_family
from napari_deepblur import Optics
from napari_deepblur.operators import (
    Box,
    ConvexHull,
    ProductConvolution,
    ProductConvolutionFamily,
    ZernikeFamily,
)
from napari_deepblur.operators.family_file import read_family, write_family
from napari_deepblur.operators.product_convolution_family import (
    interpolate_maps,
)
from napari_deepblur.optics.field import to_field

WHOLE = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])


@pytest.fixture(scope="module")
def family():
    return varying_family()


@pytest.fixture(scope="module")
def gamma(family):
    return family.admissible_set.sample(3, seed=0)


def even_places(n):
    return torch.cartesian_prod(*(torch.linspace(-1, 1, n),) * 2)


def test_what_it_is(family):
    assert (family.n_coefficients, family.cutoff, family.varies) == (6, 0.25, True)
    assert family.coefficient_names == ("γ0", "γ1", "γ2", "γ3", "γ4", "γ5")
    assert family.unit == "dimensionless"


def test_psfs_have_sum_one_everywhere(family, gamma):
    psfs = family.psf_at(gamma, even_places(9))
    assert psfs.shape == (3, 81, 31, 31)
    torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(3, 81), rtol=0, atol=1e-5)
    assert float((psfs - psfs[:, :1]).abs().max()) > 0.05  # and they differ
    torch.testing.assert_close(family.psf(gamma), family.psf_at(gamma, torch.zeros(1, 2))[:, 0])
    assert family.psf(gamma[0]).shape == (31, 31)


def test_the_basis_at_the_nodes_is_the_maps(family):
    basis = family.basis(even_places(5)).reshape(5, 5, 6, 3)
    torch.testing.assert_close(basis.permute(2, 3, 0, 1), family.maps, rtol=0, atol=1e-6)


def test_between_nodes_maps_are_interpolated():
    places, dense = even_places(17), even_places(65)
    rows, columns = ((2 * part[:, 0] + 0.7 * part[:, 1]).cos() for part in (places, dense))
    interpolated = interpolate_maps(rows.reshape(1, 1, 17, 17), dense)[:, 0, 0]
    torch.testing.assert_close(interpolated, columns, rtol=0, atol=0.03)
    assert float((interpolated - columns).square().mean().sqrt()) < 0.01


def test_a_constant_map_is_constant_beyond_the_field_too():
    values = interpolate_maps(torch.full((1, 1, 5, 5), 3.0), 1.4 * even_places(7))
    torch.testing.assert_close(values, torch.full((49, 1, 1), 3.0))


@pytest.mark.parametrize("position", [(0, 0), (7, 30), (19, 12), (11, 39)])
def test_the_operators_psf_is_that_of_the_place(family, gamma, position):
    operator = family.operator(gamma, (20, 40))
    assert isinstance(operator, ProductConvolution)
    assert operator.range_shape == (20, 40)
    place = torch.from_numpy(to_field([position], (20, 40))).float()
    torch.testing.assert_close(
        operator.psf(position), family.psf_at(gamma, place)[:, 0], rtol=0, atol=1e-6
    )


def test_the_operator_in_the_whole_field_is_the_operator(family, gamma):
    whole = family.operator_in(gamma, (24, 30), WHOLE)
    torch.testing.assert_close(whole.weight_maps, family.operator(gamma, (24, 30)).weight_maps)


def test_the_operator_in_a_part_of_the_field_is_the_wholes_there(family, gamma):
    whole = family.operator(gamma, (60, 80))
    # Rows 20 … 49 and columns 16 … 55 of 60 × 80.
    region = torch.tensor([[20 / 30 - 1, 16 / 40 - 1], [50 / 30 - 1, 56 / 40 - 1]])
    part = family.operator_in(gamma, (30, 40), region)
    rows, columns = slice(20, 20 + 30 + 30), slice(16, 16 + 40 + 30)
    torch.testing.assert_close(
        part.weight_maps, whole.weight_maps[..., rows, columns], rtol=0, atol=1e-5
    )


def test_one_blur_or_many(family, gamma):
    alone = family.operator(gamma[1], (16, 18)).weight_maps
    assert alone.shape == (3, 16 + 30, 18 + 30)
    torch.testing.assert_close(family.operator(gamma, (16, 18)).weight_maps[1], alone)


@pytest.mark.parametrize("cutoff", [0.1, 0.15, 0.2, 0.3, 0.35, 0.45, 0.5])
def test_other_pixels_show_the_same_psfs(family, gamma, cutoff):
    """The eigen-PSFs are those of pupils, which tell themselves what other pixels see."""
    other = family.at_cutoff(cutoff)
    assert other.cutoff == cutoff
    assert other.pixel_size_um == pytest.approx(0.1 * cutoff / 0.25)
    assert other.coefficient_names == family.coefficient_names
    places = even_places(3)
    psfs = other.psf_at(gamma, places)
    torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(3, 9), rtol=0, atol=1e-4)
    pupil = ZernikeFamily(cutoff=cutoff)
    aberrations = torch.zeros(3, 7)
    aberrations[1, 0], aberrations[2, 3] = 0.14, 0.12
    exact = torch.einsum("nmk,kyx->nmyx", family.weights(gamma, places), pupil.psf(aberrations))
    psfs, exact = cut_alike(psfs, exact)
    error = (psfs - exact).square().sum((-2, -1)) / exact.square().sum((-2, -1))
    assert float(10 * error.max().log10()) < -38


@pytest.mark.parametrize("cutoff", [0.05, 0.125, 0.22])
def test_a_family_of_any_pixels_at_the_canonical_ones(gamma, cutoff):
    """Such as beads give, on a camera of very fine pixels."""
    pupil = ZernikeFamily(cutoff=cutoff)
    aberrations = torch.zeros(3, 7)
    aberrations[1, 0], aberrations[2, 3] = 0.14, 0.12
    canonical = varying_family()
    own = ProductConvolutionFamily(
        pupil.psf(aberrations), canonical.maps, canonical.admissible_set,
        cutoff=cutoff, pixel_size_um=0.02,
    )  # fmt: skip
    psfs, expected = cut_alike(
        own.at_cutoff(0.25).psf_at(gamma, even_places(3)), canonical.psf_at(gamma, even_places(3))
    )
    error = (psfs - expected).square().sum((-2, -1)) / expected.square().sum((-2, -1))
    assert float(10 * error.max().log10()) < -38


def test_finer_pixels_and_back(family, gamma):
    back = family.at_cutoff(0.14).at_cutoff(0.25)
    assert back.cutoff == 0.25
    assert back.eigen_psfs.shape == family.eigen_psfs.shape
    psfs, before = (one.psf_at(gamma, even_places(3)) for one in (back, family))
    torch.testing.assert_close(psfs, before, rtol=0, atol=2e-3)
    torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(3, 9), rtol=0, atol=1e-4)


def test_eigen_psfs_whose_own_sum_is_zero_keep_it(family):
    mean = family.eigen_psfs.mean(0)
    psfs = torch.stack([mean, family.eigen_psfs[1] - mean, family.eigen_psfs[2] - mean])
    other = ProductConvolutionFamily(
        psfs, family.maps, family.admissible_set, cutoff=0.25, pixel_size_um=0.1
    )
    for cutoff in (0.13, 0.33, 0.5):
        sums = other.at_cutoff(cutoff).eigen_psfs.sum((-2, -1))
        torch.testing.assert_close(sums, torch.tensor([1.0, 0, 0]), rtol=0, atol=1e-5)


def test_an_image_is_matched_by_its_optics_or_by_its_pixel_size(family):
    optics = Optics(numerical_aperture=1.2, wavelength_um=0.5, pixel_size_um=0.125)
    assert optics.cutoff == pytest.approx(0.3)
    assert family.pixel_ratio(optics) == pytest.approx(1.2)
    assert family.at_optics(optics).cutoff == pytest.approx(0.3)
    unknown = ProductConvolutionFamily(
        family.eigen_psfs, family.maps, family.admissible_set,
        cutoff=0.25, pixel_size_um=0.1, optics_known=False,
    )  # fmt: skip
    assert unknown.pixel_ratio(optics) == pytest.approx(1.25)
    matched = unknown.at_optics(optics)
    assert matched.pixel_size_um == pytest.approx(0.125)
    assert not matched.optics_known


def test_in_double_precision_too(family, gamma):
    double = varying_family().double()
    operator = double.operator(gamma.double(), (12, 14))
    sharp = torch.rand(3, *operator.domain_shape, dtype=torch.float64)
    single = family.operator(gamma, (12, 14))
    assert operator.forward(sharp).dtype == torch.float64
    torch.testing.assert_close(
        operator.forward(sharp).float(), single.forward(sharp.float()), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"maps": torch.ones(6, 2, 5, 5)}, r"P = 6 and K = 3, got shape \(6, 2, 5, 5\)"),
        ({"maps": torch.ones(6, 3, 5)}, r"got shape \(6, 3, 5\)"),
        ({"admissible_set": Box([0.0], [1.0])}, "P = 1"),
        ({"eigen_psfs": torch.ones(3, 30, 31)}, r"odd h and w, got shape \(3, 30, 31\)"),
        ({"eigen_psfs": torch.ones(31, 31)}, r"got shape \(31, 31\)"),
        ({"coefficient_names": ("a", "b")}, "6 coefficients need as many names, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(family, changes, fragment):
    parts = {
        "eigen_psfs": family.eigen_psfs,
        "maps": family.maps,
        "admissible_set": family.admissible_set,
    }
    with pytest.raises(ValueError, match=fragment):
        ProductConvolutionFamily(**(parts | changes), cutoff=0.25, pixel_size_um=0.1)


def test_any_admissible_set_will_do(family):
    for admissible in (ConvexHull(torch.eye(6)), Box([0.0] * 6, [1.0] * 6)):
        other = ProductConvolutionFamily(
            family.eigen_psfs, family.maps, admissible, cutoff=0.25, pixel_size_um=0.1
        )
        assert other.operator(admissible.sample(2, seed=0), (8, 8)).psf().shape == (2, 31, 31)


@given(n=st.integers(2, 6), zoom=st.floats(0.3, 2))
@settings(deadline=None, max_examples=15)
def test_sums_stay_one_at_any_pixels(family, n, zoom):
    gamma = family.admissible_set.vertices[:4]
    psfs = family.at_cutoff(0.25 * zoom).psf_at(gamma, even_places(n))
    torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(4, n**2), rtol=0, atol=1e-4)


def cut_alike(*images):
    """Centres of images, as large as the smallest."""
    side = min(image.shape[-1] for image in images)
    starts = [(image.shape[-1] - side) // 2 for image in images]
    return [
        image[..., start : start + side, start : start + side]
        for image, start in zip(images, starts, strict=True)
    ]


def gaussian(pixel, *, side):
    """A Gaussian of standard deviation 1.5, integrated over pixels of some size."""
    edges = pixel * (torch.arange(side + 1, dtype=torch.float64) - side / 2)
    profile = torch.erf(edges / (1.5 * 2**0.5)).diff() / 2
    return (profile[:, None] * profile).float()


@pytest.mark.parametrize("ratio", [0.5, 1.7, 3.0])
def test_pixels_of_any_size_collect_light_over_their_area(ratio):
    family = ProductConvolutionFamily(
        gaussian(1.0, side=31)[None], torch.ones(1, 1, 2, 2), ConvexHull([[1.0]]),
        cutoff=0.2, pixel_size_um=0.1, pixel_area=True,
    )  # fmt: skip
    psf = family.at_cutoff(0.2 * ratio).psf(torch.ones(1))
    expected = gaussian(ratio, side=psf.shape[-1])
    torch.testing.assert_close(psf, expected, rtol=0, atol=1e-4)
    assert torch.equal(family.at_cutoff(0.2).eigen_psfs, family.eigen_psfs)


def test_networks_may_see_coarser_pixels(tmp_path):
    own = varying_family()
    family = ProductConvolutionFamily(
        own.eigen_psfs, own.maps, own.admissible_set, cutoff=0.25, pixel_size_um=0.1,
        pixel_area=True, seen_at=0.6,
    )  # fmt: skip
    assert (own.seen_at, own.is_seen_coarser) == (0.25, False)
    write_family(tmp_path / "family.npz", family)
    read = read_family(tmp_path / "family.npz")
    assert (read.seen_at, read.pixel_area, read.at_cutoff(0.3).seen_at) == (0.6, True, 0.6)
    optics = Optics(numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.39)
    assert read.seen_ratio(optics) == pytest.approx(1)
    assert read.pixel_ratio(optics) == pytest.approx(2.4)
