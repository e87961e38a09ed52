"""Libraries are loaded ahead, and are then those that the import takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOAD = """
import sys, threading
from pathlib import Path
from qtpy.QtCore import QCoreApplication, QObject
application = QCoreApplication([])
from napari_deepblur.widgets.tasks.libraries import load_libraries
thread = threading.Thread(target=load_libraries)
thread.start()
thread.join()
loaded = Path("/proc/self/maps").read_text()
assert "libtorch_cpu" in loaded
assert "torch" not in sys.modules
assert "pyqtgraph" in sys.modules
import gc, torch
assert float(torch.fft.rfft(torch.ones(8)).real[0]) == 8
objects = [one for one in gc.get_objects() if isinstance(one, QObject)]
assert all(one.thread() == application.thread() for one in objects)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_torch_finds_its_library_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
