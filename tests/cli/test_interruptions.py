"""Runs that are killed go on where they were, and end as if nothing had happened."""

import pytest
from interruptions import bytes_of, survive

from helpers.command_line import OPTICS, observed, run, succeed, write
from napari_deepblur.engine.file_run import FileRun
from napari_deepblur.engine.request import Request, open_source
from napari_deepblur.engine.tile_restoration import restore_plane_job


@pytest.mark.timeout(900)  # it starts the program five times
def test_a_killed_process(tmp_path, tiny_model):
    image = write(tmp_path / "image.ome.zarr", observed((20, 96, 96)), "ZYX")
    command = ["deblur", str(image), *OPTICS, "--model", str(tiny_model)]
    survival = survive(command, tmp_path / "sharp.ome.zarr", times=3)
    assert survival.n_killed == 3
    assert survival.n_ended


class Stopped(BaseException):
    """Something that no code expects."""


def stopping_after(n_planes):
    """Restoration that stops the program at a plane."""
    done = []

    def job(*arguments):
        if len(done) == n_planes:
            raise Stopped
        done.append(arguments)
        return (yield from restore_plane_job(*arguments))

    return job


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


def test_another_request_begins_anew(tmp_path, tiny_model):
    image = write(tmp_path / "image.tif", observed((2, 64, 72)), "ZYX", pixel_size_um=0.09)
    optics = {"numerical_aperture": 1.4, "wavelength_um": 0.52}
    first = Request(image=image, optics=optics, model=str(tiny_model))
    out = tmp_path / "out.zarr"
    plane = observed((64, 72))

    def begin(request):
        return FileRun.of(request, open_source(request), out, None).sharp

    begin(first)[(1,)] = plane
    assert begin(first).finished == {1}
    assert not begin(first.model_copy(update={"per": "stack"})).finished
    begin(first)[(0,)] = plane
    write(tmp_path / "new.tif", observed((2, 64, 72), seed=1), "ZYX", pixel_size_um=0.09)
    (tmp_path / "new.tif").replace(image)
    assert not begin(first).finished
