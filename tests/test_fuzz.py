"""Damaged files of all kinds; `python benchmarks/fuzz.py` reads many more."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process with limits needs fork")
def test_damaged_files_are_refused_or_read_right():
    # In a process of its own: one that has threads, as that of the tests, must not fork.
    command = [sys.executable, str(FUZZ), "--cases", "30", "--first", "10000"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'read': 9, 'refused': 21" in done.stdout
