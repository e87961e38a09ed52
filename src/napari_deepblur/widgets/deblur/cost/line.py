"""One line on what Estimate and Deblur will take."""

from __future__ import annotations

import psutil

from napari_deepblur.widgets.deblur.cost.speed import Speed, cost_of
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.time_left import in_words

__all__ = ["cost_line", "free_bytes", "goes_to_file"]

_GB = 1e9


def free_bytes() -> int:
    """Memory of the computer that is free."""
    return int(psutil.virtual_memory().available)


def cost_line(wanted: Resolved, speed: Speed, *, estimates: bool, free: int) -> tuple[Tone, str]:
    """Say what Estimate and Deblur will take; a warning where memory is too small for it.

    Parameters
    ----------
    wanted
        The layer and the choices.
    speed
        Of this computer.
    estimates
        Whether the blur must be estimated first.
    free
        Free memory, bytes.
    """
    if not wanted.can_run:
        return Tone.INFO, ""
    cost = cost_of("deblurring", wanted)
    needed = cost.n_bytes + cost.n_result_bytes
    if needed > free:
        todo = "crop the image"
        if goes_to_file(wanted, free=free):
            todo = "Deblur asks for a file, to which its planes go"
        memory = f"{_gigabytes(needed)} of memory, {_gigabytes(free)} are free"
        return Tone.WARNING, f"Deblur needs about {memory}: {todo}."
    text = f"deblur {in_words(speed.seconds('deblurring', wanted))}, {_gigabytes(needed)}"
    if estimates:
        text = f"estimate {in_words(speed.seconds('estimating', wanted))}, {text}"
    return Tone.INFO, f"Roughly: {text}"


def goes_to_file(wanted: Resolved, *, free: int) -> bool:
    """Tell whether memory is too small for the results, and large enough for the work on them."""
    cost = cost_of("deblurring", wanted)
    return cost.n_bytes <= free < cost.n_bytes + cost.n_result_bytes


def _gigabytes(n_bytes: float) -> str:
    if n_bytes < 0.1 * _GB:
        return "0.1 GB"
    return f"{n_bytes / _GB:.1f} GB" if n_bytes < 10 * _GB else f"{n_bytes / _GB:.0f} GB"
