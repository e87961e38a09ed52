"""Speed of this computer, learned from what was done on it."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import psutil

from napari_deepblur.atomic import replacing
from napari_deepblur.engine.cost import Cost, deblurring_cost, estimating_cost
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.untrusted import read_bounded
from napari_deepblur.widgets import last_time
from napari_deepblur.widgets.deblur.deblur_task import Begun
from napari_deepblur.widgets.deblur.readiness import Resolved

__all__ = ["Speed", "Step", "Stopwatch", "cost_of", "n_threads"]

_LOG = logging.getLogger(__name__)
_LARGEST_FILE = 100_000

#: What takes time.
Step = Literal["estimating", "deblurring"]

#: Work this short tells nothing of the speed, seconds.
_SHORTEST = 0.3

#: From so long a forecast on a run tells the speed; of a shorter one the first run of a network,
#: which prepares much, is a large part, seconds.
_LONG = 3.0

#: What a run on this computer can be by the figures of the server; the rest is a damaged file.
_LEAST, _MOST = 1e-3, 1e3


def cost_of(step: Step, wanted: Resolved) -> Cost:
    """Compute what work on a layer takes, as far as the layer and its optics decide it."""
    stack = None
    if wanted.per == "volume" and wanted.optics is not None:
        known = wanted.fields["z_step_um"].value
        stack = StackOptics(wanted.optics, known, wanted.light_sheet_fwhm_um)
    if step == "estimating":
        return estimating_cost(wanted.shape, wanted.axes, stack=stack)
    return deblurring_cost(wanted.shape, wanted.axes, stack=stack, residual=wanted.residual_layer)


def n_threads() -> int:
    """Threads that PyTorch uses, or will use once it is loaded."""
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


class Speed:
    """Time of work here by that on a server's cores, remembered for each computer.

    A small file in the user's settings folder holds it, for all viewers and for the next time; a
    folder that several computers share has the figures of each.
    """

    def seconds(self, step: Step, wanted: Resolved) -> float:
        """Time that work will take, by the last run of the same kind, if there was one."""
        factor = _recall().get(_kind(step, wanted), 1.0)
        return factor * cost_of(step, wanted).seconds_on(n_threads())

    def learn(self, step: Step, wanted: Resolved, seconds: float) -> None:
        """Take a run as the measure of those to come, a short one only in part."""
        if seconds >= _SHORTEST:
            forecast = cost_of(step, wanted).seconds_on(n_threads())
            kind, known = _kind(step, wanted), _recall()
            was, weight = known.get(kind, 1.0), min(1.0, forecast / _LONG)
            _remember(known | {kind: was + weight * (seconds / forecast - was)})


def _kind(step: Step, wanted: Resolved) -> str:
    what = "3-D" if wanted.per == "volume" else f"{wanted.device} {wanted.model}"
    return f"{platform.node()}: {step}, {what}"


def _file() -> Path:
    return last_time.settings_file().with_name("speed.json")


def _recall() -> dict[str, float]:
    """Read the factors; a file that cannot be read is as good as none."""
    try:
        content = json.loads(read_bounded(_file(), limit=_LARGEST_FILE))
        factors = {str(kind): float(factor) for kind, factor in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        _LOG.warning("%s is not used: %s", _file(), error)
        return {}
    return {kind: factor for kind, factor in factors.items() if _LEAST < factor < _MOST}


def _remember(factors: dict[str, float]) -> None:
    """Write the factors; where nothing can be written, nothing is."""
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with replacing(_file()) as aside:
            aside.write_text(json.dumps(factors, indent=2), encoding="utf-8")
    except OSError as error:
        _LOG.warning("%s was not written: %s", _file(), error)


class Stopwatch:
    """Measures one task; loading of networks and programs does not count.

    Parameters
    ----------
    speed
        What learns from it.
    wanted
        What the task was started with.
    estimates
        Whether the task estimates a blur, by itself or before it deblurs.
    now
        Seconds since any moment.
    """

    def __init__(
        self,
        speed: Speed,
        wanted: Resolved,
        *,
        estimates: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed, self._wanted, self._now = speed, wanted, now
        self._step: Step | None = "estimating" if estimates else None
        self._began: float | None = None

    def hear(self, progress: Progress) -> None:
        """Start with the first step, and again where deblurring begins."""
        if isinstance(progress, Begun):
            self.stop()
            self._step = "deblurring"
        elif progress.total and self._began is None:
            self._began = self._now()

    def stop(self) -> None:
        """Learn from the work that is done."""
        if self._began is not None and self._step is not None:
            self._speed.learn(self._step, self._wanted, self._now() - self._began)
        self._began = None
