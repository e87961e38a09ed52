"""Build hook: puts the command line's own help where a page says `<!-- command line -->`."""

from __future__ import annotations

from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from napari_deepblur.cli import app

MARK = "<!-- command line -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace the mark by the help of every command."""
    if MARK not in markdown:
        return markdown
    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=Context(command), indent=1, name="deepblur")
    return markdown.replace(MARK, text)
