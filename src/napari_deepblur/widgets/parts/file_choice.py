"""Dialogs for files and folders, which open where the last one was closed."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_deepblur.widgets.last_time import recall, remember

__all__ = ["choose_file", "choose_folder", "choose_new_file"]


def choose_file(parent: QWidget, title: str, kinds: str) -> str:
    """Ask for a file; empty where the user gives none.

    Parameters
    ----------
    parent
        Widget that asks.
    title
        Title of the dialog.
    kinds
        Filter of names, as Qt writes it.
    """
    path, _ = QFileDialog.getOpenFileName(parent, title, _start(), kinds)
    return _noted(path, Path(path).parent)


def choose_new_file(parent: QWidget, title: str, name: str, kinds: str) -> str:
    """Ask where to write a file; empty where the user gives none.

    Parameters
    ----------
    parent
        Widget that asks.
    title
        Title of the dialog.
    name
        Name that is proposed.
    kinds
        Filter of names, as Qt writes it.
    """
    path, _ = QFileDialog.getSaveFileName(parent, title, str(Path(_start(), name)), kinds)
    return _noted(path, Path(path).parent)


def choose_folder(parent: QWidget, title: str) -> str:
    """Ask for a folder; empty where the user gives none.

    Parameters
    ----------
    parent
        Widget that asks.
    title
        Title of the dialog.
    """
    folder = QFileDialog.getExistingDirectory(parent, title, _start())
    return _noted(folder, Path(folder).parent)


def _start() -> str:
    folder = recall().folder
    return folder if folder and Path(folder).is_dir() else ""


def _noted(path: str, folder: Path) -> str:
    if path:
        remember(folder=str(folder))
    return path
