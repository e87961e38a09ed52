"""What the documentation tells users to type exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from napari_deepblur import __version__
from napari_deepblur.cli import app

ROOT = Path(__file__).parent.parent
PATTERNS = ["*.md", "docs/**/*.md", "src/**/README.md", "configs/*.yaml"]
PAGES = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
COMMAND_LINE = re.compile(r"^(?:#\s+|\|\s+`)?(?:\.venv/bin/)?(deepblur [^\n`]*)", re.MULTILINE)


def command_lines():
    lines = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        lines += [
            pytest.param(line, id=f"{page.name}: {' '.join(line.split())}")
            for line in COMMAND_LINE.findall(text)
        ]
    return lines


@pytest.mark.parametrize("line", command_lines())
def test_command_line_is_understood(line):
    _, name, *words = shlex.split(line, comments=True)
    # Reads the words without running anything; refuses what it does not know.
    get_command(app).commands[name].make_context(name, words)


def test_install_page_names_the_system_libraries():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    named = set(page.split("## System libraries")[1].replace("`", " ").split())
    assert set((ROOT / ".ci" / "apt.txt").read_text().split()) <= named


def test_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [
        target for target in targets if "://" not in target and not (page.parent / target).exists()
    ]
    assert not missing
