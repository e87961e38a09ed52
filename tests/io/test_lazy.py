"""Pixels are read where they are used, and no others."""

import numpy as np
import psutil
import pytest
import tifffile
import zarr

from napari_deepblur.engine.axes import Planes
from napari_deepblur.errors import ImageError
from napari_deepblur.io import lazy, list_images, read_image

STACK = np.random.default_rng(0).integers(1, 4000, (4, 3, 90, 120)).astype(np.uint16)


@pytest.fixture
def reads(monkeypatch):
    """Number of pixels of each part that is read from files."""
    sizes = []
    read = lazy._Pixels.__getitem__

    def recorded(self, index):
        part = read(self, index)
        sizes.append(part.size)
        return part

    monkeypatch.setattr(lazy._Pixels, "__getitem__", recorded)
    monkeypatch.setattr(lazy, "_LEAST_SIDE", 30)
    return sizes


def zarr_of(path, data=STACK, letters="tczyx", zarr_format=3, chunks=None):
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    for level in range(2):
        small = data[..., :: 2**level, :: 2**level]
        group.create_array(
            str(level), data=small, chunks=chunks or (1,) * (data.ndim - 2) + (30, 60)
        )
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": name, "type": kinds.get(name, "space")} for name in letters]
    image = {"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}
    fields = {"multiscales": [image]}
    group.attrs.update(fields if zarr_format == 2 else {"ome": fields})
    return path


def tiff_of(path, data=STACK, axes="TCYX", **options):
    tifffile.imwrite(
        path, data, metadata={"axes": axes}, ome=True, photometric="minisblack", **options
    )
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_channel_of_ome_zarr_is_taken_without_the_others(tmp_path, reads, zarr_format):
    path = zarr_of(tmp_path / "a.zarr", letters="tcyx", zarr_format=zarr_format)
    image = read_image(path, channel=1)
    assert not reads
    np.testing.assert_array_equal(image.data[2], STACK[2, 1])
    assert reads == [30 * 60] * 6


def test_axes_change_their_order_before_anything_is_read(tmp_path, reads):
    path = zarr_of(tmp_path / "a.zarr", STACK.transpose(1, 0, 2, 3), letters="ctyx")
    image = read_image(path)
    assert not reads
    assert image.axes == "TCYX"
    np.testing.assert_array_equal(image.data[2, 1], STACK[2, 1])
    assert sum(reads) == 90 * 120


def test_chunks_of_many_planes_give_one(tmp_path, reads):
    path = zarr_of(tmp_path / "a.zarr", letters="tzyx", chunks=(2, 3, 90, 60))
    np.testing.assert_array_equal(read_image(path).data[3, 2], STACK[3, 2])
    assert sum(reads) == 90 * 120


@pytest.mark.parametrize("options", [{"tile": (32, 48)}, {"rowsperstrip": 1}, {}])
def test_packed_tiff_gives_one_plane(tmp_path, reads, options):
    path = tiff_of(tmp_path / "a.ome.tif", compression="zlib", **options)
    image = read_image(path, channel=2)
    assert not reads
    np.testing.assert_array_equal(image.data[1], STACK[1, 2])
    assert sum(reads) == 90 * 120


def test_files_are_closed_between_reads(tmp_path):
    path = tiff_of(tmp_path / "a.ome.tif", compression="zlib")
    image = read_image(path, channel=0)
    np.testing.assert_array_equal(image.data[3], STACK[3, 0])
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


def test_an_image_of_several_files(tmp_path, reads):
    uuids = ["urn:uuid:0", "urn:uuid:1"]
    planes = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="t{t}.ome.tif">{uuid}</UUID></TiffData>'
        for t, uuid in enumerate(uuids)
    )
    for t, uuid in enumerate(uuids):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            f'SizeX="120" SizeY="90" SizeZ="1" SizeC="1" SizeT="2"><Channel ID="c"/>{planes}'
            "</Pixels></Image></OME>"
        )
        tifffile.imwrite(
            tmp_path / f"t{t}.ome.tif", STACK[t, 0], description=xml.encode(), metadata=None,
            compression="zlib",
        )  # fmt: skip
    image = read_image(tmp_path / "t0.ome.tif")
    assert image.axes == "TYX"
    assert not reads
    np.testing.assert_array_equal(image.data[1], STACK[1, 0])
    assert reads == [90 * 120]


def test_each_field_of_a_plate_is_an_image(tmp_path, reads):
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    plate.attrs["ome"] = {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}}
    for number, well in enumerate(("A/1", "B/2")):
        group = plate.create_group(well)
        group.attrs["ome"] = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
        for field in range(2):
            zarr_of(
                tmp_path / "plate.zarr" / well / str(field), STACK + 10 * number + field, "tcyx"
            )
    assert len(list_images(tmp_path / "plate.zarr")) == 4
    image = read_image(tmp_path / "plate.zarr", series=3, channel=0)
    assert not reads
    np.testing.assert_array_equal(image.data[1], STACK[1, 0] + 11)


def test_damaged_pixels_are_one_clear_error_when_they_are_reached(tmp_path):
    path = zarr_of(tmp_path / "a.zarr", letters="tzyx")
    chunk = path / "0" / "c" / "1" / "0" / "0" / "0"
    chunk.write_bytes(b"no chunk")
    image = read_image(path)
    np.testing.assert_array_equal(image.data[0, 0], STACK[0, 0])
    with pytest.raises(ImageError, match="is it whole"):
        np.asarray(image.data[1, 0])


def test_a_region_of_any_array_is_read(tmp_path, reads):
    import dask.array as da

    packed = read_image(zarr_of(tmp_path / "a.zarr", letters="tzyx")).data
    mapped = read_image(tiff_of(tmp_path / "a.ome.tif")).data
    assert isinstance(mapped, np.memmap)
    kinds = [packed, STACK, da.from_array(STACK, 50), zarr.array(STACK), mapped]
    region = (slice(31, 80), slice(5, 55))
    for data in kinds:
        planes = Planes.of(data, "TZYX")
        part = planes.read(7, region)
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, STACK[2, 1, 31:80, 5:55])
        assert sum(reads) == 49 * 50
