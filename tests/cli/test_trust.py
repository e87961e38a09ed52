"""How far to trust an estimate: what the commands say of it, and of focus series."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import napari_deepblur
from helpers.command_line import OPTICS, fail, observed, succeed, write
from napari_deepblur import BlurEstimate, DeblurringCheck, Optics
from napari_deepblur.cli.report import (
    blur_lines,
    blur_object,
    check_lines,
    check_object,
    concern_lines,
    print_json,
)
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.destination import destination
from napari_deepblur.engine.events import Progress
from napari_deepblur.io import read_image

SATURATED = Concern.of(ConcernKind.SATURATED, share=0.03)
FOREIGN = Concern.of(ConcernKind.UNLIKE)
COARSE = Concern.read("undersampled: the pixels are coarse")
UNEXPLAINED = Concern.read("not explained: by far")


def blur_of(*concerns, **changes):
    n = len(concerns)
    coefficients = np.linspace(-0.1, 0.1, 7 * n, dtype=np.float32).reshape(n, 7)
    concerns = tuple(tuple(map(Concern.read, row)) for row in concerns)
    fields = {"n_planes": n, "concerns": concerns, "model": "widefield-zernike"} | changes
    optics = Optics(numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09)
    return BlurEstimate(coefficients, np.full((n, 7), 0.006, np.float32), optics, **fields)


def check_of(*concerns):
    planes = np.arange(len(concerns), dtype=np.float32)
    return DeblurringCheck(
        1 + planes, 0.5 + planes, 0.1 + planes / 100, 3 + planes, 1 + planes, 0 * planes, concerns
    )


@pytest.fixture
def answer(monkeypatch):
    """Lets the engine answer at once; returns what it was asked."""

    def install(blur, check=None):
        asked = {}

        def estimate(_image, **given):
            asked.update(given)
            yield Progress(1, 1, "estimating the blur")
            return blur

        def deblur(image, _blur, *, axes=None, into=None, **_given):
            yield Progress(1, 1, "deblurring")
            planes = Planes.of(image, axes)
            sharp, missing = destination(planes, into)
            for index in missing:
                sharp[planes.position(index)] = planes.read(index)
            return sharp

        monkeypatch.setattr("napari_deepblur.engine.restore.estimate_blur_job", estimate)

        def look(image, _sharp, _blur, *, axes=None, **_given):
            yield Progress(1, 1, "checking the result")
            return check or check_of(*((),) * len(Planes.of(image, axes)))

        monkeypatch.setattr("napari_deepblur.engine.restore.deblur_job", deblur)
        monkeypatch.setattr("napari_deepblur.engine.restore.check_deblurring_job", look)
        return asked

    return install


class TestLines:
    @pytest.mark.parametrize(
        ("concerns", "lines"),
        [
            (((),), []),
            (((SATURATED, FOREIGN),), [SATURATED, FOREIGN]),
            (((), (SATURATED,)), [f"plane 1: {SATURATED}"]),
            (
                ((SATURATED,),) * 4 + ((),) * 3 + ((SATURATED,), (), (FOREIGN,)),
                [f"planes 0–3, 7: {SATURATED}", f"plane 9: {FOREIGN}"],
            ),
            (
                (("saturated: 3 %",), (), ("saturated: 4 %",)),
                ["planes 0, 2: saturated: 3 % (plane 0)"],
            ),
        ],
    )
    def test_planes_that_share_a_concern_share_a_line(self, concerns, lines):
        assert concern_lines(blur_of(*concerns)) == lines

    def test_a_stack_has_no_plane_numbers(self):
        blur = blur_of(("saturated: 3 %", "saturated: 4 %"), per="stack", n_planes=9)
        assert concern_lines(blur) == ["saturated: 3 %"]

    def test_a_blur_that_was_not_looked_at(self):
        blur = blur_of((), (), concerns=())
        assert concern_lines(blur) == []
        assert blur_object(blur)["concerns"] == [[], []]

    @pytest.mark.parametrize("n", [1, 3, 6])
    def test_plus_minus_is_twice_the_standard_error(self, n):
        text = "\n".join(blur_lines(blur_of(*((),) * n)))
        assert "0.012" in text
        assert "0.006" not in text
        assert "95 %" in text

    def test_a_summary_leaves_out_blank_planes(self):
        blank = Concern.of(ConcernKind.BLANK, which="of this plane")
        blur = blur_of((), (), (blank,), (), (), ())
        lines = blur_lines(blur)
        assert lines[0].startswith("5 planes")
        least = blur.coefficients[[0, 1, 3, 4, 5], 3]
        assert f"{least.mean():+.3f}" in lines[4]

    def test_beads(self):
        assert "bead" not in "\n".join(blur_lines(blur_of(())))
        assert "read from 14 isolated beads" in blur_lines(blur_of((), n_beads=(14,)))
        assert "read from 1 isolated bead" in blur_lines(blur_of((), n_beads=(1,)))
        some = blur_lines(blur_of((), (), (), n_beads=(3, 0, 5)))
        assert "read from 3 … 5 isolated beads (2 of 3 planes)" in some
        assert blur_object(blur_of((), n_beads=(14,)))["n_beads"] == [14]

    def test_sign(self):
        assert "cannot tell" in blur_lines(blur_of(()))[-1]
        resolved = blur_lines(blur_of((), twin_resolved=True))[-1]
        assert "focus series told the sign" in resolved

    @pytest.mark.parametrize(("n", "head"), [(1, []), (3, ["plane 0", "plane 2"])])
    def test_check_of_few_planes(self, n, head):
        lines = check_lines(check_of(*((),) * n))
        assert all(word in lines[0] for word in head)
        assert lines[1].split()[-n:] == ["1.00", "2.00", "3.00"][:n]
        assert lines[3].split()[-n:] == ["10.0%", "11.0%", "12.0%"][:n]
        assert "does not prove" in lines[-1]

    def test_check_of_many_planes(self):
        lines = check_lines(check_of(*((),) * 9))
        assert lines[0].split()[-3:] == ["median", "min", "max"]
        assert lines[1].split()[-3:] == ["5.00", "1.00", "9.00"]

    def test_check_as_json(self, capsys):
        print_json(check_object(check_of((), (UNEXPLAINED,))))
        content = json.loads(capsys.readouterr().out)
        assert content["residual"] == [1, 2]
        assert content["noise_deviation"] == [3, 4]
        faint = replace(check_of(()), noise_deviation=np.float32([2.5e-9]))
        assert check_object(faint)["noise_deviation"] == [2.5e-9]
        assert content["concerns"] == [[], [UNEXPLAINED]]

    def test_json(self, capsys):
        print_json(blur_object(blur_of((), (SATURATED,), twin_resolved=True)))
        content = json.loads(capsys.readouterr().out)
        assert content["concerns"] == [[], [SATURATED]]
        assert content["in_domain"] == [True, False]
        assert content["twin_resolved"] is True
        np.testing.assert_allclose(content["std"], 0.006)


def told(concern, where=""):
    """The line on standard error: what is wrong, and what to do."""
    return f"warning: {where}{concern}. Next: {concern.advice}"


class TestWarnings:
    def test_estimate(self, stack, answer):
        answer(blur_of((SATURATED,), (SATURATED, COARSE)))
        result = succeed("estimate", stack, *OPTICS, "--json")
        # The engine warned of the sampling before the work.
        assert result.stderr.splitlines() == [told(SATURATED, "planes 0–1: ")]
        assert json.loads(result.stdout)["in_domain"] == [False, False]

    def test_nothing_to_warn_of(self, stack, answer):
        answer(blur_of((), ()))
        result = succeed("estimate", stack, *OPTICS)
        assert result.stderr == ""
        assert re.search(r"± 0\.012", result.stdout)

    def test_deblur(self, stack, answer, tmp_path):
        answer(blur_of((), (FOREIGN,)))
        out = tmp_path / "a.ome.tif"
        result = succeed("deblur", stack, *OPTICS, "--out", out)
        assert result.stderr.splitlines() == [told(FOREIGN, "plane 1: ")]

    def test_doubts_about_the_result(self, stack, answer, tmp_path):
        answer(blur_of((), ()), check_of((), (UNEXPLAINED,)))
        out = tmp_path / "a.ome.tif"
        result = succeed("deblur", stack, *OPTICS, "--out", out)
        assert result.stderr.splitlines() == [told(UNEXPLAINED, "plane 1: ")]

    def test_deblur_with_a_blur_file(self, stack, answer, tmp_path):
        blur = blur_of((SATURATED,), ())
        answer(None)
        blur.save(tmp_path / "blur.json")
        result = succeed(
            "deblur", stack, "--blur", tmp_path / "blur.json", "--out", tmp_path / "a.ome.zarr"
        )
        assert result.stderr.splitlines() == [told(SATURATED, "plane 0: ")]

    def test_demo(self, answer, tmp_path):
        answer(blur_of((FOREIGN,)))
        result = succeed("demo", "--no-gui", "--out", tmp_path)
        assert result.stderr.splitlines() == [told(FOREIGN, "")]
        assert "± 0.012" in result.stdout
        assert "95 %" in result.stdout


class TestFocusSeries:
    def test_takes_the_z_step_of_the_file(self, stack, answer, tmp_path):
        asked = answer(blur_of((), (), twin_resolved=True))
        out = tmp_path / "blur.json"
        result = succeed("estimate", stack, *OPTICS, "--focus-series", "--out", out)
        assert asked["z_step_um"] == pytest.approx(0.3)
        assert "told the sign" in result.stdout
        assert result.stderr == ""
        assert napari_deepblur.load_blur(out).twin_resolved

    def test_is_off_by_default(self, stack, answer):
        asked = answer(blur_of((), ()))
        succeed("estimate", stack, *OPTICS)
        assert asked["z_step_um"] is None

    def test_a_given_z_step_goes_before(self, stack, answer):
        asked = answer(blur_of((), (), twin_resolved=True))
        succeed("estimate", stack, *OPTICS, "--focus-series", "--z-step", -0.25)
        assert asked["z_step_um"] == -0.25

    def test_a_series_that_does_not_tell(self, stack, answer):
        answer(blur_of((), ()))
        result = succeed("estimate", stack, *OPTICS, "--focus-series")
        assert "stays unknown" in result.stderr
        assert "cannot tell" in result.stdout

    def test_unknown_z_step(self, tmp_path, answer):
        path = write(tmp_path / "stack.tif", observed((2, 64, 64)), "ZYX")
        assert read_image(path).metadata.z_step_um is None
        answer(blur_of((), ()))
        assert "--z-step" in fail("estimate", path, *OPTICS, "--focus-series")

    def test_no_z_axis(self, plane, tmp_path, answer):
        answer(blur_of(()))
        film = write(tmp_path / "film.tif", observed((2, 64, 64)), "TYX")
        for path in (plane, film):
            line = fail("estimate", path, *OPTICS, "--focus-series", "--z-step", 0.2)
            assert "axes ZYX" in line

    @pytest.mark.parametrize("step", ["0", "nan", "inf"])
    def test_impossible_z_step(self, stack, tiny_model, step):
        arguments = ("--model", tiny_model, "--focus-series", "--z-step", step)
        line = fail("estimate", stack, *OPTICS, *arguments)
        assert "distance between planes" in line

    def test_a_z_step_alone_is_refused(self, stack, answer):
        answer(blur_of((), ()))
        assert "--focus-series" in fail("estimate", stack, *OPTICS, "--z-step", 0.2)

    def test_through_the_engine(self, stack, tiny_model):
        arguments = ("--model", tiny_model, "--focus-series", "--json")
        content = json.loads(succeed("estimate", stack, *OPTICS, *arguments).stdout)
        assert len(content["concerns"]) == len(content["in_domain"]) == 2
        assert isinstance(content["twin_resolved"], bool)

    def test_one_blur_for_the_stack_has_no_series(self, stack):
        line = fail("estimate", stack, *OPTICS, "--focus-series", "--per", "stack")
        assert "focus series" in line
