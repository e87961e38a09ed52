"""Measure how long the dock's first estimate takes in a fresh napari, from the click on.

    python benchmarks/first_click.py

Without a display: ``xvfb-run -a python benchmarks/first_click.py``. The image is a crop of the
sample of podosomes, read from a file. Each run is a new process, so that everything is loaded
anew; the load of the machine at its start is printed beside its times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_deepblur.optics.settings import Optics
from napari_deepblur.widgets.sample_data import podosomes

#: Optics of the sample.
PODOSOMES = Optics(
    numerical_aperture=1.4, wavelength_um=0.52, refractive_index=1.518, pixel_size_um=0.09
)


def main() -> None:
    """Run as often as asked for, and print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="number of processes (default: 3)")
    parser.add_argument("--side", type=int, default=512, help="pixels along Y and X")
    parser.add_argument("--image", help="run once, in this process, with this file; print JSON")
    options = parser.parse_args()
    if options.image:
        print(json.dumps(measure(options.image)))
        return
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "podosomes.npy"
        # Drawing loads torch, which must not be loaded before the click.
        np.save(image, podosomes()[0][0][: options.side, : options.side])
        run(image, options.runs)


def run(image: Path, n: int) -> None:
    """Measure in new processes, and print a line for each."""
    print("load   cores   first event   first words   estimate   of it CPU   second estimate (s)")
    for _ in range(n):
        command = [sys.executable, __file__, "--image", str(image)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{told['load']:4.1f} {told['cores']:7} {told['first event']:13.2f} "
            f"{told['first words']:13.2f} {told['estimate']:10.2f} {told['cpu']:11.2f} "
            f"{told['second']:21.2f}"
        )


def measure(image: str) -> dict[str, float]:
    """Open napari and the dock, click on Estimate twice and return seconds from the clicks on."""
    import napari
    from qtpy.QtTest import QTest

    from napari_deepblur.widgets.deblur.dock import DeblurDock

    viewer = napari.Viewer()
    viewer.add_image(
        np.load(image),
        scale=[PODOSOMES.pixel_size_um] * 2,
        units=["micrometer"] * 2,
        metadata={"deepblur": {"optics": PODOSOMES.model_dump()}},
    )
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    # Let the window be drawn, and what napari does at its start end.
    QTest.qWait(3000)
    if "torch" in sys.modules:
        raise SystemExit("torch is loaded before the click")
    told = {"load": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0))}
    events: list[tuple[float, str]] = []
    show_progress = dock.show_progress

    def watched(progress: object) -> None:
        show_progress(progress)
        events.append((time.perf_counter(), words_in(dock)))

    dock.show_progress = watched
    seconds = []
    for _ in range(2):
        start, worked = time.perf_counter(), time.process_time()
        dock.run_bar.estimate.click()
        while dock.controller.busy:
            QTest.qWait(5)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            told["cpu"] = time.process_time() - worked
            with_words = [moment for moment, words in events if words]
            told["first event"] = events[0][0] - start
            told["first words"] = with_words[0] - start if with_words else float("nan")
    told["estimate"], told["second"] = seconds
    if dock.blur_panel.value() is None:
        raise SystemExit(f"no estimate: {dock.message.text()}")
    viewer.close()
    return told


def words_in(dock: object) -> str:
    """Words that can be read while the task runs: Qt writes none on a bar without a total."""
    from qtpy.QtWidgets import QLabel, QProgressBar

    row = dock.run_bar.findChildren(QLabel)
    bars = [bar for bar in dock.run_bar.findChildren(QProgressBar) if bar.maximum() > 0]
    shown = [label.text() for label in row if label.isVisible()]
    return " ".join([*shown, *(bar.text() for bar in bars if bar.isVisible())]).strip()


if __name__ == "__main__":
    main()
