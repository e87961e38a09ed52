"""`deepblur evaluate`: the figures that the model cards and the page on accuracy state."""

# No postponed annotations here: typer reads them when a command is declared.

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import print_json
from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE

if TYPE_CHECKING:
    from napari_deepblur.engine.model_card import Kind
    from napari_deepblur.evaluation import Bench, Table

__all__ = ["evaluate"]

evaluate = typer.Typer(
    help="Measure a model on the held-out images of folders, beside the floors.",
    no_args_is_help=True,
)

_DOCS = Path("docs")
_PAGE = "accuracy.md"
_DRAWING = Path("images") / "accuracy.png"
_EXAMPLES_DRAWING = Path("images") / "deblurring-examples.png"


@dataclass(frozen=True, slots=True)
class _BenchOptions:
    """Options that choose the model, the images and how many."""

    images: Annotated[
        list[str],
        typer.Option(
            "--images", help="FOLDER or NAME=FOLDER of sharp images; can be given several times."
        ),
    ]
    model: given.ModelOption = None
    n_images: Annotated[int, typer.Option("--n", min=1, help="Blurs × images for each figure.")] = (
        60
    )
    size: Annotated[int, typer.Option(min=128, help="Side of the observed images in pixels.")] = 400
    device: given.DeviceOption = "auto"

    def bench(self) -> "Bench":
        """Open the model and the images."""
        folders = dict(_name_and_folder(text) for text in self.images)
        # Needed at the end of a long run: missed better now.
        for name in ("matplotlib", "PIL"):
            if find_spec(name) is None:
                raise ImportError(f"evaluation needs {name}: pip install 'napari-deepblur[train]'")
        from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
        from napari_deepblur.evaluation import Bench, held_out

        opened = load_model(self.model or DEFAULT_MODEL)
        return Bench(opened, held_out(folders), self.n_images, self.size, device=self.device)


@dataclass(frozen=True, slots=True)
class _PageOptions:
    """Options that choose where the tables go."""

    write: Annotated[
        bool, typer.Option("--write", help="Put the figures into the model folder and the docs.")
    ] = False
    docs: Annotated[
        Path | None,
        typer.Option(help="Folder of accuracy.md, for --write; docs/ if it has that page."),
    ] = None
    as_json: given.AsJson = False

    def folder(self, names: Sequence[str]) -> Path | None:
        """Folder of the page that has a place for each table; None if none is to be written."""
        from napari_deepblur.evaluation import require_marks

        if not self.write:
            return None
        folder = _DOCS if self.docs is None else self.docs
        if self.docs is None and not (folder / _PAGE).is_file():
            return None
        require_marks(folder / _PAGE, names)
        return folder

    def tell(self, table: "Table") -> None:
        """Print a table as soon as it is known."""
        if not self.as_json:
            typer.echo(f"### {table.title}\n\n{table.text}\n")

    def finish(
        self, bench: "Bench", kind: "Kind", tables: "Sequence[Table]", folder: Path | None
    ) -> None:
        """Record the tables in the page, and print the figures for machines."""
        from napari_deepblur.evaluation import record_in_page

        if folder:
            record_in_page(folder / _PAGE, tables)
        if self.as_json:
            figures = {name: value for table in tables for name, value in table.figures.items()}
            print_json({"model": bench.model.name, "network": kind, "accuracy": figures})


@evaluate.command()
@given.expand_groups
def identification(
    *,
    measured: _BenchOptions,
    page: _PageOptions,
    picture: Annotated[
        Path | None, typer.Option(help="PNG of accuracy against noise to write.")
    ] = None,
) -> None:
    """Measure how well the blur is read off images, with noise and with faults."""
    bench = measured.bench()
    if bench.model.varies:
        _measure_varying(bench, "identification", page)
        return
    from napari_deepblur import evaluation

    docs = page.folder(["identification", *evaluation.FURTHER_QUESTIONS])
    results = drive(evaluation.accuracy_job(bench))
    tables = [evaluation.accuracy_table(results)]
    page.tell(tables[-1])
    pictures = [picture] if picture else []
    for path in [*pictures, docs / _DRAWING] if docs else pictures:
        evaluation.draw_accuracy(results, path)
    for question in evaluation.FURTHER_QUESTIONS.values():
        tables.append(drive(question(bench)))
        page.tell(tables[-1])
    _record(bench, "identification", tables, page, docs)


