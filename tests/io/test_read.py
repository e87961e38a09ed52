"""Files of other programs: their axes, their metadata, their damage."""

import numpy as np
import pytest
import tifffile

from napari_deepblur.errors import ImageError
from napari_deepblur.io import read_image

STACK = np.random.default_rng(0).integers(0, 4000, (5, 16, 17)).astype(np.uint16)

OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
  <Instrument ID="Instrument:0">
    <Objective ID="Objective:0" LensNA="0.5"/><Objective ID="Objective:1" LensNA="1.2"/>
  </Instrument>
  <Image ID="Image:0">
    <ObjectiveSettings ID="Objective:1" RefractiveIndex="1.333"/>
    <Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="17" SizeY="16" SizeZ="5"
        SizeC="2" SizeT="1" PhysicalSizeX="65" PhysicalSizeXUnit="nm" PhysicalSizeY="65"
        PhysicalSizeYUnit="nm" PhysicalSizeZ="0.3">
      <Channel ID="Channel:0:0" EmissionWavelength="520"/>
      <Channel ID="Channel:0:1" EmissionWavelength="0.6" EmissionWavelengthUnit="µm"/>
      <TiffData/>
    </Pixels>
  </Image>
</OME>"""


@pytest.fixture
def ome_file(tmp_path):
    path = tmp_path / "two.ome.tif"
    data = np.stack([STACK, STACK + 1])
    tifffile.imwrite(path, data.reshape(10, 16, 17), description=OME.encode(), metadata=None)
    return path


def test_ome_metadata(ome_file):
    image = read_image(ome_file)
    assert image.axes == "CZYX"
    assert image.n_channels == 2
    assert image.metadata.pixel_size_um == pytest.approx(0.065)
    assert image.metadata.z_step_um == pytest.approx(0.3)
    assert image.metadata.numerical_aperture == pytest.approx(1.2)
    assert image.metadata.refractive_index == pytest.approx(1.333)
    assert image.metadata.wavelength_um is None


@pytest.mark.parametrize(("channel", "wavelength_um"), [(0, 0.52), (1, 0.6)])
def test_channel_has_its_own_wavelength(ome_file, channel, wavelength_um):
    image = read_image(ome_file, channel=channel)
    np.testing.assert_array_equal(image.data, STACK + channel)
    assert image.metadata.wavelength_um == pytest.approx(wavelength_um)


@pytest.mark.parametrize("channel", [-1, 2])
def test_absent_channel(ome_file, channel):
    with pytest.raises(ImageError, match="has 2"):
        read_image(ome_file, channel=channel)


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej_hyperstack(tmp_path, unit):
    path = tmp_path / "stack.tif"
    data = np.stack([STACK, STACK + 1], axis=1)
    tifffile.imwrite(
        path,
        data,
        imagej=True,
        resolution=(1 / 0.13, 1 / 0.13),
        metadata={"axes": "ZCYX", "spacing": 0.3, "unit": unit},
    )
    image = read_image(path)
    assert image.axes == "CZYX"
    np.testing.assert_array_equal(image.data, data.swapaxes(0, 1))
    assert image.metadata.pixel_size_um == pytest.approx(0.13, rel=1e-5)
    assert image.metadata.z_step_um == pytest.approx(0.3)


def test_imagej_without_unit_has_no_size(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX", "spacing": 0.3})
    image = read_image(path)
    assert image.metadata.pixel_size_um is None
    assert image.metadata.z_step_um is None


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((1e5, 1e5), "CENTIMETER", 0.1),
        ((72, 72), "INCH", None),  # a printer's
        ((1, 1), "NONE", None),
        ((1e5, 2e5), "CENTIMETER", None),  # not square
    ],
)
def test_plain_resolution(tmp_path, resolution, unit, expected):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, STACK[0], resolution=resolution, resolutionunit=unit)
    assert read_image(path).metadata.pixel_size_um == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((16, 17), "YX"), ((5, 16, 17), "ZYX"), ((4, 5, 16, 17), "TZYX")],
)
def test_unnamed_dimensions(tmp_path, shape, axes):
    path = tmp_path / "plain.tif"
    data = np.zeros(shape, np.uint16)
    tifffile.imwrite(path, data, photometric="minisblack")
    image = read_image(path)
    assert image.axes == axes
    assert image.shape == shape


def test_given_axes_win_and_are_put_in_order(tmp_path):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack")
    assert read_image(path, axes="tyx").axes == "TYX"
    image = read_image(path, axes="YXZ")
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(image.data, STACK.transpose(2, 0, 1))


@pytest.mark.parametrize("axes", ["YX", "QYX", "XX", "ZZYX", "TCZ", "XYY", ""])
def test_wrong_axes(tmp_path, axes):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack")
    with pytest.raises(ImageError, match="axes"):
        read_image(path, axes=axes)


@pytest.mark.parametrize("name", ["colour.tif", "colour.png", "colour.jpg"])
def test_colour_is_refused(tmp_path, name):
    from skimage.io import imsave

    path = tmp_path / name
    data = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    if name.endswith("tif"):
        tifffile.imwrite(path, data, photometric="rgb")
    else:
        imsave(path, data, check_contrast=False)
    with pytest.raises(ImageError, match="RGB"):
        read_image(path)


def test_grey_png(tmp_path):
    from skimage.io import imsave

    imsave(tmp_path / "grey.png", STACK[0], check_contrast=False)
    image = read_image(tmp_path / "grey.png")
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.data, STACK[0])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_zarr_of_both_versions(tmp_path, version):
    import zarr

    path = tmp_path / "image.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    array = group.create_array("s0", shape=STACK.shape, dtype=STACK.dtype)
    array[:] = STACK
    multiscale = {
        "version": "0.4",
        "axes": [{"name": name, "type": "space", "unit": "nanometer"} for name in ("z", "y", "x")],
        "datasets": [
            {
                "path": "s0",
                "coordinateTransformations": [{"type": "scale", "scale": [300, 65, 65]}],
            }
        ],
    }
    if version == "0.5":
        del multiscale["version"]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [multiscale]
    image = read_image(path)
    assert image.axes == "ZYX"
    assert image.metadata.pixel_size_um == pytest.approx(0.065)
    assert image.metadata.z_step_um == pytest.approx(0.3)
    np.testing.assert_array_equal(image.data[:], STACK)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_image(tmp_path / "none.tif")


@pytest.mark.parametrize("name", ["text.tif", "text.png", "text.txt"])
def test_not_an_image(tmp_path, name):
    path = tmp_path / name
    path.write_text("not an image")
    with pytest.raises(ImageError) as error:
        read_image(path)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_folders_that_are_no_image(tmp_path):
    import zarr

    with pytest.raises(ImageError, match="folder"):
        read_image(tmp_path)
    zarr.open_group(tmp_path / "table.zarr", mode="w")
    with pytest.raises(ImageError, match="without an image"):
        read_image(tmp_path / "table.zarr")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_file_is_told(tmp_path, kept, compression):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, STACK, ome=True, compression=compression, photometric="minisblack")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises((ImageError, UserWarning), match=r"cut\.tif"):  # warnings are errors here
        read_image(path)


@pytest.mark.parametrize("compression", ["lzw", "zstd", "deflate", "packbits", "lzma", "jpegxl"])
def test_compressed_without_loss(tmp_path, compression):
    path = tmp_path / "packed.tif"
    tifffile.imwrite(path, STACK, compression=compression, photometric="minisblack")
    np.testing.assert_array_equal(read_image(path).data, STACK)


def test_compressed_as_jpeg(tmp_path):
    path = tmp_path / "packed.tif"
    smooth = np.add.outer(np.arange(64), np.arange(72)).astype(np.uint8)
    tifffile.imwrite(path, smooth, compression="jpeg")
    np.testing.assert_allclose(read_image(path).data, smooth, atol=3)


@pytest.mark.parametrize("n_bits", [10, 12, 14])
def test_packed_bits(tmp_path, n_bits):
    path = tmp_path / "packed.tif"
    data = STACK[0] % 2**n_bits
    tifffile.imwrite(path, data, bitspersample=n_bits)
    np.testing.assert_array_equal(read_image(path).data, data)


@pytest.mark.parametrize("dtype", [">u2", "<i4", ">f4", "f2", "f8", "u1", "i8", "c8", "?"])
def test_types_of_numbers(tmp_path, dtype):
    path = tmp_path / "plain.tif"
    order = ">" if dtype[0] == ">" else "<"
    data = STACK.astype(dtype)
    tifffile.imwrite(path, data, byteorder=order, photometric="minisblack")
    np.testing.assert_array_equal(read_image(path).data, data)


@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"bigtiff": True}, {"rowsperstrip": 5}])
def test_layouts(tmp_path, options):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    np.testing.assert_array_equal(read_image(path).data, STACK)


def test_the_ending_of_a_name_may_lie(tmp_path):
    tifffile.imwrite(tmp_path / "a.stk", STACK, photometric="minisblack")
    assert read_image(tmp_path / "a.stk").shape == STACK.shape
    tifffile.imwrite(tmp_path / "a.png", STACK, photometric="minisblack")
    assert read_image(tmp_path / "a.png").shape == STACK.shape


@pytest.mark.parametrize("name", ["a.czi", "a.nd2", "a.lif"])
def test_formats_of_other_programs(tmp_path, name):
    (tmp_path / name).write_bytes(b"any bytes at all")
    with pytest.raises(ImageError, match="Fiji"):
        read_image(tmp_path / name)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(ImageError, match="is empty"):
        read_image(tmp_path / "a.tif")


class TestColour:
    @pytest.fixture
    def colour(self, tmp_path):
        data = np.random.default_rng(0).integers(0, 255, (16, 17, 3)).astype(np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb")
        return tmp_path / "a.tif", data

    def test_a_channel_can_be_chosen(self, colour):
        path, data = colour
        image = read_image(path, channel=1)
        assert image.axes == "YX"
        np.testing.assert_array_equal(image.data, data[..., 1])

    def test_the_error_says_which(self, colour):
        with pytest.raises(ImageError, match=r"--channel 0 … 2"):
            read_image(colour[0])

    def test_grey_that_is_stored_as_colour_is_grey(self, tmp_path):
        from PIL import Image

        grey = STACK[0].astype(np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", np.stack([grey] * 3, -1), photometric="rgb")
        Image.fromarray(grey).convert("LA").save(tmp_path / "a.png")
        for name in ("a.tif", "a.png"):
            np.testing.assert_array_equal(read_image(tmp_path / name).data, grey)

    def test_three_planes_that_are_marked_as_colour(self, tmp_path):
        path, data = tmp_path / "a.tif", STACK[:3].astype(np.uint8)
        tifffile.imwrite(path, data, photometric="rgb", planarconfig="separate")
        np.testing.assert_array_equal(read_image(path, axes="ZYX").data, data)


@pytest.mark.parametrize("kept", [0.3, 0.7])
@pytest.mark.parametrize("options", [{}, {"imagej": True}])
def test_a_file_cut_short_is_incomplete(tmp_path, kept, options):
    path = tmp_path / "cut.tif"
    more = {} if options else {"photometric": "minisblack"}
    tifffile.imwrite(path, STACK, **options, **more)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.warns(
        UserWarning, match=r"cut\.tif is incomplete: it declares 5 planes and \d"
    ) as told:
        image = read_image(path)
    n_held = int(str(told[0].message).split(" and ")[1][0])
    assert n_held < 5
    planes = np.reshape(image.data, (-1, *STACK.shape[1:]))
    np.testing.assert_array_equal(planes[:n_held], STACK[:n_held])
