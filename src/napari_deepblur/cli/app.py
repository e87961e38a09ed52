"""The program `deepblur` and its commands."""

import sys
from typing import Annotated

import typer

from napari_deepblur import __version__
from napari_deepblur.cli.batch import batch
from napari_deepblur.cli.calibrate import calibrate
from napari_deepblur.cli.deblur import deblur
from napari_deepblur.cli.demo import demo
from napari_deepblur.cli.errors import INTERRUPTED, OneLineErrors
from napari_deepblur.cli.estimate import estimate
from napari_deepblur.cli.evaluate import evaluate
from napari_deepblur.cli.info import info
from napari_deepblur.cli.models import models
from napari_deepblur.cli.simulate import simulate
from napari_deepblur.cli.train import train
from napari_deepblur.openmp import let_waiting_threads_sleep

__all__ = ["app", "main"]

app = typer.Typer(
    name="deepblur",
    cls=OneLineErrors,
    help="Read the blur off microscope images and take it out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text: opens faster, reads the same in a log.
    rich_markup_mode=None,
)
for command in (demo, estimate, deblur, batch, calibrate, info, models, simulate, train):
    app.command()(command)
app.add_typer(evaluate, name="evaluate")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Read the blur off microscope images and take it out.

    Errors are one line; set DEEPBLUR_DEBUG=1 for the traceback.
    """


def main() -> None:
    """Run the program; the entry point of the package."""
    let_waiting_threads_sleep()
    try:
        app()
    except KeyboardInterrupt:  # before any command began
        sys.exit(INTERRUPTED)
