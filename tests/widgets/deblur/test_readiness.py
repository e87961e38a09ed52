"""From wishes and facts to what is computed; nothing is guessed."""

from __future__ import annotations

from dataclasses import replace

import dask.array
import numpy as np
import pytest
from napari.layers import Image

from helpers.layers import OPTICS, known_layer, spots
from napari_deepblur import Optics
from napari_deepblur.widgets.deblur.judgement import Verdict
from napari_deepblur.widgets.deblur.readiness import resolve
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.layers.facts import Known, LayerFacts, axes_of, facts_of, pixels_of

OME = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0"><Objective ID="Objective:0" LensNA="1.2"/></Instrument>
<Image ID="Image:0"><ObjectiveSettings ID="Objective:0" RefractiveIndex="1.33"/>
<Pixels ID="Pixels:0" PhysicalSizeX="65" PhysicalSizeXUnit="nm" PhysicalSizeY="65"
 PhysicalSizeYUnit="nm" SizeX="64" SizeY="64" SizeC="1" SizeT="1" SizeZ="1" Type="uint8"
 DimensionOrder="XYZCT"><Channel ID="Channel:0" EmissionWavelength="610"/></Pixels></Image>
</OME>"""


def facts(**values: float) -> LayerFacts:
    return LayerFacts("YX", {name: Known(value, "layer") for name, value in values.items()})


def series(step: float | None) -> LayerFacts:
    known = {} if step is None else {"z_step_um": Known(step, "layer scale")}
    return LayerFacts("ZYX", known, n_depths=3)


# Facts


@pytest.mark.parametrize(
    ("scale", "unit", "pixel"), [(0.065, "um", 0.065), (65, "nm", 0.065), (1e-4, "mm", 0.1)]
)
def test_pixel_size_comes_from_scale_and_units(scale: float, unit: str, pixel: float) -> None:
    layer = Image(spots(64, 64), scale=(scale, scale), units=(unit, unit))
    assert facts_of(layer).known["pixel_size_um"] == Known(pixel, "layer scale")


@pytest.mark.parametrize("scale", [1, 0.065])
def test_pixel_size_in_pixels_is_not_known(scale: float) -> None:
    said = facts_of(Image(spots(64, 64), scale=(scale, scale)))
    assert "pixel_size_um" not in said.known
    assert "'pixel'" in said.hint
    assert ("0.065" in said.hint) == (scale == 0.065)


def test_rotation_and_affine_do_not_change_the_pixel_size() -> None:
    layer = known_layer(64, 64, rotate=30, affine=[[0, -1, 5], [1, 0, 3], [0, 0, 1]])
    assert facts_of(layer).known["pixel_size_um"].value == pytest.approx(0.09)


def test_an_affine_magnification_is_part_of_the_pixel_size() -> None:
    layer = known_layer(64, 64, affine=np.diag([2, 2, 1]))
    assert facts_of(layer).known["pixel_size_um"].value == pytest.approx(0.18)


def test_time_in_seconds_does_not_matter() -> None:
    layer = known_layer(3, 64, 64, units=("s", "um", "um"), axis_labels=("t", "y", "x"))
    said = facts_of(layer)
    assert (said.axes, said.known["pixel_size_um"].value) == ("TYX", 0.09)


@pytest.mark.parametrize(
    ("shape", "changes", "step"),
    [
        ((3, 64, 64), {}, 0.5),
        ((3, 64, 64), {"scale": (200, 90, 90), "units": ("nm",) * 3}, 0.2),
        ((3, 64, 64), {"units": ("s", "um", "um")}, None),
        ((3, 64, 64), {"axis_labels": ("t", "y", "x")}, None),
        ((1, 64, 64), {}, None),
        ((64, 64), {}, None),
        ((2, 3, 64, 64), {"scale": (1, 0.5, 0.09, 0.09)}, None),
    ],
)
def test_only_a_z_stack_has_a_z_step(shape, changes, step: float | None) -> None:
    known = facts_of(known_layer(*shape, **changes)).known
    assert known.get("z_step_um") == (None if step is None else Known(step, "layer scale"))


def test_pixels_that_are_not_square_are_refused() -> None:
    problem = facts_of(known_layer(64, 64, scale=(0.1, 0.2))).problem
    assert "0.1 µm in Y, 0.2 µm in X" in problem


def test_colour_is_refused() -> None:
    layer = Image(np.zeros((64, 64, 3), np.uint8), rgb=True)
    assert "RGB" in facts_of(layer).problem


def test_a_small_image_is_refused() -> None:
    assert "64 × 64" in facts_of(known_layer(32, 80)).problem


def test_multiscale_uses_full_resolution() -> None:
    image = spots(128, 128)
    layer = Image([image, image[::2, ::2]], multiscale=True, scale=(0.1, 0.1), units=("um", "um"))
    assert pixels_of(layer).shape == (128, 128)
    assert facts_of(layer).known["pixel_size_um"].value == 0.1


def test_facts_of_a_lazy_layer_read_no_pixels() -> None:
    reads = []
    data = dask.array.zeros((4, 64, 64), chunks=(1, 64, 64)).map_blocks(
        lambda block: reads.append(1) or block, dtype=float, meta=np.zeros((0, 0, 0))
    )
    layer = Image(data, contrast_limits=(0, 1))
    reads.clear()
    assert facts_of(layer).axes == "ZYX"
    assert not reads


@pytest.mark.parametrize(
    ("shape", "labels", "axes"),
    [
        ((64, 64), None, "YX"),
        ((2, 64, 64), None, "ZYX"),
        ((2, 64, 64), ("T", "y", "x"), "TYX"),
        ((2, 3, 64, 64), None, "TZYX"),
        ((2, 3, 64, 64), ("z", "t", "y", "x"), "TZYX"),
        ((2, 64, 64), ("row", "column", "y"), "ZYX"),
    ],
)
def test_axes(shape: tuple[int, ...], labels: tuple[str, ...] | None, axes: str) -> None:
    assert axes_of(Image(spots(*shape), axis_labels=labels)) == axes


def test_ome_metadata_fills_the_form() -> None:
    said = facts_of(Image(spots(64, 64), metadata={"ome": OME})).known
    assert {name: known.value for name, known in said.items()} == pytest.approx(
        {
            "numerical_aperture": 1.2,
            "refractive_index": 1.33,
            "wavelength_um": 0.61,
            "pixel_size_um": 0.065,
        }
    )
    assert {known.source for known in said.values()} == {"OME"}


@pytest.mark.parametrize("text", ["<OME", "<OME/>", "<OME><Image/></OME>"])
def test_broken_ome_metadata_says_nothing(text: str) -> None:
    assert not facts_of(Image(spots(64, 64), metadata={"ome": text})).known


def test_channels_must_be_layers_of_their_own() -> None:
    said = facts_of(Image(spots(2, 64, 64), axis_labels=("c", "y", "x")))
    assert "2 channels" in said.problem


def test_the_last_axes_must_be_y_and_x() -> None:
    assert "XYZ" in facts_of(Image(spots(64, 64, 64), axis_labels=("x", "y", "z"))).problem


# Resolve


def test_no_layer() -> None:
    assert resolve(DeblurSettings(), None).verdict is Verdict.NO_LAYER


def test_missing_values_are_asked_for() -> None:
    wanted = resolve(DeblurSettings(), facts(pixel_size_um=0.1))
    assert wanted.verdict is Verdict.MISSING
    assert not wanted.can_run
    assert "numerical aperture" in wanted.message
    assert "wavelength" in wanted.message
    assert "pixel" not in wanted.message


def test_the_refractive_index_alone_has_a_default() -> None:
    fields = resolve(DeblurSettings(), facts()).fields
    assert fields == {"refractive_index": Known(1.518, "default")}


def test_what_was_typed_goes_before_what_the_layer_says() -> None:
    wanted = resolve(DeblurSettings(numerical_aperture=1.0), facts(**OPTICS))
    assert wanted.fields["numerical_aperture"] == Known(1.0, "typed")
    assert wanted.optics == Optics(**OPTICS | {"numerical_aperture": 1.0})


@pytest.mark.parametrize(
    ("pixel", "verdict", "can_run"),
    [
        (0.09, Verdict.WELL_SAMPLED, True),
        (0.15, Verdict.UNDERSAMPLED, True),
        (0.2, Verdict.REFUSED, False),
        (0, Verdict.INVALID, False),
    ],
)
def test_verdict_on_sampling(pixel: float, verdict: Verdict, can_run: bool) -> None:
    wanted = resolve(DeblurSettings(), facts(**OPTICS | {"pixel_size_um": pixel}))
    assert (wanted.verdict, wanted.can_run) == (verdict, can_run)


def test_a_model_of_wide_blurs_takes_coarse_pixels() -> None:
    coarse = facts(**OPTICS | {"pixel_size_um": 0.25})
    refused = resolve(DeblurSettings(), coarse)
    assert refused.verdict is Verdict.REFUSED
    assert "light sheet" in refused.message
    wanted = resolve(DeblurSettings(), coarse, varies=True, coarsest_cutoff=0.9)
    assert (wanted.verdict, wanted.can_run) == (Verdict.WELL_SAMPLED, True)
    assert "several pixels" in wanted.message
    in_3d = resolve(DeblurSettings(per="volume"), coarse, coarsest_cutoff=0.3)
    assert in_3d.verdict is Verdict.REFUSED


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("wavelength_um", 520, "nanometres"),
        (
            "numerical_aperture",
            1.6,
            "Numerical aperture (1.6) must be smaller than refractive index",
        ),
        ("pixel_size_um", -1, "positive"),
    ],
)
def test_impossible_values_are_explained(name: str, value: float, text: str) -> None:
    wanted = resolve(DeblurSettings(**{name: value}), facts(**OPTICS))
    assert wanted.verdict is Verdict.INVALID
    assert text in wanted.message
    assert "_" not in wanted.message


@pytest.mark.parametrize(
    ("wish", "per", "step", "offered", "used"),
    [
        (False, "plane", 0.5, 0.5, None),
        (True, "plane", 0.5, 0.5, 0.5),
        (True, "stack", 0.5, None, None),
        (True, "plane", None, None, None),
    ],
)
def test_the_z_step_is_used_where_the_user_says_so(wish, per, step, offered, used) -> None:
    said = series(step)
    wanted = resolve(DeblurSettings(focus_series=wish, per=per), said)
    assert (wanted.focus_step_um, wanted.z_step_um) == (offered, used)


def test_no_focus_series_where_the_blur_varies_over_the_field() -> None:
    wishes = DeblurSettings(focus_series=True)
    wanted = resolve(wishes, series(0.5), varies=True)
    assert (wanted.focus_step_um, wanted.z_step_um) == (None, None)


def stack(step: float | None = 0.3, *, n_depths: int = 20, **more) -> LayerFacts:
    known = OPTICS if step is None else OPTICS | {"z_step_um": step}
    return replace(facts(**known), axes="ZYX", n_depths=n_depths, **more)


@pytest.mark.parametrize(
    ("said", "varies", "scopes", "per"),
    [
        (stack(), False, 3, "volume"),
        (stack(n_depths=5), False, 3, "volume"),
        (stack(n_depths=4), False, 2, "plane"),
        (stack(None), False, 3, "plane"),
        (stack(is_light_sheet=True), False, 3, "plane"),
        (stack(), True, 3, "plane"),
        (facts(**OPTICS), False, 2, "plane"),
    ],
    ids=["stack", "5 planes", "4 planes", "no z step", "light sheet", "varying model", "plane"],
)
def test_a_3d_blur_is_proposed_for_a_widefield_stack(said, varies, scopes: int, per: str) -> None:
    wanted = resolve(DeblurSettings(), said, varies=varies)
    assert (len(wanted.scopes), wanted.per) == (scopes, per)


@pytest.mark.parametrize("wish", ["plane", "stack", "volume"])
def test_a_wish_goes_before_the_proposal_where_it_can_be(wish: str) -> None:
    wishes = DeblurSettings(per=wish)
    assert resolve(wishes, stack()).per == wish
    assert resolve(wishes, facts(**OPTICS)).per == ("plane" if wish == "volume" else wish)


def test_the_z_step_of_a_3d_blur_is_asked_for() -> None:
    wanted = resolve(DeblurSettings(per="volume"), stack(None))
    assert (wanted.verdict, wanted.message) == (Verdict.MISSING, "Please fill in: z step in µm.")
    typed = resolve(DeblurSettings(z_step_um=0.2), stack(None))
    assert (typed.per, typed.fields["z_step_um"]) == ("volume", Known(0.2, "typed"))
    assert typed.can_run


@pytest.mark.parametrize("name", ["z_step_um", "light_sheet_fwhm_um"])
@pytest.mark.parametrize("value", [0.0, -0.3])
def test_lengths_of_a_stack_must_be_positive(name: str, value: float) -> None:
    wanted = resolve(DeblurSettings(**{name: value}), stack())
    assert wanted.verdict is Verdict.INVALID
    assert f"above 0 µm, not {value:g}" in wanted.message
    assert not wanted.can_run


def test_the_engine_is_asked_for_a_3d_blur() -> None:
    wanted = resolve(DeblurSettings(light_sheet_fwhm_um=3), stack())
    request = wanted.request(np.zeros((20, 64, 64)))
    assert (request.per, request.z_step_um, request.light_sheet_fwhm_um) == ("volume", 0.3, 3)
    assert request.model is None
    assert not request.focus_series


def test_a_z_step_in_nanometres_is_noticed() -> None:
    wanted = resolve(DeblurSettings(z_step_um=300), stack())
    assert wanted.verdict is Verdict.INVALID
    assert "if these are nanometres, type 0.3" in wanted.message


def test_a_series_of_stacks_has_a_z_step_and_is_no_focus_series() -> None:
    said = facts_of(known_layer(2, 6, 64, 64, axis_labels=("t", "z", "y", "x")))
    assert (said.n_depths, said.known["z_step_um"].value) == (6, 0.5)
    wanted = resolve(DeblurSettings(per="plane", focus_series=True), said)
    assert (wanted.focus_step_um, wanted.z_step_um) == (None, None)


def test_planes_that_are_not_beside_one_another_are_no_stack() -> None:
    said = facts_of(known_layer(6, 2, 64, 64, axis_labels=("z", "t", "y", "x")))
    assert said.n_depths == 1
    assert "volume" not in resolve(DeblurSettings(), said).scopes


def test_a_layer_can_say_that_it_is_of_a_light_sheet() -> None:
    metadata = {"deepblur": {"optics": OPTICS, "microscope": "light sheet"}}
    assert facts_of(known_layer(6, 64, 64, metadata=metadata)).is_light_sheet
    assert not facts_of(known_layer(6, 64, 64)).is_light_sheet


def test_a_problem_of_the_layer_comes_first() -> None:
    wanted = resolve(DeblurSettings(), LayerFacts(problem="colour"))
    assert (wanted.verdict, wanted.message) == (Verdict.UNUSABLE, "colour")


@pytest.mark.parametrize(
    ("wishes", "said", "depth_um"),
    [
        ({"per": "plane"}, {}, 5.7),
        ({"per": "stack"}, {}, 5.7),
        ({"per": "volume"}, {}, None),
        ({"per": "plane", "focus_series": True}, {}, None),
        ({"per": "plane"}, {"is_light_sheet": True}, None),
        ({"per": "plane"}, {"n_depths": 1}, None),
    ],
)
def test_planes_of_a_widefield_stack_may_share_their_light(wishes, said, depth_um) -> None:
    wanted = resolve(DeblurSettings(**wishes), replace(stack(), **said))
    assert wanted.shares_light_over_um == (None if depth_um is None else pytest.approx(depth_um))


def test_a_pixel_size_in_nm_is_asked_about() -> None:
    said = facts(**OPTICS | {"pixel_size_um": 65})
    wanted = resolve(DeblurSettings(), said)
    assert wanted.verdict is Verdict.INVALID
    assert wanted.message == "A pixel size of 65 µm is too large: did you mean 65 nm (0.065)?"
    assert (
        "did you mean"
        not in resolve(DeblurSettings(), facts(**OPTICS | {"pixel_size_um": 1})).message
    )
