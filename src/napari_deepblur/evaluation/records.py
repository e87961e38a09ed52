"""Writers of figures into `model.json`, the model card and pages of documentation.

Text between two marks is replaced, all else stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_deepblur.engine.model_card import Kind
from napari_deepblur.engine.model_files import save_card
from napari_deepblur.engine.models import Model
from napari_deepblur.evaluation.tables import Table

__all__ = ["record_in_model", "record_in_page", "replace_between", "require_marks"]


def replace_between(text: str, name: str, content: str) -> str:
    """Put content between the marks ``<!-- name -->`` and ``<!-- /name -->``.

    Raises
    ------
    ValueError
        If either is missing.
    """
    start, end = _marks(name)
    before, found_start, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise ValueError(f"the text lacks the marks {start} and {end}")
    return f"{before}{start}\n\n{content.strip()}\n\n{end}{after}"


def require_marks(page: Path, names: Iterable[str]) -> None:
    """Check that a page has a place for each table, before hours of measuring them.

    Raises
    ------
    ValueError
        If a mark is missing.
    """
    text = page.read_text(encoding="utf-8")
    for name in names:
        try:
            replace_between(text, name, "")
        except ValueError as error:
            raise ValueError(f"{page}: {error}") from None


def record_in_page(page: Path, tables: Sequence[Table]) -> None:
    """Put each table between the marks of its name.

    Raises
    ------
    ValueError
        If a mark is missing; the page then stays as it is.
    """
    require_marks(page, [table.name for table in tables])
    text = page.read_text(encoding="utf-8")
    for table in tables:
        text = replace_between(text, table.name, table.text)
    page.write_text(text, encoding="utf-8")


def record_in_model(model: Model, kind: Kind, tables: Sequence[Table]) -> None:
    """Write all figures of a network into `model.json`, and its tables into the card.

    In the card `README.md` they replace what stands between the marks ``identification
    accuracy`` or ``deblurring accuracy``, or follow its end.

    Raises
    ------
    ValueError
        If the model has no such network.
    """
    network = getattr(model.card, kind)
    if network is None:
        raise ValueError(f"model {model.name!r} has no {kind} network")
    figures = {
        name: float(f"{value:.5g}")
        for table in tables
        for name, value in table.figures.items()
        if math.isfinite(value)  # JSON knows no other
    }
    changed = network.model_copy(update={"accuracy": figures})
    save_card(model.folder, model.card.model_copy(update={kind: changed}))

    path, name = model.folder / "README.md", f"{kind} accuracy"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {model.name}\n"
    start, end = _marks(name)
    if start not in text:
        text = f"{text.rstrip()}\n\n{start}\n{end}\n"
    content = "\n\n".join(f"### {table.title}\n\n{table.text}" for table in tables)
    path.write_text(replace_between(text, name, content), encoding="utf-8")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->", f"<!-- /{name} -->"
