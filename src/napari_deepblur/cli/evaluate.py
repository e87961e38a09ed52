"""`deepblur evaluate`: the figures that the model cards and the page on accuracy state."""

# No postponed annotations here: typer reads them when a command is declared.

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import print_json

if TYPE_CHECKING:
    from napari_deepblur.engine.devices import Device
    from napari_deepblur.engine.model_card import Kind
    from napari_deepblur.evaluation import Bench, Table

__all__ = ["evaluate"]

evaluate = typer.Typer(
    help="Measure a model on the held-out images of folders, beside the floors.",
    no_args_is_help=True,
)

_Images = Annotated[
    list[str],
    typer.Option(
        "--images", help="FOLDER or NAME=FOLDER of sharp images; can be given several times."
    ),
]
_Number = Annotated[int, typer.Option("--n", min=1, help="Blurs × images for each figure.")]
_Size = Annotated[int, typer.Option(min=128, help="Side of the observed images in pixels.")]
_Write = Annotated[
    bool, typer.Option("--write", help="Put the figures into the model folder and the docs.")
]
_Docs = Annotated[
    Path | None,
    typer.Option(help="Folder of accuracy.md, for --write; docs/ if it has that page."),
]
_Picture = Annotated[Path | None, typer.Option(help="PNG of accuracy against noise to write.")]

_Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="Name of a further table, such as 'noise kinds', to measure alone; --write then "
        "leaves the model as it is. Can be given several times.",
    ),
]

_Examples = Annotated[Path | None, typer.Option(help="PNG of deblurred examples to write.")]

_DOCS = Path("docs")
_PAGE = "accuracy.md"
_DRAWING = Path("images") / "accuracy.png"
_EXAMPLES_DRAWING = Path("images") / "deblurring-examples.png"


@evaluate.command()
def identification(
    images: _Images,
    *,
    model: given.ModelOption = None,
    n_images: _Number = 60,
    size: _Size = 400,
    device: given.DeviceOption = "auto",
    write: _Write = False,
    docs: _Docs = None,
    picture: _Picture = None,
    as_json: given.AsJson = False,
) -> None:
    """Measure how well the blur is read off images, with noise and with faults."""
    bench = _bench(images, model, n_images, size, device)
    if bench.model.varies:
        _measure_varying(bench, "identification", write=write, docs=docs, as_json=as_json)
        return
    from napari_deepblur import evaluation

    docs = _docs(docs, ["identification", *evaluation.FURTHER_QUESTIONS]) if write else None
    results = drive(evaluation.accuracy_job(bench))
    tables = [evaluation.accuracy_table(results)]
    _tell(tables[-1], as_json=as_json)
    pictures = [picture] if picture else []
    for path in [*pictures, docs / _DRAWING] if docs else pictures:
        evaluation.draw_accuracy(results, path)
    for question in evaluation.FURTHER_QUESTIONS.values():
        tables.append(drive(question(bench)))
        _tell(tables[-1], as_json=as_json)
    _finish(bench, "identification", tables, write=write, docs=docs, as_json=as_json)


@evaluate.command()
def deblurring(
    images: _Images,
    *,
    model: given.ModelOption = None,
    n_images: _Number = 60,
    size: _Size = 400,
    only: _Only = None,
    device: given.DeviceOption = "auto",
    write: _Write = False,
    docs: _Docs = None,
    picture: _Examples = None,
    as_json: given.AsJson = False,
) -> None:
    """Measure how near deblurred images come to the sharp ones, beside classical methods."""
    bench = _bench(images, model, n_images, size, device)
    if bench.model.varies:
        _measure_varying(bench, "deblurring", write=write, docs=docs, as_json=as_json)
        return
    from napari_deepblur import evaluation

    if only:
        _measure_only(bench, only, write=write, docs=docs, as_json=as_json)
        return
    names = [*evaluation.DEBLURRING_TABLES, "classical", *evaluation.DEBLURRING_QUESTIONS]
    docs = _docs(docs, names) if write else None
    pictures = [*([picture] if picture else []), *([docs / _EXAMPLES_DRAWING] if docs else [])]
    if pictures:
        examples = drive(evaluation.examples_job(bench))
        for path in pictures:
            evaluation.draw_examples(examples, path)
    restorations = drive(evaluation.restorations_job(bench))
    tables = [table(restorations) for table in evaluation.DEBLURRING_TABLES.values()]
    for table in tables:
        _tell(table, as_json=as_json)
    tables.append(drive(evaluation.classical_job(bench, restorations)))
    _tell(tables[-1], as_json=as_json)
    for question in evaluation.DEBLURRING_QUESTIONS.values():
        tables.append(drive(question(bench)))
        _tell(tables[-1], as_json=as_json)
    _finish(bench, "deblurring", tables, write=write, docs=docs, as_json=as_json)


