"""3-D blurs in the dock, without Qt and without an estimate."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import deblurred, estimated, estimated_in_3d, geometry_of, known_layer
from napari_deepblur import load_blur
from napari_deepblur.widgets.deblur.deblur_task import deblur_task
from napari_deepblur.widgets.deblur.layers import psf_layers
from napari_deepblur.widgets.layers.stack_plane import current_index
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done


def series(n_times: int = 2, n_planes: int = 8) -> Image:
    return known_layer(n_times, n_planes, 64, 64, axis_labels=("t", "z", "y", "x"))


@pytest.fixture
def bench() -> Bench:
    return Bench(known_layer(8, 64, 64))


def estimate(bench: Bench, found) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(found))


def shown(bench: Bench):
    return bench.view.show_blur.call_args.args[0]


def test_the_table_is_of_the_whole_stack(bench: Bench) -> None:
    assert bench.resolved.per == "volume"
    found = estimated_in_3d(concerns=((),))
    estimate(bench, found)
    table = shown(bench)
    assert (table.title, table.n_planes, table.z_step_um) == ("cells", 1, 0.5)
    assert any("spherical" in name for name in table.names)
    assert table.psf.psf.shape == table.quality.unaberrated.shape == (31, 49, 49)
    assert table.twin_resolved
    bench.viewer.dims.set_point(0, 3)
    np.testing.assert_array_equal(shown(bench).coefficients, table.coefficients)
    assert bench.message == (Tone.GOOD, "Estimated the blur of 'cells'.")


def test_a_perfect_objective_is_sharper_than_an_aberrated_one() -> None:
    quality = estimated_in_3d(2).quality
    assert 1 > quality.strehl[0] > quality.strehl[1] > 0
    assert quality.widths_um[1] > quality.widths_um[0] > quality.unaberrated_width_um > 0.18
    # 2 nλ / NA² is the distance of the first zeros on the axis.
    assert 0.4 < quality.unaberrated_depth_um < 0.9


def test_the_table_follows_the_time_points_and_a_click_moves_to_them() -> None:
    bench = Bench(series(3))
    found = estimated_in_3d(3, concerns=((), ("the stack does not tell its blur: x",), ()))
    estimate(bench, found)
    bench.viewer.dims.set_point(1, 2.5)
    for volume in (2, 0, 1):
        bench.controller.go_to_plane(volume)
        table = shown(bench)
        assert (table.title, table.planes) == (f"cells, time point {volume}", "time point")
        np.testing.assert_array_equal(table.coefficients, found.blur.coefficients[volume])
        assert table.twin_resolved == (volume != 1)
        assert current_index(bench.viewer, bench.controller.layer, "Z") == 5
    assert "1 of 3 time points is in doubt" in bench.message[1]


@pytest.mark.parametrize("n_planes", [8, 9, 40])
def test_the_psf_layer_has_the_images_voxels_and_lies_in_the_middle_of_the_stack(n_planes) -> None:
    source = known_layer(n_planes, 64, 96, translate=(3, 0, 0))
    found = estimated_in_3d(n_planes=n_planes)
    ((data, arguments),) = psf_layers(source, found)
    result = Image(data, **arguments)
    assert (result.units, result.axis_labels) == (source.units, source.axis_labels)
    np.testing.assert_allclose(result.scale, source.scale)
    z, y, x = np.unravel_index(int(data.argmax()), data.shape)
    assert (y, x) == (24, 24)
    at = source.world_to_data(result.data_to_world((z, y, x)))
    assert abs(at[0] - (n_planes - 1) / 2) <= 1.5
    ends = [source.world_to_data(result.data_to_world((n, 0, 0)))[0] for n in (0, len(data) - 1)]
    assert ends[0] >= 0
    assert ends[1] <= n_planes - 1
    json.dumps(arguments["metadata"])
    assert arguments["metadata"]["deepblur"]["z_step_um"] == 0.5


def test_every_time_point_has_a_psf() -> None:
    own, _ = psf_layers(series(3), estimated_in_3d(3))[0]
    assert own.shape == (3, 7, 49, 49)
    assert np.abs(own[0] - own[2]).max() > 0.01 * own.max()
    shared, _ = psf_layers(series(3), estimated_in_3d())[0]
    assert shared.shape == (3, 7, 49, 49)
    assert shared.strides[0] == 0


def test_the_psf_layer_follows_its_image(bench: Bench) -> None:
    estimate(bench, estimated_in_3d())
    before = bench.viewer.layers["PSF (cells)"].translate.copy()
    bench.viewer.layers["cells"].translate = (1, 2, 3)
    np.testing.assert_allclose(
        bench.viewer.layers["PSF (cells)"].translate, np.add(before, (1, 2, 3))
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"z_step_um": 0.4}, "z step 0.5 µm"),
        ({"light_sheet_fwhm_um": 3}, "widefield"),
        ({"per": "plane"}, "one 3-D blur of the stack"),
        ({"numerical_aperture": 1.3}, "numerical aperture 1.4"),
        ({"model": "spim", "per": "volume"}, ""),
    ],
)
def test_another_setting_marks_the_estimate(bench: Bench, change, says: str) -> None:
    estimate(bench, estimated_in_3d())
    assert not shown(bench).outdated
    bench.controller.settings.update(change)
    assert shown(bench).outdated == says


def test_a_blur_of_planes_is_marked_where_a_3d_one_is_wanted(bench: Bench) -> None:
    bench.controller.settings.per = "plane"
    estimate(bench, estimated(8))
    bench.controller.settings.per = "volume"
    assert shown(bench).outdated == "one blur per plane"


def test_another_z_step_stops_the_work(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.viewer.layers["cells"].scale = (0.4, 0.09, 0.09)
    assert not bench.controller.busy
    assert "was stopped" in bench.message[1]


def test_a_blur_is_saved_and_its_settings_come_back_with_it(bench: Bench, tmp_path) -> None:
    found = estimated_in_3d()
    estimate(bench, found)
    bench.controller.psf.save(tmp_path / "blur")
    again = load_blur(tmp_path / "blur.deepblur.json")
    np.testing.assert_allclose(again.coefficients, found.blur.coefficients, atol=1e-6)
    bench.controller.settings.update({"per": "plane", "light_sheet_fwhm_um": 2})
    bench.controller.psf.load(tmp_path / "blur.deepblur.json")
    bench.runner.on_end(Done(found))
    assert (bench.resolved.per, bench.resolved.light_sheet_fwhm_um) == ("volume", None)
    assert shown(bench).origin == "From blur.deepblur.json"


def test_a_blur_file_is_brought_to_the_layers_voxels(bench: Bench, tmp_path) -> None:
    estimated_in_3d().blur.save(tmp_path / "blur.json")
    other = bench.viewer.add_layer(known_layer(8, 64, 64, name="fine", scale=(0.25, 0.09, 0.09)))
    bench.controller.select(other)
    bench.controller.psf.load(tmp_path / "blur.json")
    (task,) = bench.runner.started
    events = list(_run(task))
    known = events[-1].blur.stack_optics
    assert (known.z_step_um, known.optics.pixel_size_um) == (0.25, 0.09)
    assert any("computed anew" in getattr(event, "text", "") for event in events)


def _run(task):
    yield (yield from task)


def test_a_blur_is_taken_out_in_3d_whatever_is_chosen_now(bench: Bench) -> None:
    found = estimated_in_3d()
    bench.controller.settings.per = "plane"
    task = deblur_task(bench.viewer.layers["cells"].data, bench.resolved, found)
    *_, result = _run(task)
    assert result.sharp.shape == (8, 64, 64)
    assert np.isfinite(result.sharp).all()


def test_the_deblurred_stack_lies_on_the_image(bench: Bench) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated_in_3d(), 8, 64, 64, check=None)))
    sharp, source = bench.viewer.layers["deblurred, 3-D PSF (cells)"], bench.viewer.layers["cells"]
    assert str(geometry_of(sharp)) == str(geometry_of(source))
    assert sharp.metadata["deepblur"]["per"] == "volume"


def test_figures_are_exported(tmp_path) -> None:
    bench = Bench(series(2))
    bench.controller.psf.export(tmp_path / "none")
    assert bench.message[0] is Tone.ERROR
    estimate(bench, estimated_in_3d(2))
    curves = shown(bench).curves
    assert list(curves)[:3] == ["Strehl ratio", "width (µm)", "depth (µm)"]
    assert "Z11 spherical (waves RMS)" in curves
    bench.controller.psf.export(tmp_path / "figures")
    assert bench.message == (Tone.GOOD, "Wrote the figures to figures.csv.")
    lines = (tmp_path / "figures.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("0,")
