"""What the programs of microscopes write into TIFF files, each in its own words."""

import json

import numpy as np
import pytest
import tifffile

from napari_deepblur.errors import ImageError
from napari_deepblur.io import Channel, Position, read_image, read_metadata

STACK = np.random.default_rng(0).integers(0, 4000, (5, 64, 72)).astype(np.uint16)
HEAD = '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/{}">'


def ome(path, content, version="2016-06", data=STACK):
    xml = HEAD.format(version) + content + "</OME>"
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None, description=xml.encode())
    return path


def pixels(attributes="", content="", channel="<Channel ID='c'/>", size_z=5):
    return (
        f'<Pixels ID="p" DimensionOrder="XYZCT" Type="uint16" SizeX="72" SizeY="64" '
        f'SizeZ="{size_z}" SizeC="1" SizeT="1" {attributes}>{channel}<TiffData/>{content}</Pixels>'
    )


def told(tmp_path, content, **options):
    return read_metadata(ome(tmp_path / "a.ome.tif", content, **options))


class TestImageJ:
    def write(self, path, resolution=(1 / 0.13, 1 / 0.13), data=STACK, axes="ZYX", **metadata):
        metadata |= {"axes": axes}
        tifffile.imwrite(path, data, imagej=True, resolution=resolution, metadata=metadata)
        return path

    def test_depth_in_a_unit_of_its_own_and_downwards(self, tmp_path):
        path = self.write(tmp_path / "a.tif", unit="nm", zunit="um", spacing=-0.3)
        assert read_metadata(path).z_step_um == pytest.approx(0.3)

    def test_sides_that_differ(self, tmp_path):
        path = self.write(tmp_path / "a.tif", (1 / 0.13, 1 / 0.2), unit="um")
        assert read_metadata(path).pixel_sides_um == pytest.approx((0.2, 0.13))
        assert read_metadata(path).pixel_size_um is None

    def test_a_height_in_a_unit_of_its_own(self, tmp_path):
        path = self.write(tmp_path / "a.tif", (1 / 0.13, 1 / 130), unit="um", yunit="nm")
        assert read_metadata(path).pixel_sides_um == pytest.approx((0.13, 0.13), rel=1e-5)

    def test_origin(self, tmp_path):
        path = self.write(tmp_path / "a.tif", unit="um", xorigin=10, yorigin=-5)
        place = read_metadata(path).position
        assert (place.y, place.x) == pytest.approx((0.65, -1.3), rel=1e-5)

    def test_time_in_a_unit_of_its_own(self, tmp_path):
        path = self.write(tmp_path / "a.tif", axes="TYX", unit="um", finterval=2, tunit="min")
        assert read_metadata(path).time_step_s == 120

    def test_colours(self, tmp_path):
        tables = [np.zeros((3, 256), np.uint8) for _ in "ab"]
        tables[0][1] = tables[1][0] = np.arange(256)
        data = np.stack([STACK, STACK], axis=1)
        path = self.write(tmp_path / "a.tif", data=data, axes="ZCYX", LUTs=tables)
        colours = [channel.colour for channel in read_metadata(path).channels]
        assert colours == [(0, 255, 0), (255, 0, 0)]

    def test_centimetres_of_the_tags_where_no_unit_is_named(self, tmp_path):
        path, density = tmp_path / "a.tif", 1e4 / 0.13
        tifffile.imwrite(
            path, STACK, imagej=True, resolution=(density, density), resolutionunit="CENTIMETER"
        )
        assert read_metadata(path).pixel_size_um == pytest.approx(0.13, rel=1e-5)


def test_micromanager(tmp_path):
    frame = {"PixelSizeUm": 0.11, "XPositionUm": 10.5, "YPositionUm": 2, "ZPositionUm": -3}
    tags = [(51123, "s", 0, json.dumps(frame), True)]
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], metadata=None, extratags=tags)
    said = read_metadata(tmp_path / "a.tif")
    assert said.pixel_sides_um == (0.11, 0.11)
    assert said.position == Position(z=-3, y=2, x=10.5)


@pytest.mark.parametrize(("state", "known"), [("on", True), ("off", False)])
def test_metamorph(tmp_path, state, known):
    fields = {
        "spatial-calibration-state": ("bool", state),
        "spatial-calibration-x": ("float", 0.13),
        "spatial-calibration-y": ("float", 0.13),
        "spatial-calibration-units": ("string", "um"),
        "wavelength": ("float", 525),
        "_IllumSetting_": ("string", "GFP"),
        "_MagNA_": ("float", 1.4),
        "_MagRI_": ("float", 1.515),
        "stage-position-x": ("float", 120.5),
        "stage-position-y": ("float", -3),
    }
    inside = "".join(
        f'<prop id="{name}" type="{kind}" value="{value}"/>'
        for name, (kind, value) in fields.items()
    )
    text = f"<MetaData><PlaneInfo>{inside}</PlaneInfo></MetaData>"
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], metadata=None, description=text, software="MetaSeries")
    said = read_metadata(path)
    assert said.pixel_size_um == (0.13 if known else None)
    assert said.channels == (Channel(name="GFP", wavelength_um=0.525),)
    assert (said.numerical_aperture, said.refractive_index) == (1.4, 1.515)
    assert (said.position.y, said.position.x) == (-3, 120.5)


