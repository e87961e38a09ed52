"""Speed of this computer, learned from what was done on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from napari_deepblur.engine.cost import Cost, deblurring_cost, estimating_cost
from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.deblur.deblur_task import Begun
from napari_deepblur.widgets.deblur.readiness import Resolved

__all__ = ["Speed", "Step", "Stopwatch", "cost_of"]

#: What takes time.
Step = Literal["estimating", "deblurring"]

#: Work this short tells nothing of the speed, seconds.
_SHORTEST = 0.3


def cost_of(step: Step, wanted: Resolved) -> Cost:
    """Compute what work on a layer takes, as far as the layer decides it."""
    in_3d = wanted.per == "volume"
    if step == "estimating":
        return estimating_cost(wanted.shape, wanted.axes, in_3d=in_3d)
    return deblurring_cost(wanted.shape, wanted.axes, in_3d=in_3d, residual=wanted.residual_layer)


class Speed:
    """How much longer work takes here than on two cores of a server."""

    def __init__(self) -> None:
        self._factors: dict[tuple[Step, bool, str], float] = {}

    def seconds(self, step: Step, wanted: Resolved) -> float:
        """Time that work will take, by the last run of the same kind, if there was one."""
        return self._factors.get(_kind(step, wanted), 1.0) * cost_of(step, wanted).seconds

    def learn(self, step: Step, wanted: Resolved, seconds: float) -> None:
        """Take a run as the measure of those to come."""
        if seconds >= _SHORTEST:
            self._factors[_kind(step, wanted)] = seconds / cost_of(step, wanted).seconds


def _kind(step: Step, wanted: Resolved) -> tuple[Step, bool, str]:
    return step, wanted.per == "volume", f"{wanted.device} {wanted.model}"


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
