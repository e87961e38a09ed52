"""Work spread over workers: the same bytes, whoever did what, and whoever was lost."""

import csv
import os
import signal
import sys
from dataclasses import dataclass

import pytest
import torch
from distributed import LocalCluster
from interruptions import bytes_of

from helpers.command_line import OPTICS, fail, observed, run, write
from napari_deepblur.cli.batch import workers as module
from napari_deepblur.cli.batch.workers import do_step
from napari_deepblur.engine import blocks

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two workers, of one thread each."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def words(tmp_path, tiny_model, monkeypatch):
    """Words of a batch of one image of several blocks, one of one, and a damaged one."""
    monkeypatch.setattr(blocks, "_MOST_PLANES", 2)
    images = tmp_path / "images"
    images.mkdir()
    write(images / "a.ome.zarr", observed((5, 64, 72)), "ZYX", pixel_size_um=0.09)
    write(images / "b.tif", observed((64, 72)), pixel_size_um=0.09)
    (images / "c.tif").write_bytes(b"II*\0nothing of an image")
    return ["batch", images, *OPTICS, "--model", tiny_model, "--out"]


@pytest.fixture
def undisturbed(words, tmp_path):
    """What comes of it in this process, with one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run(*words, tmp_path / "alone")
    torch.set_num_threads(n_threads)
    return outputs(tmp_path / "alone")


def outputs(folder):
    return {path.name: bytes_of(path) for path in sorted(folder.glob("*.zarr"))}


def rows(folder):
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return [(row["output"], row["status"]) for row in csv.DictReader(file)]


def test_workers_give_the_same_bytes(words, undisturbed, cluster, tmp_path):
    out = tmp_path / "out"
    result = run(*words, out, "--scheduler", cluster.scheduler_address)
    assert result.exit_code == 1
    assert "error: 1 of 3 images failed" in result.stderr
    assert rows(out) == [("a.ome.zarr", "done"), ("b.ome.zarr", "done"), ("", "failed")]
    assert outputs(out) == undisturbed
    assert not list(out.glob(".unfinished-*"))
    assert (out / "report.html").read_text(encoding="utf-8").count("data:image/png;base64,") == 6


@dataclass
class Lethal:
    """A step that ends the first worker which begins it."""

    step: object
    mark: object

    def job(self, source):
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        return self.step.job(source)

    @property
    def request(self):
        return self.step.request


def test_the_work_of_a_lost_worker_is_done_again(words, undisturbed, tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    monkeypatch.setattr(module, "do_step", lambda step: do_step(Lethal(step, mark)))
    run(*words, tmp_path / "out", "--workers", 2)
    assert mark.exists()
    assert outputs(tmp_path / "out") == undisturbed


def test_a_step_that_fails_costs_its_own_image(words, undisturbed, cluster, tmp_path, monkeypatch):
    def fails(step):
        if step.n_planes == 1 and step.request.image.name.startswith("a"):
            raise ValueError("the last plane is a bad one")
        return do_step(step)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(module, "do_step", fails)
        run(*words, out, "--scheduler", cluster.scheduler_address)
    assert [status for _, status in rows(out)] == ["failed", "done", "failed"]
    assert "the last plane is a bad one" in (out / "summary.csv").read_text(encoding="utf-8")
    run(*words, out, "--scheduler", cluster.scheduler_address)
    assert outputs(out) == undisturbed


def test_a_run_without_workers_goes_on(words, undisturbed, cluster, tmp_path, monkeypatch):
    """What workers left half done can be done here, and the other way round."""

    def fails(step):
        if step.block is not None and step.block.start == 2:
            raise ValueError("not now")
        return do_step(step)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(module, "do_step", fails)
        run(*words, out, "--scheduler", cluster.scheduler_address)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run(*words, out)
    torch.set_num_threads(n_threads)
    assert outputs(out) == undisturbed


def test_refusals(words, tmp_path, monkeypatch):
    both = ("--workers", 2, "--scheduler", "tcp://127.0.0.1:1")
    assert "give one of them" in fail(*words, tmp_path / "out", *both)
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = fail(*words, tmp_path / "out", "--workers", 2)
    assert "pip install 'napari-deepblur[cluster]'" in told


def test_no_scheduler(words, tmp_path, monkeypatch):
    import distributed

    monkeypatch.setattr(
        distributed, "Client", lambda *_, **__: (_ for _ in ()).throw(OSError("no"))
    )
    told = fail(*words, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1")
    assert "there is no scheduler at tcp://127.0.0.1:1" in told
