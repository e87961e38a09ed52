"""`deepblur train`: train a network without a window."""

# No postponed annotations here: typer reads them when a command is declared.

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import print_json
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.model_card import Kind

if TYPE_CHECKING:
    from napari_deepblur.engine.events import Job
    from napari_deepblur.training.loop import Validated

__all__ = ["train"]


def train(
    what: Annotated[
        Literal[Kind, "spectral-prior"],
        typer.Argument(help="Which network, or the prior by which estimates are refined."),
    ],
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Settings of the run.")],
    *,
    as_json: given.AsJson = False,
) -> None:
    """Train a network headless; an interrupted run goes on where it stopped.

    The spectral prior is learned in minutes, from the same images, for a model that has its
    identification network.

    On several GPUs: torchrun --nproc-per-node 2 -m napari_deepblur train WHAT CONFIG.yaml
    """
    try:
        from napari_deepblur.training.config import read_config
        from napari_deepblur.training.processes import Processes
        from napari_deepblur.training.run import CONFIGS, train_job
    except ModuleNotFoundError as error:
        if error.name not in {"yaml", "PIL"}:
            raise
        raise ImportError(
            f"training needs {error.name}: pip install 'napari-deepblur[train]'"
        ) from error
    settings = read_config(config, CONFIGS[what])
    job = train_job(what, settings)
    if not Processes.of_environment().is_first:
        finish(job)
        return
    folder = drive(_tell_validations(job, to_stderr=as_json))
    if as_json:
        print_json({"model": folder})
    else:
        typer.echo(f"wrote the {what} into {folder}")


def _tell_validations(job: "Job[Path]", *, to_stderr: bool) -> "Job[Path]":
    """Print a line at each validation of a job and one at the end."""
    from tqdm import tqdm

    from napari_deepblur.training.loop import Validated

    def tell(line: str) -> None:
        # Through the bar, which would stand in the middle of the line.
        tqdm.write(line, file=sys.stderr if to_stderr else sys.stdout)

    last: Validated | None = None
    with closing(job):
        while True:
            try:
                event = next(job)
            except StopIteration as stop:
                folder: Path = stop.value
                break
            if isinstance(event, Validated):
                tell(_validation_line(event))
                last = event
            yield event
    if last is not None:
        speed = last.n_crops / last.seconds
        tell(f"{last.n_crops} crops in {last.seconds:.0f} s, {speed:.1f} crops/s with validation")
    return folder


def _validation_line(event: "Validated") -> str:
    figures = "".join(f"  {name} {value:.2f}" for name, value in event.figures.items())
    return (
        f"step {event.done} of {event.total}  {event.stage}  "
        f"{event.crops_per_second:.1f} crops/s  loss {event.loss:.4f}{figures}"
    )
