"""OME-Zarr of all versions and programs, plain arrays, collections, zip files, the web."""

import http.server
import shutil
import threading
import zipfile
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr

from napari_deepblur.errors import ImageError
from napari_deepblur.io import list_images, read_image

STACK = np.random.default_rng(0).integers(1, 4000, (3, 64, 72)).astype(np.uint16)
XML = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="I"><Objective ID="O" LensNA="1.3" Immersion="Oil"/></Instrument>
<Image Name="first"><Pixels><Channel EmissionWavelength="520"/></Pixels></Image>
<Image Name="second"><Pixels><Channel EmissionWavelength="610"/></Pixels></Image></OME>"""


def space(names, unit="micrometer"):
    return [{"name": name, "type": "space", "unit": unit} for name in names]


def scaled(*scale):
    return [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}]


def write(path, axes, datasets=None, data=STACK, version="0.4", **fields):
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=data, chunks=(1,) * (data.ndim - 2) + (32, 36))
    multiscale = {"version": version, "datasets": datasets or scaled(0.3, 0.09, 0.1), **fields}
    if axes is not None:
        multiscale["axes"] = axes
    attributes = {"multiscales": [multiscale]}
    group.attrs.update(attributes if version != "0.5" else {"ome": attributes})
    return path


@pytest.mark.parametrize(
    "axes",
    [
        space(["depth", "y", "x"]),
        space("abc"),
        space(["slice", "row", "column"]),
        space("ZYX"),
        [{"name": name, "unit": "micrometer"} for name in ("plane", "height", "width")],
    ],
)
def test_names_of_axes(tmp_path, axes):
    image = read_image(write(tmp_path / "a.zarr", axes))
    assert image.axes == "ZYX"
    assert image.metadata.pixel_sides_um == pytest.approx((0.09, 0.1))
    assert image.metadata.z_step_um == pytest.approx(0.3)
    np.testing.assert_array_equal(image.data[:], STACK)


def test_the_users_letters_win(tmp_path):
    path = write(tmp_path / "a.zarr", space("abc"))
    assert read_image(path, axes="TYX").axes == "TYX"
    with pytest.raises(ImageError, match="axes"):
        read_image(path, axes="TZYX")


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_before_axes_had_names(tmp_path, version):
    path = write(tmp_path / "a.zarr", None, [{"path": "0"}], STACK[None, None], version)
    assert read_image(path).axes == "TCZYX"
    path = write(tmp_path / "b.zarr", None, [{"path": "0"}], STACK, version)
    assert read_image(path).axes == "ZYX"


def test_axes_that_are_bare_names(tmp_path):
    image = read_image(write(tmp_path / "a.zarr", ["t", "y", "x"], [{"path": "0"}], version="0.3"))
    assert image.axes == "TYX"
    assert image.metadata.pixel_sides_um is None


def test_transformations_of_the_image_follow_those_of_the_array(tmp_path):
    steps = [
        {"type": "scale", "scale": [1, 2, 2]},
        {"type": "translation", "translation": [0, 1, 2]},
    ]
    datasets = [{"path": "0", "coordinateTransformations": steps}]
    whole = [{"type": "scale", "scale": [0.3, 0.1, 0.1]}]
    axes = space("zyx")
    path = write(
        tmp_path / "a.zarr", axes, datasets, version="0.5", coordinateTransformations=whole
    )
    told = read_image(path).metadata
    assert told.pixel_sides_um == pytest.approx((0.2, 0.2))
    assert (told.position.z, told.position.y, told.position.x) == pytest.approx((0, 0.1, 0.2))


@pytest.mark.parametrize(
    "datasets",
    [scaled(1, 1), scaled("a", 1, 1), [{"path": "0", "coordinateTransformations": None}]],
)
def test_a_wrong_scale_is_no_scale(tmp_path, datasets):
    told = read_image(write(tmp_path / "a.zarr", space("zyx"), datasets)).metadata
    assert told.pixel_sides_um is None


def test_time_has_its_own_unit(tmp_path):
    axes = [{"name": "t", "type": "time", "unit": "minute"}, *space("yx")]
    assert read_image(write(tmp_path / "a.zarr", axes, scaled(2, 1, 1))).metadata.time_step_s == 120


def test_an_unknown_axis_makes_images_of_their_own(tmp_path):
    path = write(tmp_path / "a.zarr", [{"name": "view", "type": "angle"}, *space("yx")])
    assert len(list_images(path)) == 3
    np.testing.assert_array_equal(read_image(path, series=2).data, STACK[2])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_arrays(tmp_path, zarr_format):
    zarr.save_array(tmp_path / "a.zarr", STACK, zarr_format=zarr_format)
    assert read_image(tmp_path / "a.zarr").axes == "ZYX"
    assert read_image(tmp_path / "a.zarr", axes="TYX").axes == "TYX"


def test_dimension_names_of_plain_arrays(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=STACK, dimension_names=["time", "y", "x"])
    assert read_image(tmp_path / "a.zarr").axes == "TYX"


def test_a_group_without_an_image_tells_what_to_give(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("raw", data=STACK)
    with pytest.raises(ImageError, match="'raw'"):
        read_image(tmp_path / "a.zarr")
    assert read_image(tmp_path / "a.zarr" / "raw").shape == STACK.shape


@pytest.mark.parametrize("datasets", [[], [{"path": "7"}]])
def test_an_array_that_is_not_there(tmp_path, datasets):
    path = write(tmp_path / "a.zarr", space("zyx"))
    zarr.open_group(path).attrs["multiscales"] = [{"axes": space("zyx"), "datasets": datasets}]
    with pytest.raises(ImageError, match="array"):
        read_image(path)


def collection(path, names):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for number, name in enumerate(names):
        write(path / name, space("zyx"), data=STACK + number)
    return group


def test_images_of_bioformats2raw_and_what_its_xml_says(tmp_path):
    path = tmp_path / "a.zarr"
    collection(path, "01").attrs["bioformats2raw.layout"] = 3
    (path / "OME").mkdir()
    (path / "OME" / "METADATA.ome.xml").write_text(XML)
    assert [image.metadata.name for image in list_images(path)] == ["first", "second"]
    for image in (read_image(path, series=1), read_image(path / "1")):
        assert image.metadata.wavelength_um == pytest.approx(0.61)
        assert image.metadata.numerical_aperture == 1.3
        assert image.metadata.refractive_index == 1.518
        assert image.metadata.pixel_sides_um == pytest.approx((0.09, 0.1))
        np.testing.assert_array_equal(image.data[:], STACK + 1)


def test_fields_of_a_plate(tmp_path):
    path = tmp_path / "a.zarr"
    group = collection(path, ["A/1/0", "A/1/1", "B/2/0"])
    group.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    group.require_group("A/1").attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
    group.require_group("B/2").attrs["well"] = {"images": [{"path": "0"}]}
    names = [image.metadata.name for image in list_images(path)]
    assert names == ["A/1/0", "A/1/1", "B/2/0"]
    np.testing.assert_array_equal(read_image(path, series=2).data[:], STACK + 2)


def test_a_damaged_field_does_not_cost_its_plate(tmp_path):
    path = tmp_path / "a.zarr"
    group = collection(path, ["A/1/0", "A/1/1", "B/2/0"])
    group.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "A/9"}, {"path": "B/2"}]}
    group.require_group("A/1").attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
    group.require_group("B/2").attrs["well"] = {"images": [{"path": "0"}]}
    shutil.rmtree(path / "A" / "1" / "0" / "0")
    images = list_images(path)
    assert [image.metadata.name for image in images] == ["A/1/0", "A/1/1", "A/9", "B/2/0"]
    assert images[2].describe().startswith("A/9 cannot be read; is it whole?")
    with pytest.warns(UserWarning, match="number 1 is read"):
        np.testing.assert_array_equal(read_image(path).data[:], STACK + 1)
    with pytest.raises(ImageError, match="A/1/0 cannot be read.*'0' is missing"):
        read_image(path, series=0)
    with pytest.raises(ImageError, match="A/9 cannot be read"):
        read_image(path, series=2)
    np.testing.assert_array_equal(read_image(path, series=3).data[:], STACK + 2)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("separator", [".", "/"])
def test_planes_without_chunks_are_told(tmp_path, zarr_format, separator):
    encoding = {"name": "default" if zarr_format == 3 else "v2", "separator": separator}
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=(7, 64, 72),
        chunks=(1, 32, 36),
        dtype="uint16",
        zarr_format=zarr_format,
        chunk_key_encoding=encoding,
    )
    array[:3] = STACK
    with pytest.warns(UserWarning, match="declares 7 planes and 3 can be read"):
        read_image(tmp_path / "a.zarr")
    array[:] = 1
    read_image(tmp_path / "a.zarr")


def test_pixels_that_are_nowhere_are_not_allocated(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(10**6, 10**6), chunks=(100, 100), dtype="uint16")
    with pytest.raises(ImageError, match="2 TB"):
        read_image(tmp_path / "a.zarr")


def test_a_zip_file(tmp_path):
    folder = write(tmp_path / "a.zarr", space("zyx"))
    with zipfile.ZipFile(tmp_path / "a.ozx", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    np.testing.assert_array_equal(read_image(tmp_path / "a.ozx").data[:], STACK)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("notes.txt", "no image")
    with pytest.raises(ImageError, match=r"b\.zip"):
        read_image(tmp_path / "b.zip")


@pytest.fixture
def server(tmp_path):
    """Address of a web server of the test's folder."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def test_a_web_address(tmp_path, server):
    write(tmp_path / "a.zarr", space("zyx"))
    # As the command line gives it: a path has lost one of the slashes.
    for address in (f"{server}/a.zarr", Path(f"{server}/a.zarr")):
        image = read_image(address)
        np.testing.assert_array_equal(image.data[:], STACK)
        assert image.metadata.pixel_sides_um == pytest.approx((0.09, 0.1))
    with pytest.raises(ImageError, match="download it first"):
        read_image(f"{server}/none.zarr")