def _measure_only(
    bench: "Bench", names: list[str], *, write: bool, docs: Path | None, as_json: bool
) -> None:
    """Ask single questions about deblurring; their tables go to the page only."""
    from napari_deepblur.evaluation import DEBLURRING_QUESTIONS

    unknown = [name for name in names if name not in DEBLURRING_QUESTIONS]
    if unknown:
        known = ", ".join(DEBLURRING_QUESTIONS)
        raise ValueError(f"--only takes one of {known}, got {unknown[0]!r}")
    docs = _docs(docs, names) if write else None
    tables = []
    for name in names:
        tables.append(drive(DEBLURRING_QUESTIONS[name](bench)))
        _tell(tables[-1], as_json=as_json)
    _finish(bench, "deblurring", tables, write=False, docs=docs, as_json=as_json)


def _measure_varying(
    bench: "Bench", kind: "Kind", *, write: bool, docs: Path | None, as_json: bool
) -> None:
    """Questions to a model whose blur varies over the field."""
    from napari_deepblur.evaluation import VARYING_QUESTIONS

    questions = VARYING_QUESTIONS[kind]
    docs = _docs(docs, list(questions)) if write else None
    tables = []
    for question in questions.values():
        tables.append(drive(question(bench)))
        _tell(tables[-1], as_json=as_json)
    _finish(bench, kind, tables, write=write, docs=docs, as_json=as_json)


def _bench(
    images: list[str], model: str | None, n_images: int, size: int, device: "Device"
) -> "Bench":
    folders = dict(_name_and_folder(text) for text in images)
    # Needed at the end of a long run: missed better now.
    for name in ("matplotlib", "PIL"):
        if find_spec(name) is None:
            raise ImportError(f"evaluation needs {name}: pip install 'napari-deepblur[train]'")
    from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
    from napari_deepblur.evaluation import Bench, held_out

    opened = load_model(model or DEFAULT_MODEL)
    return Bench(opened, held_out(folders), n_images, size, device=device)


def _name_and_folder(text: str) -> tuple[str, Path]:
    if Path(text).is_dir():
        return Path(text).resolve().name, Path(text)
    name, separator, folder = text.partition("=")
    if separator and not (name and folder):
        raise ValueError(f"--images takes NAME=FOLDER, such as natural=photos, got {text!r}")
    if not (separator and Path(folder).is_dir()):
        raise FileNotFoundError(f"no folder {folder or text}")
    return name, Path(folder)


def _docs(folder: Path | None, names: Sequence[str]) -> Path | None:
    """Folder of the page that has a place for each table, if there is any."""
    from napari_deepblur.evaluation import require_marks

    if folder is None:
        folder = _DOCS
        if not (folder / _PAGE).is_file():
            return None
    require_marks(folder / _PAGE, names)
    return folder


def _tell(table: "Table", *, as_json: bool) -> None:
    """Print a table as soon as it is known."""
    if not as_json:
        typer.echo(f"### {table.title}\n\n{table.text}\n")


def _finish(
    bench: "Bench",
    kind: "Kind",
    tables: "Sequence[Table]",
    *,
    write: bool,
    docs: Path | None,
    as_json: bool,
) -> None:
    from napari_deepblur.evaluation import record_in_model, record_in_page

    if write:
        record_in_model(bench.model, kind, tables)
    if docs:
        record_in_page(docs / _PAGE, tables)
    if as_json:
        figures = {name: value for table in tables for name, value in table.figures.items()}
        print_json({"model": bench.model.name, "network": kind, "accuracy": figures})
