"""What is written is read back: pixels, axes, sizes."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_deepblur.io import read_image, write_image

ENDINGS = [".tif", ".ome.tif", ".ome.zarr"]
AXES = ["YX", "ZYX", "TYX", "TZYX", "CYX", "TCZYX"]
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
    assert back.pixel_size_um == pytest.approx(pixel_size_um)
    assert back.z_step_um == pytest.approx(z_step_um if "Z" in axes else None)


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
    write_image(tmp_path / "a.tif", data, "YX", metadata=told)
    write_image(tmp_path / "a.zarr", data, "YX", metadata=told)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_ome
        assert "numerical_aperture" in tiff.ome_metadata
    assert zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["napari_deepblur"] == told


def test_written_zarr_is_valid(tmp_path):
    import yaozarrs

    path = tmp_path / "a.ome.zarr"
    write_image(path, np.ones((3, 8, 8), np.float32), "ZYX", pixel_size_um=0.1, z_step_um=0.3)
    yaozarrs.validate_zarr_store(str(path))
