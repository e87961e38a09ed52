"""The command itself: one image after the other, whatever becomes of one of them."""

# No postponed annotations here: typer reads them when a command is declared.

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.report import maker_of, print_json
from napari_deepblur.errors import describe
from napari_deepblur.io import check_image_output

if TYPE_CHECKING:
    from napari_deepblur.cli.batch.jobs import BatchJob
    from napari_deepblur.cli.batch.records import Record
    from napari_deepblur.cli.batch.settings import BatchSettings
    from napari_deepblur.cli.restoration import RestoredFiles
    from napari_deepblur.engine.request import Request

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
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Deblur each channel of each image of INPUTS, and write one summary and one report.

    An image that fails is reported, and the next one follows. Given again, the command goes on
    where it was: what is done stays. Options count more than the settings file.
    """
    from napari_deepblur.cli.batch.jobs import find_files, find_jobs
    from napari_deepblur.cli.batch.page import write_page
    from napari_deepblur.cli.batch.records import save_record, write_summary

    wanted = _settings(settings, channels, optics, model)
    jobs = find_jobs(find_files(inputs), wanted)
    out.mkdir(parents=True, exist_ok=True)
    records: list[Record] = []
    for number, job in enumerate(jobs, start=1):
        record = _record(job, wanted, out, overwrite=overwrite)
        save_record(out, record)
        records.append(record)
        # After each: whatever happens next, these are up to date.
        write_summary(out / "summary.csv", records)
        write_page(out / "report.html", records)
        if not as_json:
            typer.echo(f"{number}/{len(jobs)} {job.name}: {_outcome(record)}")
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
    from napari_deepblur.cli.batch.settings import read_settings
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


def _record(job: "BatchJob", settings: "BatchSettings", out: Path, *, overwrite: bool) -> "Record":
    """Deblur what a job names, unless it is done; say what became of it."""
    from napari_deepblur.cli.batch.records import Record, read_record

    request = settings.request(job.image, job.series, job.channel)
    asked = request.model_dump(mode="json")
    path = out / f"{job.name}{settings.format}"
    earlier = read_record(out, job.name)
    same = earlier is not None and earlier.status == "done" and earlier.request == asked
    if earlier is not None and same and path.exists() and not overwrite:
        return earlier
    content: dict[str, Any] = {
        "name": job.name,
        "image": str(job.image),
        "series": job.series,
        "channel": job.channel,
        "request": asked,
    }
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        try:
            content |= {"status": "done", **_restored(job, request, path, overwrite=overwrite)}
        # Whatever is wrong with one image, the others are deblurred.
        except Exception as error:  # noqa: BLE001
            content |= {"status": "failed", "error": describe(error)}
    texts = [" ".join(str(one.message).split()) for one in told]
    return Record(**content, warnings=tuple(dict.fromkeys(texts)))


def _restored(
    job: "BatchJob", request: "Request", path: Path, *, overwrite: bool
) -> dict[str, Any]:
    from napari_deepblur.cli.batch.pictures import pictures_of
    from napari_deepblur.cli.restoration import restore_files

    if job.problem:
        raise ValueError(job.problem)
    check_image_output(path, overwrite=overwrite, source=job.image)
    begun = time.monotonic()
    files = restore_files(request, path)
    return {
        "output": path.name,
        "axes": files.source.axes,
        "shape": files.source.shape,
        "seconds": time.monotonic() - begun,
        "flux_change": files.flux_change,
        "blur": maker_of(files.restored.blur),
        "pictures": pictures_of(files),
        **_figures(files),
    }


def _figures(files: "RestoredFiles") -> dict[str, float | None]:
    """Medians of the check over the planes that are not blank."""
    check = files.restored.check
    if check is None or np.isnan(check.residual).all():
        return {}
    return {
        name: float(np.nanmedian(getattr(check, name)))
        for name in ("residual", "border_ringing", "flux_moved")
    }


def _outcome(record: "Record") -> str:
    if record.status == "failed":
        return f"failed: {record.error}"
    count = len(record.warnings)
    return "done" + (f", {count} warning{'s' if count > 1 else ''}" if count else "")
