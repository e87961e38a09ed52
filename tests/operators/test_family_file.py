"""Family files: read back as they were, or refused with one clear line."""

import numpy as np
import pytest
import torch

from helpers.families import varying_family
from napari_deepblur.errors import ModelError
from napari_deepblur.operators import Box, ConvexHull, ProductConvolutionFamily
from napari_deepblur.operators.family_file import read_family, write_family


@pytest.fixture(scope="module")
def family():
    return varying_family()


@pytest.fixture
def path(family, tmp_path):
    write_family(tmp_path / "family.npz", family)
    return tmp_path / "family.npz"


def rewrite(path, **changes):
    """The same file with other contents; None leaves one out."""
    with np.load(path) as file:
        content = dict(file)
    content = {name: value for name, value in (content | changes).items() if value is not None}
    np.savez(path, **content)


def assert_refused(path, fragment):
    with pytest.raises(ModelError, match=fragment) as caught:
        read_family(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_round_trip(tmp_path):
    family = varying_family()
    names = [f"mode {p}" for p in range(6)]
    written = ProductConvolutionFamily(
        family.eigen_psfs, family.maps, family.admissible_set,
        cutoff=0.21, pixel_size_um=0.08, optics_known=False, coefficient_names=names,
    )  # fmt: skip
    write_family(tmp_path / "family.npz", written)
    read = read_family(tmp_path / "family.npz")
    assert torch.equal(read.eigen_psfs, written.eigen_psfs)
    assert torch.equal(read.maps, written.maps)
    assert isinstance(read.admissible_set, ConvexHull)
    assert torch.equal(read.admissible_set.vertices, written.admissible_set.vertices)
    assert read.coefficient_names == tuple(names)
    assert (read.cutoff, read.pixel_size_um, read.optics_known) == (0.21, 0.08, False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["family.npz"]


def test_the_same_family_gives_the_same_bytes(family, tmp_path):
    for name in ("one", "two"):
        write_family(tmp_path / name, family)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_order_is_in_the_file(path):
    with np.load(path) as file:
        assert str(file["order"]) == "modulate-then-convolve"


def test_only_hulls_have_files(family, tmp_path):
    other = ProductConvolutionFamily(
        family.eigen_psfs, family.maps, Box([0.0] * 6, [1.0] * 6), cutoff=0.25, pixel_size_um=0.1
    )
    with pytest.raises(TypeError, match="ConvexHull have files, got Box"):
        write_family(tmp_path / "family.npz", other)
    assert not list(tmp_path.iterdir())


def test_another_order_is_refused(path):
    rewrite(path, order="convolve-then-modulate")
    assert_refused(path, "order 'convolve-then-modulate'.*'modulate-then-convolve' only")
    rewrite(path, order=None)
    assert_refused(path, "order 'None'")


def test_a_missing_file_is_told_how_to_get(tmp_path):
    assert_refused(tmp_path / "family.npz", "is missing: give the folder that `deepblur calibrate`")


@pytest.mark.parametrize("format_name", ["napari-deepblur family 2", "something", None])
def test_other_formats_are_refused(path, format_name):
    rewrite(path, format=format_name)
    assert_refused(path, "is not a file of 'napari-deepblur family 1'")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"PK\x03\x04 but nothing in it", b"\x80\x04\x95pickled"],
    ids=["empty", "text", "zip", "pickle"],
)
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    assert_refused(path, "is not a family file")


def test_a_single_array_is_refused(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert_refused(path, "is not a family file")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, kept):
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert_refused(path, "is not a family file")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.6])
def test_flipped_bits_are_noticed(path, share):
    content = bytearray(path.read_bytes())
    start = int(share * len(content))
    content[start : start + 64] = bytes(byte ^ 0xFF for byte in content[start : start + 64])
    path.write_bytes(bytes(content))
    assert_refused(path, "is not a family file|is damaged")


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"maps": None}, "is damaged: 'maps'"),
        ({"cutoff": None}, "is damaged: 'cutoff'"),
        ({"maps": np.ones((5, 3, 5, 5), np.float32)}, "is damaged: .*P = 6 and K = 3"),
        ({"eigen_psfs": np.ones((3, 30, 31), np.float32)}, "is damaged: .*odd"),
        ({"eigen_psfs": np.full((3, 31, 31), np.nan, np.float32)}, "is damaged: .*NaN"),
        ({"vertices": np.ones(6, np.float32)}, r"is damaged: .*\(V, P\)"),
        ({"cutoff": "wide"}, "is damaged: "),
        ({"coefficient_names": np.array(["a"])}, "is damaged: .*as many names"),
    ],
)
def test_damaged_contents_are_named(path, changes, fragment):
    rewrite(path, **changes)
    assert_refused(path, fragment)


def test_arrays_of_double_precision_are_read_in_single(path):
    with np.load(path) as file:
        doubled = {name: file[name].astype(float) for name in ("eigen_psfs", "maps", "vertices")}
    rewrite(path, **doubled)
    family = read_family(path)
    gamma = family.admissible_set.sample(1, seed=0)
    assert family.operator(gamma, (8, 8)).weight_maps.dtype == torch.float32


def test_objects_are_never_unpickled(path, tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    rewrite(path, maps=np.array([Trap()], dtype=object))
    assert_refused(path, "is not a family file")
    assert not (tmp_path / "sprung").exists()