@evaluate.command()
@given.expand_groups
def deblurring(
    *,
    measured: _BenchOptions,
    page: _PageOptions,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Name of a further table, such as 'noise kinds', to measure alone; --write then "
            "leaves the model as it is. Can be given several times.",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG of deblurred examples to write.")
    ] = None,
) -> None:
    """Measure how near deblurred images come to the sharp ones, beside classical methods."""
    bench = measured.bench()
    if bench.model.varies:
        _measure_varying(bench, "deblurring", page)
        return
    from napari_deepblur import evaluation

    if only:
        _measure_only(bench, only, page)
        return
    names = [*evaluation.DEBLURRING_TABLES, "classical", *evaluation.DEBLURRING_QUESTIONS]
    docs = page.folder(names)
    pictures = [*([picture] if picture else []), *([docs / _EXAMPLES_DRAWING] if docs else [])]
    if pictures:
        examples = drive(evaluation.examples_job(bench))
        for path in pictures:
            evaluation.draw_examples(examples, path)
    restorations = drive(evaluation.restorations_job(bench))
    tables = [table(restorations) for table in evaluation.DEBLURRING_TABLES.values()]
    for table in tables:
        page.tell(table)
    tables.append(drive(evaluation.classical_job(bench, restorations)))
    page.tell(tables[-1])
    for question in evaluation.DEBLURRING_QUESTIONS.values():
        tables.append(drive(question(bench)))
        page.tell(tables[-1])
    _record(bench, "deblurring", tables, page, docs)


def _measure_only(bench: "Bench", names: list[str], page: _PageOptions) -> None:
    """Ask single questions about deblurring; their tables go to the page only."""
    from napari_deepblur.evaluation import DEBLURRING_QUESTIONS

    unknown = [name for name in names if name not in DEBLURRING_QUESTIONS]
    if unknown:
        known = ", ".join(DEBLURRING_QUESTIONS)
        raise ValueError(f"--only takes one of {known}, got {unknown[0]!r}")
    docs = page.folder(names)
    tables = []
    for name in names:
        tables.append(drive(DEBLURRING_QUESTIONS[name](bench)))
        page.tell(tables[-1])
    page.finish(bench, "deblurring", tables, docs)


def _measure_varying(bench: "Bench", kind: "Kind", page: _PageOptions) -> None:
    """Questions to a model whose blur varies over the field."""
    from napari_deepblur.evaluation import VARYING_QUESTIONS, WIDE_BLUR_QUESTIONS

    is_wide = bench.model.coarsest_cutoff > NOTHING_LEFT_ABOVE
    questions = (WIDE_BLUR_QUESTIONS if is_wide else VARYING_QUESTIONS)[kind]
    docs = page.folder(list(questions))
    tables = []
    for question in questions.values():
        tables.append(drive(question(bench)))
        page.tell(tables[-1])
    _record(bench, kind, tables, page, docs)


def _name_and_folder(text: str) -> tuple[str, Path]:
    if Path(text).is_dir():
        return Path(text).resolve().name, Path(text)
    name, separator, folder = text.partition("=")
    if separator and not (name and folder):
        raise ValueError(f"--images takes NAME=FOLDER, such as natural=photos, got {text!r}")
    if not (separator and Path(folder).is_dir()):
        raise FileNotFoundError(f"no folder {folder or text}")
    return name, Path(folder)


def _record(
    bench: "Bench", kind: "Kind", tables: "Sequence[Table]", page: _PageOptions, docs: Path | None
) -> None:
    """Record the tables in the model, where that was asked for, and in the page."""
    from napari_deepblur.evaluation import record_in_model

    if page.write:
        record_in_model(bench.model, kind, tables)
    page.finish(bench, kind, tables, docs)
