"""Whole or not at all, whatever goes wrong and whenever."""

import os
from pathlib import Path

import pytest

from napari_deepblur.atomic import check_writable, replacing, replacing_files


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_is_put_in_place_at_the_end(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with replacing(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["result.txt"]


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path, failure):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def write_half():
        with replacing(path) as aside:
            aside.write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.txt"]


def test_a_folder_replaces_a_folder_and_a_file(tmp_path):
    path = tmp_path / "result"
    path.write_text("a file")
    for content in "ab":
        with replacing(path) as aside:
            aside.mkdir()
            (aside / content).write_text(content)
        assert names(path) == [content]
    assert names(tmp_path) == ["result"]


def test_what_a_crash_left_aside_is_cleared(tmp_path):
    (tmp_path / ".partial-result").mkdir()
    (tmp_path / ".partial-result" / "rubbish").write_text("")
    with replacing(tmp_path / "result") as aside:
        aside.write_text("new")
    assert names(tmp_path) == ["result"]


def test_files_of_others_stay_in_the_folder(tmp_path):
    folder = tmp_path / "calibration"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with replacing_files(folder) as aside:
        (aside / "family.npz").write_text("new")
    assert names(folder) == ["family.npz", "thesis.txt"]
    assert names(tmp_path) == ["calibration"]


def test_a_failed_folder_is_not_left_behind(tmp_path):
    folder = tmp_path / "a" / "b"

    def write_half():
        with replacing_files(folder) as aside:
            (aside / "family.npz").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert names(tmp_path) == []


@pytest.mark.parametrize("n_moved", range(4))
def test_all_files_are_put_in_place_or_none(tmp_path, monkeypatch, n_moved):
    folder = tmp_path / "calibration"
    folder.mkdir()
    for name in "ac":
        (folder / name).write_text("old")
    rename, moved = Path.rename, []

    def fails_in_time(self, target):
        if self.parent.name.startswith(".partial-"):
            if len(moved) == n_moved:
                raise OSError("disk trouble")
            moved.append(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_in_time)
    files = ["a", "b", "c"]

    def write():
        with replacing_files(folder) as aside:
            for name in files:
                (aside / name).write_text("new")

    if n_moved < len(files):
        with pytest.raises(OSError, match="disk trouble"):
            write()
        expected = {"a": "old", "c": "old"}
    else:
        write()
        expected = dict.fromkeys(files, "new")
    assert {name: (folder / name).read_text() for name in names(folder)} == expected
    assert names(tmp_path) == ["calibration"]


def test_a_place_that_cannot_be_written_is_seen_before(tmp_path):
    check_writable(tmp_path / "new" / "folder" / "file.txt")
    assert names(tmp_path) == []
    with pytest.raises(OSError, match="x"):
        check_writable(tmp_path / ("x" * 300))
    (tmp_path / "file").write_text("")
    with pytest.raises((NotADirectoryError, FileNotFoundError)):
        check_writable(tmp_path / "file" / "inside")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_of_another_user_is_seen_before(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        check_writable(tmp_path / "file.txt")
