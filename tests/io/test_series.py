"""Several images in a file: listed, chosen, told; thumbnails are passed over."""

import warnings

import numpy as np
import pytest
import tifffile

from napari_deepblur.errors import ImageError
from napari_deepblur.io import list_images, read_image, read_metadata

PLANE = np.random.default_rng(0).integers(0, 4000, (64, 72)).astype(np.uint16)
STACK = np.stack([PLANE, PLANE[::-1], PLANE[:, ::-1]])


@pytest.fixture
def two_positions(tmp_path):
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for name, data, size in (("A", STACK, 0.1), ("B", STACK[:2] + 1, 0.2)):
            fields = {"axes": "ZYX", "Name": name, "PhysicalSizeX": size, "PhysicalSizeY": size}
            tiff.write(data, metadata=fields, photometric="minisblack")
    return path


def test_images_are_listed_with_what_is_said_of_each(two_positions):
    images = list_images(two_positions)
    assert [image.metadata.name for image in images] == ["A", "B"]
    assert [image.shape for image in images] == [(3, 64, 72), (2, 64, 72)]
    assert [image.metadata.pixel_size_um for image in images] == [0.1, 0.2]
    assert read_metadata(two_positions, series=1).name == "B"


def test_the_first_is_read_with_a_warning_and_another_without(two_positions):
    with pytest.warns(UserWarning, match=r"holds 2 images: number 0 is read.*--series"):
        np.testing.assert_array_equal(read_image(two_positions).data, STACK)
    image = read_image(two_positions, series=1)
    np.testing.assert_array_equal(image.data, STACK[:2] + 1)
    assert image.metadata.pixel_size_um == 0.2


@pytest.mark.parametrize("series", [-1, 2])
def test_absent_image(two_positions, series):
    with pytest.raises(ImageError, match="holds 2"):
        read_image(two_positions, series=series)


@pytest.mark.parametrize("step", [2, 3, 8])
def test_a_small_copy_that_comes_first_is_passed_over(tmp_path, step):
    path = tmp_path / "thumbnail.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(PLANE[::step, ::step].copy())
        tiff.write(PLANE)
    with pytest.warns(UserWarning, match="number 1 is read"):
        np.testing.assert_array_equal(read_image(path).data, PLANE)


def test_a_colour_picture_that_comes_first_is_passed_over(tmp_path):
    path = tmp_path / "overview.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.zeros((32, 36, 3), np.uint8), photometric="rgb")
        tiff.write(STACK, photometric="minisblack")
    with pytest.warns(UserWarning, match="number 1 is read"):
        assert read_image(path).shape == (3, 64, 72)


@pytest.mark.parametrize("kind", [1, 4])
def test_marked_copies_and_masks_are_silent(tmp_path, kind):
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(PLANE, metadata=None)
        if kind == 1:
            tiff.write(PLANE[::2, ::2].copy(), subfiletype=1, metadata=None)
        else:
            tiff.write(PLANE > 100, subfiletype=4, metadata=None)
    np.testing.assert_array_equal(read_image(path).data, PLANE)


def test_levels_of_a_pyramid_are_no_images(tmp_path):
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(STACK, subifds=1, metadata={"axes": "ZYX"}, photometric="minisblack")
        tiff.write(STACK[:, ::2, ::2].copy(), subfiletype=1, photometric="minisblack")
    assert len(list_images(path)) == 1
    np.testing.assert_array_equal(read_image(path).data, STACK)


def test_small_images_of_other_shapes_are_no_thumbnails(tmp_path):
    path = tmp_path / "fields.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(PLANE[:20, :60].copy())
        tiff.write(PLANE)
    with pytest.warns(UserWarning, match="number 0 is read"):
        assert read_image(path).shape == (20, 60)


@pytest.mark.parametrize("letter", ["R", "A", "P", "H"])
def test_positions_and_angles_are_images_of_their_own(tmp_path, letter):
    path = tmp_path / "positions.tif"
    data = np.stack([STACK, STACK + 1])
    metadata = {"axes": f"{letter}ZYX"}
    tifffile.imwrite(path, data, metadata=metadata, photometric="minisblack")
    assert len(list_images(path)) == 2
    with pytest.warns(UserWarning, match="holds 2 images"):
        np.testing.assert_array_equal(read_image(path).data, STACK)
    image = read_image(path, series=1)
    np.testing.assert_array_equal(image.data, STACK + 1)
    assert image.metadata.name == f"{letter}=1"
    assert read_image(path, axes="TZYX").shape == (2, 3, 64, 72)


def test_each_wavelength_of_a_spectral_image_is_a_channel(tmp_path):
    path = tmp_path / "spectral.tif"
    tifffile.imwrite(path, STACK, metadata={"axes": "EYX"}, photometric="minisblack")
    assert read_image(path).axes == "CYX"


def test_listing_reads_no_pixels(tmp_path, monkeypatch):
    path = tmp_path / "packed.tif"
    tifffile.imwrite(path, STACK, compression="zlib", photometric="minisblack")
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", None)
    assert list_images(path)[0].shape == STACK.shape
    assert read_metadata(path).pixel_size_um is None


def test_one_image_is_read_without_a_word(tmp_path):
    path = tmp_path / "one.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).shape == STACK.shape
