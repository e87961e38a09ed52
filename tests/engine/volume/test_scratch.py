"""Arrays of work in memory and in temporary files."""

import shutil
from typing import NamedTuple

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deepblur.engine.volume import scratch
from napari_deepblur.engine.volume.scratch import Scratch, scratch_folder


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_a_file_holds_what_an_array_holds(tmp_path_factory, data):
    shape = tuple(data.draw(st.integers(1, 6)) for _ in range(3))
    dtype = data.draw(st.sampled_from([np.float32, np.complex64]))
    array = np.zeros(shape, dtype)
    rng = np.random.default_rng(0)
    with Scratch(tmp_path_factory.mktemp("scratch")) as room:
        stored = room.array(shape, dtype)
        for _ in range(4):
            ends = [
                data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))
                for n in shape[:2]
            ]
            part = tuple(slice(min(two), max(two)) for two in ends)
            values = rng.normal(size=array[part].shape).astype(dtype)
            stored[part] = array[part] = values
            np.testing.assert_array_equal(stored[:, :], array)
            np.testing.assert_array_equal(stored[part], array[part])


def test_only_large_works_take_the_disk(monkeypatch):
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 1000)
    with Scratch.of(1000) as small, Scratch.of(1001) as large:
        assert isinstance(small.array((1, 2, 3), np.float32), np.ndarray)
        assert not isinstance(large.array((1, 2, 3), np.float32), np.ndarray)


def test_little_free_memory_takes_the_disk(monkeypatch):
    free = psutil.virtual_memory()._replace(available=100)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with Scratch.of(51) as large:
        assert large.folder is not None


def test_nothing_is_left(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch.tempfile, "tempdir", None)
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 0)
    with Scratch.of(1) as large:
        stored = large.array((2, 3, 4), np.float32)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        stored[:, :]


def test_a_full_disk_is_told_before_the_work(monkeypatch):
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 10**9))
    with pytest.raises(OSError, match=r"2\.5 GB .* has 1\.0 GB free"):
        Scratch.of(2_500_000_000)


def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch.tempfile, "tempdir", None)
    assert scratch_folder() == tmp_path
