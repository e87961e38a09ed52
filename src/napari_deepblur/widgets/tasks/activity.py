"""Progress of a task in napari's activity dock, with a Cancel that works."""

from __future__ import annotations

import time
from collections.abc import Callable

from napari.utils.progress import cancelable_progress

from napari_deepblur.engine.events import Event, Progress

__all__ = ["Activity"]


class Activity:
    """A bar in napari's activity dock; to be made and used in the window's thread.

    Parameters
    ----------
    cancel
        What the bar's Cancel does.
    pause
        Seconds between two drawings: while it draws a bar napari handles other events, among them
        those that tell of the next steps.
    """

    def __init__(self, cancel: Callable[[], None], *, pause: float = 0.1) -> None:
        self._bar = _Bar(desc="Deep-Blur", total=0, cancel_callback=cancel)
        self._pause, self._is_drawn, self._next = pause, False, 0.0
        self._stage: tuple[str, int] | None = None

    def show(self, event: Event) -> None:
        """Show how far the task is; napari adds the time left."""
        now = time.monotonic()
        if not isinstance(event, Progress) or self._is_drawn or now < self._next:
            return
        self._is_drawn, self._next = True, now + self._pause
        try:
            self._draw(event)
        finally:
            self._is_drawn = False

    def _draw(self, event: Progress) -> None:
        bar, stage = self._bar, (event.stage, event.total)
        if stage != self._stage or event.done < bar.n:
            # The time left is that of the stage.
            self._stage = stage
            bar.reset(event.total)
            bar.set_description(f"Deep-Blur: {event.stage}")
        bar.update(event.done - bar.n)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


class _Bar(cancelable_progress):
    """A bar that tells of Cancel at once: napari tells only those that run through a loop."""

    def cancel(self) -> None:
        """Cancel the task."""
        super().cancel()
        self.cancel_callback()