def test_a_web_address_without_the_libraries_for_it(monkeypatch):
    def absent(*_, **__):
        raise ImportError("no module named 'aiohttp'")

    monkeypatch.setattr(zarr, "open", absent)
    with pytest.raises(ImageError, match=r"pip install 'napari-deepblur\[web\]'"):
        read_image("https://example.org/image.zarr")


@pytest.mark.parametrize("version", [2, 3])
def test_a_chunk_that_was_cut_is_no_image(tmp_path, version):
    """Blosc would unpack what lies in memory behind it."""
    codec = numcodecs.Blosc() if version == 2 else zarr.codecs.BloscCodec()
    data = np.random.default_rng(0).integers(0, 4000, (3, 64, 70)).astype(np.uint16)
    zarr.create_array(
        tmp_path / "a.zarr", data=data, chunks=(1, 64, 32), compressors=codec, zarr_format=version
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr").data, data)
    chunk = tmp_path / "a.zarr" / ("1.0.1" if version == 2 else "c/1/0/1")
    chunk.write_bytes(chunk.read_bytes()[:2000])
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.data[0], data[0])
    np.testing.assert_array_equal(image.data[1, :, :32], data[1, :, :32])
    with pytest.raises(ImageError, match="is it whole.*1.* was cut short"):
        np.asarray(image.data[1])
