"""The command itself: image after image, whatever becomes of one of them."""

# No postponed annotations here: typer reads them when a command is declared.

from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.report import print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_deepblur.cli.batch.jobs import BatchJob
    from napari_deepblur.cli.batch.pieces import Piece
    from napari_deepblur.cli.batch.records import Record
    from napari_deepblur.engine.batch_settings import BatchSettings

__all__ = ["batch"]


@given.expand_groups
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUTS...", help="Image files, folders of them, or patterns."),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for images, summary.csv and report.html.")],
    settings: Annotated[
        Path | None, typer.Option(help="YAML file: optics, channels, model and more.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channels to deblur, from 0, e.g. 0,2; all by default.")
    ] = None,
    optics: given.OpticsOptions,
    model: given.ModelOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes of one thread each to spread the work over."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="dask scheduler of a cluster, e.g. tcp://host:8786."),
    ] = None,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Deblur each channel of each image of INPUTS, and write one summary and one report.

    An image that fails is reported, and the next one follows. Given again, the command goes on
    where it was: what is done stays. Options count more than the settings file. --workers and
    --scheduler spread the work, also that of one large image.
    """
    from napari_deepblur.cli.batch.jobs import find_files, find_jobs
    from napari_deepblur.cli.batch.page import write_page
    from napari_deepblur.cli.batch.records import save_record, write_summary

    if workers is not None and scheduler is not None:
        raise ValueError("--workers starts a cluster and --scheduler names one: give one of them")
    wanted = _settings(settings, channels, optics, model)
    jobs = find_jobs(find_files(inputs), wanted)
    out.mkdir(parents=True, exist_ok=True)
    done, pieces = _planned(jobs, wanted, out, overwrite=overwrite)
    recorded: dict[str, Record] = {}
    records: list[Record] = []
    with _workshop(workers, scheduler) as work:
        for record in chain(done, work(pieces)):
            save_record(out, record)
            recorded[record.name] = record
            # After each: whatever happens next, these are up to date.
            records = [recorded[job.name] for job in jobs if job.name in recorded]
            write_summary(out / "summary.csv", records)
            write_page(out / "report.html", records)
            if not as_json:
                typer.echo(f"{len(records)}/{len(jobs)} {record.name}: {_outcome(record)}")
    if as_json:
        rows = [record.model_dump(exclude={"pictures"}) for record in records]
        print_json({"out": out, "images": rows})
    else:
        typer.echo(f"wrote {out / 'summary.csv'} and {out / 'report.html'}")
    n_failed = sum(record.status == "failed" for record in records)
    if n_failed:
        raise ValueError(f"{n_failed} of {len(jobs)} images failed: see {out / 'summary.csv'}")


def _settings(
    path: Path | None, channels: str | None, optics: given.OpticsOptions, model: str | None
) -> "BatchSettings":
    """Read the settings file, and take what was typed instead where it was."""
    from napari_deepblur.engine.batch_settings import read_settings
    from napari_deepblur.engine.request import TypedOptics

    known = read_settings(path)
    typed = optics.typed.model_dump(exclude_none=True)
    changes: dict[str, Any] = {"optics": known.optics.model_copy(update=typed)}
    if model is not None:
        changes["model"] = model
    if channels is not None:
        numbers = channels.split(",")
        if not all(number.strip().isdecimal() for number in numbers):
            raise ValueError(f"--channels {channels} is not understood: give numbers, such as 0,2")
        own = known.channels or {}
        changes["channels"] = {int(n): own.get(int(n), TypedOptics()) for n in numbers}
    return known.model_copy(update=changes)


def _planned(
    jobs: "Sequence[BatchJob]", settings: "BatchSettings", out: Path, *, overwrite: bool
) -> "tuple[list[Record], list[Piece]]":
    """Tell the jobs that an earlier run did from those that are left."""
    from napari_deepblur.cli.batch.pieces import Piece
    from napari_deepblur.cli.batch.records import read_record

    done, left = [], []
    for job in jobs:
        request = settings.request(job.image, job.series, job.channel)
        path = out.resolve() / f"{job.name}{settings.format}"
        earlier = read_record(out, job.name)
        asked = request.model_dump(mode="json")
        same = earlier is not None and earlier.status == "done" and earlier.request == asked
        if earlier is not None and same and path.exists() and not overwrite:
            done.append(earlier)
        else:
            left.append(Piece(job, request, path, overwrite=overwrite))
    return done, left


@contextmanager
def _workshop(
    workers: int | None, scheduler: str | None
) -> "Iterator[Callable[[Iterable[Piece]], Iterator[Record]]]":
    """Give the function that works on pieces: in this process, or by workers."""
    from napari_deepblur.cli.batch.pieces import work_here
    from napari_deepblur.cli.batch.workers import connected, spread

    if workers is None and scheduler is None:
        yield work_here
        return
    with connected(workers, scheduler) as (client, n_at_once):
        yield partial(spread, client=client, n_at_once=n_at_once)


def _outcome(record: "Record") -> str:
    if record.status == "failed":
        return f"failed: {record.error}"
    count = len(record.warnings)
    return "done" + (f", {count} warning{'s' if count > 1 else ''}" if count else "")
