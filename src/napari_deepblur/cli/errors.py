"""Whatever a user can act upon ends in one line and an exit code."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from napari_deepblur.errors import DeviceError, describe

__all__ = ["INTERRUPTED", "OneLineErrors"]

_ACTIONABLE = (ValueError, DeviceError, OSError, MemoryError, ImportError)
#: Exit code of a program that Ctrl-C ended.
INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """Commands whose errors and warnings are single lines on stderr."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _one_line():
            return super().invoke(ctx)


@contextmanager
def _one_line() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _OncePerText()
        try:
            yield
        except BrokenPipeError:
            raise
        except _ACTIONABLE as error:
            if os.environ.get("DEEPBLUR_DEBUG"):
                raise
            typer.echo(f"error: {_line(error)}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("stopped", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory: crop the image or close other programs"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    hint = " (--overwrite)" if isinstance(error, FileExistsError) else ""
    return describe(error) + hint


class _OncePerText:
    """Prints each warning once, without the place in the code that it comes from."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def __call__(self, message: Warning | str, *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        if text not in self._shown:
            self._shown.add(text)
            typer.echo(f"warning: {text}", err=True)
