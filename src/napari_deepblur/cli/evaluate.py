"""`deepblur evaluate`: the figures that the model cards state."""

# No postponed annotations here: typer reads them when a command is declared.

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import print_json

__all__ = ["evaluate"]


def evaluate(
    images: Annotated[
        list[str],
        typer.Option("--images", help="NAME=FOLDER of sharp images; can be given several times."),
    ],
    *,
    model: given.ModelOption = None,
    n_images: Annotated[int, typer.Option("--n", help="Blurs × images for each figure.")] = 60,
    size: Annotated[int, typer.Option(help="Side of the observed images in pixels.")] = 400,
    write: Annotated[
        bool, typer.Option("--write", help="Put the figures into the model folder.")
    ] = False,
    as_json: given.AsJson = False,
) -> None:
    """Measure a model on the held-out images of folders, beside the floors."""
    from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
    from napari_deepblur.training.evaluation import evaluate_job, markdown_table, record

    folders = dict(_name_and_folder(text) for text in images)
    opened = load_model(model or DEFAULT_MODEL)
    results = drive(evaluate_job(opened, folders, n_images=n_images, size=size))
    if write:
        record(opened, results)
    if as_json:
        print_json({"model": opened.name, "accuracy": [asdict(result) for result in results]})
    else:
        typer.echo(markdown_table(results))


def _name_and_folder(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not (separator and name and folder):
        raise ValueError(f"--images takes NAME=FOLDER, such as natural=photos, got {text!r}")
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    return name, Path(folder)