def test_aperio(tmp_path):
    text = "Aperio Image Library v11\r\n46000x32914 |AppMag = 40|MPP = 0.2521"
    tifffile.imwrite(tmp_path / "a.svs", STACK[0], metadata=None, description=text)
    assert read_metadata(tmp_path / "a.svs").pixel_size_um == 0.2521


class TestOme:
    @pytest.mark.parametrize(
        ("attributes", "sides"),
        [
            ('PhysicalSizeX="0.1" PhysicalSizeY="0.12"', (0.12, 0.1)),
            ('PhysicalSizeX="100" PhysicalSizeXUnit="nm" PhysicalSizeY="0,1"', (0.1, 0.1)),
            ('PhysicalSizeX="0.1" PhysicalSizeXUnit="&#181;m"', (0.1, 0.1)),
            ('PhysicalSizeX="1e-7" PhysicalSizeXUnit="m"', (0.1, 0.1)),
            ('PhysicalSizeX="1000" PhysicalSizeXUnit="Å"', (0.1, 0.1)),
            ('PhysicalSizeX="0.1" PhysicalSizeXUnit="pixel"', None),
            ('PhysicalSizeX="0.1" PhysicalSizeXUnit="reference frame"', None),
            ('PhysicalSizeX="0" PhysicalSizeY="0"', None),
            ('PhysicalSizeX="NaN" PhysicalSizeY="INF"', None),
        ],
    )
    def test_sides_of_pixels(self, tmp_path, attributes, sides):
        said = told(tmp_path, f"<Image>{pixels(attributes)}</Image>")
        assert said.pixel_sides_um == (None if sides is None else pytest.approx(sides))

    @pytest.mark.parametrize(
        ("objective", "settings", "aperture", "index"),
        [
            ('LensNA="1.4" Immersion="Oil"', "", 1.4, 1.518),
            ('LensNA="1.2" Immersion="Water"', "", 1.2, 1.333),
            ('LensNA="1.2"', 'Medium="Glycerol"', 1.2, 1.47),
            ('LensNA="1.2" Immersion="Oil"', 'RefractiveIndex="1.515"', 1.2, 1.515),
            ('LensNA="40" Immersion="Air"', "", None, 1.0),  # the magnification
            ('LensNA="0" Immersion="Other"', "", None, None),
            ('LensNA="1.49" Immersion="Air"', "", 1.49, None),  # it cannot be both
            ('LensNA="0.8"', 'RefractiveIndex="0"', 0.8, None),
        ],
    )
    def test_objective(self, tmp_path, objective, settings, aperture, index):
        said = told(
            tmp_path,
            f'<Instrument ID="I"><Objective ID="O" {objective}/><Objective ID="P"/></Instrument>'
            f'<Image><ObjectiveSettings ID="O" {settings}/>{pixels()}</Image>',
        )
        assert (said.numerical_aperture, said.refractive_index) == (aperture, index)

    def test_depth_and_time_that_only_the_planes_tell(self, tmp_path):
        planes = "".join(
            f'<Plane TheZ="{z}" TheC="0" TheT="0" PositionZ="{10 - 0.3 * z}" PositionZUnit="µm"/>'
            for z in range(5)
        )
        assert told(tmp_path, f"<Image>{pixels('', planes)}</Image>").z_step_um == 0.3
        planes = planes.replace('"10.0"', '"12.0"')
        assert told(tmp_path, f"<Image>{pixels('', planes)}</Image>").z_step_um is None

    def test_place_with_and_without_a_unit(self, tmp_path):
        plane = '<Plane TheZ="0" TheC="0" TheT="0" PositionX="2" PositionY="3"{}/>'
        said = told(tmp_path, f"<Image>{pixels('', plane.format(''))}</Image>")
        assert said.position == Position(y=3, x=2, unit="reference frame")
        units = ' PositionXUnit="mm" PositionYUnit="mm"'
        said = told(tmp_path, f"<Image>{pixels('', plane.format(units))}</Image>")
        assert said.position == Position(y=3000, x=2000)
        label = '<StageLabel Name="1" X="2" Y="3" XUnit="mm" YUnit="mm"/>'
        said = told(tmp_path, f"<Image>{label}{pixels()}</Image>")
        assert said.position == Position(y=3000, x=2000)

    def test_channel(self, tmp_path):
        channel = (
            '<Channel ID="c" Fluor="DAPI" Color="-16776961" EmissionWavelength="0.45" '
            'EmissionWavelengthUnit="µm" ExcitationWavelength="405"/>'
        )
        said = told(tmp_path, f"<Image>{pixels(channel=channel)}</Image>")
        assert said.channels == (
            Channel(name="DAPI", wavelength_um=0.45, excitation_um=0.405, colour=(255, 0, 0)),
        )

    @pytest.mark.parametrize("wavelength", ["0.52", "0", "-1", "520000"])
    def test_no_light_has_such_a_wavelength(self, tmp_path, wavelength):
        channel = f'<Channel ID="c" EmissionWavelength="{wavelength}"/>'
        assert told(tmp_path, f"<Image>{pixels(channel=channel)}</Image>").wavelength_um is None

    def test_old_schema_with_a_prefix(self, tmp_path):
        content = (
            '<Instrument ID="I"><Objective ID="O"><LensNA>1.3</LensNA><Immersion>Oil</Immersion>'
            '</Objective></Instrument><Image Name="old"><ObjectiveRef ID="O"/>'
            f'<LogicalChannel EmWave="600" Name="RFP"/>{pixels(channel="")}</Image>'
        )
        said = told(tmp_path, content, version="2008-02")
        assert (said.numerical_aperture, said.refractive_index) == (1.3, 1.518)
        assert said.channels == (Channel(name="RFP", wavelength_um=0.6),)

    def test_damaged_xml_is_told(self, tmp_path):
        with pytest.warns(UserWarning, match="the OME-XML is damaged"):
            assert told(tmp_path, "<Image>").pixel_sides_um is None

    def test_entities_are_not_expanded(self, tmp_path):
        entity = '?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
        xml = HEAD.format("2016-06").replace("?>", entity)
        text = f"{xml}<Image Name='&a;'>{pixels()}</Image></OME>"
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, STACK, photometric="minisblack", metadata=None, description=text)
        with pytest.warns(UserWarning, match="entities"):
            assert read_metadata(path).name == ""

    def test_deep_xml_is_read(self, tmp_path):
        deep = "<a>" * 20000 + "</a>" * 20000
        assert told(tmp_path, f"<Image Name='x'>{pixels()}</Image>{deep}").name == "x"

    def test_declared_planes_that_are_not_there(self, tmp_path):
        path = ome(tmp_path / "a.ome.tif", f"<Image>{pixels(size_z=7)}</Image>")
        with pytest.warns(UserWarning, match="incomplete: it declares 7 planes and 5 can be read"):
            assert read_image(path).shape == (7, 64, 72)

    @pytest.mark.parametrize(
        ("size_z", "says"),
        [(10**5, "declares 922 MB of pixels"), (10**8, "declares 100000000 planes")],
    )
    def test_declared_planes_that_no_memory_holds(self, tmp_path, size_z, says):
        path = ome(tmp_path / "a.ome.tif", f"<Image>{pixels(size_z=size_z)}</Image>")
        with pytest.raises(ImageError, match=f"incomplete or damaged: it {says}"):
            read_image(path)

    def test_metadata_in_a_companion_file(self, tmp_path):
        binary = '<BinaryOnly MetadataFile="../a.companion.ome" UUID="urn:uuid:1"/>'
        path = ome(tmp_path / "a.ome.tif", binary)
        with pytest.warns(UserWarning, match=r"its metadata are in a\.companion\.ome"):
            assert read_metadata(path).pixel_sides_um is None
        size = 'PhysicalSizeX="0.1"'
        content = f"<Image>{pixels(size)}</Image></OME>"
        (tmp_path / "a.companion.ome").write_text(HEAD.format("2016-06") + content)
        assert read_metadata(path).pixel_sides_um == (0.1, 0.1)

    def test_a_set_of_files_of_which_one_is_missing(self, tmp_path):
        def content(own):
            parts = "".join(
                f'<TiffData FirstZ="{2 * i}" IFD="0" PlaneCount="2">'
                f'<UUID FileName="{i}.ome.tif">urn:uuid:{i}</UUID></TiffData>'
                for i in range(2)
            )
            image = f"<Image>{pixels(size_z=4)}</Image>".replace("<TiffData/>", parts)
            head = HEAD.format("2016-06").replace("<OME ", f'<OME UUID="urn:uuid:{own}" ')
            return (head + image + "</OME>").encode()

        for own in range(2):
            tifffile.imwrite(
                tmp_path / f"{own}.ome.tif",
                STACK[2 * own : 2 * own + 2],
                photometric="minisblack",
                metadata=None,
                description=content(own),
            )
        np.testing.assert_array_equal(read_image(tmp_path / "1.ome.tif").data, STACK[:4])
        (tmp_path / "1.ome.tif").unlink()
        with pytest.warns(UserWarning, match="declares 4 planes and 2 can be read"):
            read_image(tmp_path / "0.ome.tif")
