"""Runs that are killed go on where they were, and end as if nothing had happened."""

import errno
import os
import shutil
from itertools import count

import numpy as np
import pytest
from interruptions import bytes_of, survive

from helpers.command_line import OPTICS, fail, observed, run, succeed, write
from napari_deepblur.engine import blocks
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.file_run import FileRun
from napari_deepblur.engine.request import Request, open_source
from napari_deepblur.engine.tile_restoration import restore_plane_job
from napari_deepblur.io import read_image


@pytest.mark.timeout(900)  # it starts the program five times
def test_a_killed_process(tmp_path, tiny_model):
    image = write(tmp_path / "image.ome.zarr", observed((20, 96, 96)), "ZYX")
    command = ["deblur", str(image), *OPTICS, "--model", str(tiny_model)]
    survival = survive(command, [tmp_path / "sharp.ome.zarr"], times=3)
    assert survival.n_killed == 3
    assert survival.n_ended


class Stopped(BaseException):
    """Something that no code expects."""


def stopping_after(n_planes):
    """Restoration that stops the program at a plane."""
    done = []

    def job(*arguments, **options):
        if len(done) == n_planes:
            raise Stopped
        done.append(arguments)
        return (yield from restore_plane_job(*arguments, **options))

    return job


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_MOST_PLANES", 1)


@pytest.mark.usefixtures("small_blocks")
def test_no_plane_is_computed_twice_and_the_tiles_stay(tmp_path, tiny_model, monkeypatch):
    from napari_deepblur.engine import deblur as module

    image = write(tmp_path / "image.tif", observed((4, 160, 144)), "ZYX")
    command = ("deblur", image, *OPTICS, "--model", tiny_model, "--out")
    undisturbed, out = tmp_path / "undisturbed.zarr", tmp_path / "out.zarr"
    sides = iter([136, 136, 512])  # as if memory was short at first

    with monkeypatch.context() as patch:
        patch.setattr(module, "largest_tile", lambda *_: next(sides))
        succeed(*command, undisturbed)
        patch.setattr(module, "restore_plane_job", stopping_after(2))
        with pytest.raises(Stopped):
            run(*command, out)
        assert not out.exists()
        patch.setattr(module, "restore_plane_job", stopping_after(2))
        told = succeed(*command, out).stderr
    assert "2 planes are finished" in told
    assert bytes_of(out) == bytes_of(undisturbed)


class FullDisk:
    """A disk that is full from some write on."""

    def __init__(self, n_writes):
        self.left = n_writes

    def fsync(self, _):
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1


@pytest.mark.parametrize("ending", [".ome.zarr", ".ome.tif"])
@pytest.mark.usefixtures("small_blocks")
def test_a_full_disk(tmp_path, tiny_model, monkeypatch, ending):
    image = write(tmp_path / "image.zarr", observed((3, 64, 72)), "ZYX", pixel_size_um=0.09)
    out, residual = (tmp_path / f"{name}{ending}" for name in ("sharp", "residual"))
    command = ("deblur", image, *OPTICS, "--model", tiny_model, "--out")
    succeed(*command, out, "--residual", residual)
    expected = [bytes_of(out), bytes_of(residual)]
    for path in (out, residual):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    journal = tmp_path / f".unfinished-{out.name}" / "finished.jsonl"
    n_finished = []
    for n_writes in count(7, 11):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", FullDisk(n_writes).fsync)
            result = run(*command, out, "--residual", residual)
        if result.exit_code == 0:
            break
        assert "No space left on device" in result.stderr
        assert not out.exists()
        assert not residual.exists()
        n_finished.append(len(journal.read_text().splitlines()) if journal.exists() else 0)
    assert n_finished == sorted(n_finished)
    assert len(n_finished) > 2
    assert [bytes_of(out), bytes_of(residual)] == expected
    assert set(tmp_path.iterdir()) == {image, out, residual}


@pytest.mark.usefixtures("small_blocks")
def test_volumes(tmp_path, tiny_model, monkeypatch):
    """What the check found of volumes that were finished before is kept, and their residual."""
    from napari_deepblur.engine import file_run as module

    image = write(tmp_path / "image.zarr", observed((3, 4, 64, 64)), "TZYX", z_step_um=0.3)
    blur = tmp_path / "blur.json"
    succeed("estimate", image, *OPTICS, "--per", "volume", "--out", blur)
    words = ("deblur", image, "--blur", blur, "--per", "volume")
    files = [[tmp_path / f"{kind}{n}.zarr" for kind in "sr"] for n in range(2)]
    succeed(*words, "--out", files[0][0], "--residual", files[0][1])
    done = []

    class Killed(module.StepOfPlanes):
        def job(self, source):
            if len(done) == 2:
                raise Stopped
            done.append(self.block)
            return super().job(source)

    with monkeypatch.context() as patch:
        patch.setattr(module, "StepOfPlanes", Killed)
        with pytest.raises(Stopped):
            run(*words, "--out", files[1][0], "--residual", files[1][1])
    told = succeed(*words, "--out", files[1][0], "--residual", files[1][1]).stderr
    assert "8 planes are finished" in told
    for undisturbed, again in zip(*files, strict=True):
        assert bytes_of(again) == bytes_of(undisturbed)


@pytest.mark.usefixtures("small_blocks")
def test_blank_planes_among_others(tmp_path, tiny_model):
    """Each plane is a block here: one that tells nothing is not the end."""
    data = observed((3, 64, 72))
    data[1] = 7
    image = write(tmp_path / "image.zarr", data, "ZYX")
    command = ("deblur", image, *OPTICS, "--model", tiny_model, "--out")
    assert "plane 1: blank" in succeed(*command, tmp_path / "a.zarr").stderr
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr").data[1], data[1])
    write(image, np.full_like(data, 7), "ZYX", overwrite=True)
    assert "there is no blur to read" in fail(*command, tmp_path / "b.zarr")


def test_another_request_begins_anew(tmp_path, tiny_model):
    image = write(tmp_path / "image.tif", observed((2, 64, 72)), "ZYX", pixel_size_um=0.09)
    optics = {"numerical_aperture": 1.4, "wavelength_um": 0.52}
    first = Request(image=image, optics=optics, model=str(tiny_model))

    def steps(request, n_done):
        """Kinds of the steps that are to be done, of which some are done."""
        with FileRun(request, open_source(request), tmp_path / "out.zarr", None) as work:
            left = work.steps()
            for step in left[:n_done]:
                work.keep(step, finish(step.job(work.source)))
        return [type(step).__name__ for step in left]

    assert steps(first, 1) == ["StepOfBlur"]
    assert steps(first, 0) == ["StepOfPlanes"]
    assert steps(first.model_copy(update={"per": "stack"}), 1) == ["StepOfBlur"]
    assert steps(first, 1) == ["StepOfBlur"]
    write(tmp_path / "new.tif", observed((2, 64, 72), seed=1), "ZYX", pixel_size_um=0.09)
    (tmp_path / "new.tif").replace(image)
    assert steps(first, 0) == ["StepOfBlur"]
