"""Groups of options: declared once, options of their own in every command."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from napari_deepblur.cli.options import expand_groups


@dataclass(frozen=True)
class Place:
    name: Annotated[str, typer.Option("--name")]
    height: Annotated[float | None, typer.Option("--height")] = None


@expand_groups
def command(number: Annotated[int, typer.Argument()], *, place: Place, loud: bool = False) -> None:
    """Say where."""
    typer.echo(f"{number} {place} {loud}")


def run(*arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments)


def test_fields_are_options():
    result = run("3", "--name", "here", "--height", "1.5", "--loud")
    assert result.stdout.split(" ", 1) == ["3", "Place(name='here', height=1.5) True\n"]


def test_defaults_and_required_fields_stay():
    assert "height=None" in run("3", "--name", "here").stdout
    assert "Missing option '--name'" in run("3").output


def test_the_docstring_is_the_help():
    assert "Say where." in run("--help").stdout
