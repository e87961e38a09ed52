"""Time and memory of deblurring one plane."""

from __future__ import annotations

import json
import subprocess
import sys

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["deblurring_speed_job"]

#: Side of the plane and how often it is deblurred.
_PLANES = ((512, 5), (2048, 1))

_HEAD = ("plane", "threads of torch", "seconds", "peak memory of the process (GiB)")


def deblurring_speed_job(bench: Bench) -> Job[Table]:
    """Seconds and peak memory of `deblur` on the CPU in a fresh process, once warm."""
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for side, n_times in _PLANES:
        cost = _cost(bench.model.reference, side, n_times)
        cells.append(
            [
                f"{side} × {side}",
                f"{cost['threads']:.0f}",
                f"**{cost['seconds']:.2f}**",
                f"**{cost['peak_gib']:.2f}**",
            ]
        )
        figures[f"{side} plane, deblurring: seconds"] = cost["seconds"]
        figures[f"{side} plane, deblurring: peak_gib"] = cost["peak_gib"]
        figures["deblurring speed: threads"] = cost["threads"]
        yield Progress(len(cells), len(_PLANES), "speed of deblurring")
    return Table("deblurring speed", "Speed of deblurring", markdown(_HEAD, cells), figures)


def _cost(model: str, side: int, n_times: int) -> dict[str, float]:
    module = "napari_deepblur.evaluation.plane_cost"
    command = [sys.executable, "-m", module, model, str(side), str(n_times)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    values: dict[str, float] = json.loads(done.stdout)
    return values
