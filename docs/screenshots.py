"""Pictures of the dock for the documentation: python docs/screenshots.py [FOLDER].

Without a display: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

SIZE = (1440, 960)


def settle(seconds: float = 0.5) -> None:
    """Let Qt draw."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def finish(dock, seconds: float = 600) -> None:
    """Wait until the dock's task ends; a failed one ends the program."""
    end = time.monotonic() + seconds
    while dock.controller.busy and time.monotonic() < end:
        settle(0.05)
    settle()
    if not dock.message.text().startswith(("✓", "⚠")):
        raise SystemExit(f"the task failed: {dock.message.text()}")


def main(folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    settle()
    for sample in ("podosomes", "spheroid"):
        viewer.layers.clear()
        viewer.open_sample("napari-deepblur", sample)
        viewer.reset_view()
        dock.controller.estimate()
        finish(dock)
        dock.controller.deblur()
        finish(dock)
        viewer.reset_view()
        viewer.canvas.overlays.scale_bar.visible = True
        settle(1)
        viewer.window.screenshot(str(folder / f"{sample}.png"), canvas_only=False, flash=False)
    dock.grab().save(str(folder / "dock.png"))
    pixels = viewer.layers["spheroid"].data
    viewer.layers.clear()
    viewer.add_image(pixels, name="no units", scale=(1, 0.16, 0.16))
    settle()
    dock.grab().save(str(folder / "dock-asks.png"))
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "images"))
