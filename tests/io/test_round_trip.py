"""What is written is read back: pixels, axes, sizes."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_deepblur.io import Channel, ImageMetadata, Position, read_image, write_image

ENDINGS = [".tif", ".ome.tif", ".ome.zarr"]
AXES = ["YX", "ZYX", "TYX", "TZYX", "CYX", "TCZYX"]
FULL = ImageMetadata(
    pixel_sides_um=(0.1, 0.12),
    z_step_um=0.3,
    time_step_s=2.5,
    position=Position(z=1.5, y=20.0, x=-30.0),
    channels=(
        Channel(name="GFP", wavelength_um=0.52, excitation_um=0.488, colour=(0, 255, 0)),
        Channel(name="mCherry <2>", wavelength_um=0.61, excitation_um=0.56, colour=(255, 0, 1)),
    ),
    numerical_aperture=1.4,
    refractive_index=1.518,
    name="cell & neighbour",
    acquired="2024-05-01T12:00:00",
)
sizes_um = st.one_of(st.none(), st.floats(1e-3, 50, allow_nan=False))


@st.composite
def images(draw):
    axes = draw(st.sampled_from(AXES))
    shape = tuple(draw(st.integers(2, 3)) for _ in axes[:-2])
    plane = (draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    finite = st.floats(-1e6, 1e6, width=32, allow_nan=False)
    return axes, draw(npst.arrays(np.float32, shape + plane, elements=finite))


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=25, deadline=None)
@given(image=images(), pixel_size_um=sizes_um, z_step_um=sizes_um)
def test_round_trip(ending, image, pixel_size_um, z_step_um):
    axes, data = image
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"image{ending}"
        write_image(path, data, axes, pixel_size_um=pixel_size_um, z_step_um=z_step_um)
        back = read_image(path)
        np.testing.assert_array_equal(np.asarray(back.data), data)
        assert np.asarray(back.data).dtype == np.float32
    assert back.axes == axes
    assert back.metadata.pixel_size_um == pytest.approx(pixel_size_um)
    assert back.metadata.z_step_um == pytest.approx(z_step_um if "Z" in axes else None)


@pytest.mark.parametrize("ending", ENDINGS)
def test_channel_is_taken_out(tmp_path, ending):
    data = np.random.default_rng(0).random((3, 2, 8, 9), np.float32)
    path = tmp_path / f"image{ending}"
    write_image(path, data.swapaxes(0, 1), "CZYX")
    back = read_image(path, channel=1)
    assert back.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(back.data), data[:, 1])


def test_metadata_is_written(tmp_path):
    import tifffile
    import zarr

    data = np.ones((8, 8), np.float32)
    told = {"numerical_aperture": 1.4}
    write_image(tmp_path / "a.tif", data, "YX", provenance=told)
    write_image(tmp_path / "a.zarr", data, "YX", provenance=told)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_ome
        assert "numerical_aperture" in tiff.ome_metadata
    assert zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["napari_deepblur"] == told


def test_written_zarr_is_valid(tmp_path):
    import yaozarrs

    path = tmp_path / "a.ome.zarr"
    write_image(path, np.ones((3, 8, 8), np.float32), "ZYX", metadata=FULL)
    yaozarrs.validate_zarr_store(str(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_that_a_file_states_is_kept(tmp_path, ending):
    path = tmp_path / f"image{ending}"
    write_image(path, np.ones((2, 2, 3, 8, 9), np.float32), "TCZYX", metadata=FULL)
    assert read_image(path).metadata == FULL
    one = read_image(path, channel=1)
    assert one.metadata == FULL.of_channel(1)
    write_image(tmp_path / f"one{ending}", one.data, one.axes, metadata=one.metadata)
    assert read_image(tmp_path / f"one{ending}").metadata == one.metadata


def test_a_position_without_a_unit_is_kept_in_ome_tiff(tmp_path):
    metadata = ImageMetadata(position=Position(x=12.0, unit="reference frame"))
    write_image(tmp_path / "a.ome.tif", np.ones((8, 9), np.float32), "YX", metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").metadata.position == metadata.position


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_of_channels_that_do_not_fit_are_left_out(tmp_path, ending):
    path = tmp_path / f"image{ending}"
    write_image(path, np.ones((3, 8, 9), np.float32), "CYX", metadata=FULL)
    assert read_image(path).metadata.channels == ()
