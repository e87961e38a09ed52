"""Time that a task still takes, by how long its stage took so far."""

from __future__ import annotations

from napari_deepblur.engine.events import Progress

__all__ = ["TimeLeft", "in_words"]

#: Seconds of a stage before which nothing is said: the first steps tell little.
_SETTLED = 2.0


class TimeLeft:
    """Seconds that the present stage of a task still takes."""

    def __init__(self) -> None:
        self._stage: tuple[str, int] | None = None
        self._began, self._first = 0.0, 0

    def after(self, progress: Progress, now: float) -> float | None:
        """Return the seconds left; None while nobody can tell.

        Parameters
        ----------
        progress
            How far the task is.
        now
            Seconds since any moment.
        """
        stage = progress.stage, progress.total
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, progress.done
        done, took = progress.done - self._first, now - self._began
        if progress.total == 0 or done <= 0 or took < _SETTLED:
            return None
        return took / done * (progress.total - progress.done)


def in_words(seconds: float) -> str:
    """Say a time roughly: "40 s", "3 min", "1 h 20 min"."""
    if seconds < 10:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
