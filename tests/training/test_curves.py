"""The log of a run and its picture."""

import csv
import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from napari_deepblur.training import curves
from napari_deepblur.training.curves import TrainingLog, plot_log

N_DB = 23.5


def row(step, *, stage=1, before=0, **figures):
    crops = 64 * step
    return {
        "step": step,
        "stage": stage,
        "crops": crops,
        "crops_in_stage": crops - before,
        "learning_rate": 1e-3 / step,
        "crops_per_second": 50.0,
        "loss": -math.log(step),
    } | figures


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def write_two_stages(folder):
    log = TrainingLog(folder, 0)
    for step in (1, 2, 3):
        log.write(row(step, **{"natural psf_snr_db sigma=0": 5.0 + step}))
    log.write(row(4, stage=2, before=192, **{"natural psf_snr_db sigma=0": 8.0}))
    return folder / "log.csv"


def lines_of(figure):
    """Points (n, 2) by panel title and label."""
    return {
        (ax.get_title(loc="left"), line.get_label()): np.transpose(line.get_data())
        for ax in figure.axes
        for line in ax.get_lines()
        if line.get_linestyle() != "--"
    }


def test_each_column_is_drawn_against_crops(tmp_path):
    rows = read(write_two_stages(tmp_path))
    figure = curves._figure(rows)
    lines = lines_of(figure)
    assert {title for title, _ in lines} == {"loss", "learning rate", "psf_snr_db"}
    snr = lines["psf_snr_db", "natural sigma=0"]
    np.testing.assert_allclose(snr, [(64, 6), (128, 7), (192, 8), (256, 8)])
    (loss,) = (points for (title, _), points in lines.items() if title == "loss")
    np.testing.assert_allclose(loss[:, 1], -np.log([1, 2, 3, 4]), rtol=1e-4)


def test_stages_begin_where_they_did(tmp_path):
    figure = curves._figure(read(write_two_stages(tmp_path)))
    for ax in figure.axes:
        marks = [line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == "--"]
        assert marks == [0, 192]


def test_figures_that_came_later_are_drawn_too(tmp_path):
    log = TrainingLog(tmp_path, 0)
    log.write(row(1))
    log.write(row(2, **{"beads psnr_db": N_DB, "odd": math.nan}))
    assert read(tmp_path / "log.csv")[0]["beads psnr_db"] == ""
    lines = lines_of(curves._figure(read(tmp_path / "log.csv")))
    np.testing.assert_allclose(lines["psnr_db", "beads"], [(128, N_DB)])


def test_the_picture_lies_beside_the_log_and_shows_something(tmp_path):
    write_two_stages(tmp_path)
    with Image.open(tmp_path / "curves.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    assert {path.name for path in tmp_path.iterdir()} == {"log.csv", "curves.png"}


def test_no_text_is_cut_off_or_overlaps(tmp_path):
    log = TrainingLog(tmp_path, 0)
    for step in range(1, 9):
        names = (f"{source} psf_snr_db sigma={s}" for source in "ab" for s in (0, 0.05))
        figures = {f"some_long_folder_{name}": float(step) for name in names}
        log.write(row(step, stage=1 + step // 5, before=256 * (step // 5), **figures))
    figure = curves._figure(read(tmp_path / "log.csv"))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [ax.get_tightbbox(canvas.get_renderer()) for ax in figure.axes]
    width, height = figure.bbox.size
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    for upper, lower in pairwise(boxes):
        assert upper.y0 >= lower.y1 - 1


def test_a_picture_that_fails_ends_no_run(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no fonts here")

    monkeypatch.setattr(curves, "plot_log", fail)
    log = TrainingLog(tmp_path, 0)
    with pytest.warns(UserWarning, match="no fonts here"):
        log.write(row(1))
    assert read(tmp_path / "log.csv")[0]["step"] == "1"


def test_lines_of_steps_that_are_done_again_are_dropped(tmp_path):
    write_two_stages(tmp_path)
    log = TrainingLog(tmp_path, 2)
    log.write(row(3))
    assert [line["step"] for line in read(tmp_path / "log.csv")] == ["1", "2", "3"]


def test_speed_and_loss_are_those_since_the_last_line(tmp_path, monkeypatch):
    clock = iter([0.0, 4.0, 10.0, 12.0, 15.0])
    monkeypatch.setattr(curves.time, "perf_counter", lambda: next(clock))
    log = TrainingLog(tmp_path, 0)
    log.count(1.0, 64)
    log.count(3.0, 64)
    assert log.means() == {"crops_per_second": 32.0, "loss": 2.0}
    log.write(row(2))  # at 10 s
    log.count(5.0, 64)
    assert log.means() == {"crops_per_second": 32.0, "loss": 5.0}
    assert log.n_crops == 192
    assert log.seconds == 15.0


def test_large_numbers_of_crops_keep_their_digits(tmp_path):
    TrainingLog(tmp_path, 0).write(row(123_457))
    assert read(tmp_path / "log.csv")[0]["crops"] == str(64 * 123_457)


def test_an_empty_log_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_log(tmp_path / "log.csv", tmp_path / "curves.png")
