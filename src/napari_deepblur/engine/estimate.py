"""From an image to its blur."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate, Per
from napari_deepblur.engine.devices import Device, memory_guard, resolve_device
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.models import DEFAULT_MODEL, Model, load_model
from napari_deepblur.engine.resample import resample
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics

if TYPE_CHECKING:
    from napari_deepblur.networks.identification import IdentificationNetwork

__all__ = ["estimate_blur", "estimate_blur_job"]

#: Largest side that the network reads in one go, so that a cancel is heard within a second.
_LARGEST_READ = 512

#: Side of sub-fields where the plane is large enough: the smallest that training shows.
_SUB_FIELD = 96


def estimate_blur(
    image: Any,
    *,
    optics: Optics,
    model: str | Path | Model = DEFAULT_MODEL,
    axes: str | None = None,
    per: Per = "plane",
    device: Device = "auto",
) -> BlurEstimate:
    """Read the blur off an image.

    Parameters
    ----------
    image
        Observed, counts, shape (…, Y, X) with up to five axes.
    optics
        Microscope and pixel size.
    model
        Bundled name, model folder or opened model.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    per
        ``plane``: a blur for each plane. ``stack``: one blur for all of them.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    ImageError
        If the image cannot be used, or its pixels are larger than the blur.
    ModelError
        If the model is unknown or damaged.
    DeviceError
        If the device is absent or out of memory.
    """
    return finish(
        estimate_blur_job(image, optics=optics, model=model, axes=axes, per=per, device=device)
    )


def estimate_blur_job(
    image: Any,
    *,
    optics: Optics,
    model: str | Path | Model = DEFAULT_MODEL,
    axes: str | None = None,
    per: Per = "plane",
    device: Device = "auto",
) -> Job[BlurEstimate]:
    """`estimate_blur` as a job: yields at least once in the time a 512 × 512 plane takes."""
    if per not in ("plane", "stack"):
        raise ValueError(f"per must be 'plane' or 'stack', got {per!r}")
    planes = Planes.of(image, axes)
    optics.require_resolved_blur()
    opened = load_model(model)
    with memory_guard():
        total = len(planes) + (len(planes) if per == "plane" else 1)
        yield Progress(0, total, "loading the model")
        network = opened.identification.to(resolve_device(device))
        answers = []
        for index, plane in enumerate(planes):
            canonical = resample(plane, optics.cutoff / CANONICAL_CUTOFF)
            at = Progress(index, total, "estimating the blur")
            rows = []
            for view in (canonical, *sub_fields(canonical)):
                rows.append((yield from _read_job(network, view, at)))  # noqa: PERF401
            answers.append(np.stack(rows))
        if per == "stack":
            answers = [np.mean(answers, axis=0)]
        coefficients, std = yield from _fit_job(opened, answers, total)
    return BlurEstimate(coefficients, std, optics, opened.reference, per, len(planes))


def sub_fields(plane: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Parts of a plane that cover it, 2 × 2 or 3 × 3; they overlap where it is small."""
    lengths = []
    for side in plane.shape:
        n_parts = 3 if side >= 4 * _SUB_FIELD else 2
        lengths.append((n_parts, max(ceil(side / n_parts), min(_SUB_FIELD, ceil(0.6 * side)))))
    return _cover(plane, lengths)


def _tiles(plane: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Parts that cover a plane, none larger than what is read in one go."""
    counts = [ceil(side / _LARGEST_READ) for side in plane.shape]
    return _cover(plane, [(n, ceil(side / n)) for n, side in zip(counts, plane.shape, strict=True)])


def _cover(plane: NDArray[np.float32], parts: list[tuple[int, int]]) -> list[NDArray[np.float32]]:
    """Evenly spaced parts, their number and length given for each axis."""
    slices = []
    for side, (n_parts, length) in zip(plane.shape, parts, strict=True):
        starts = np.linspace(0, side - length, n_parts).round().astype(int)
        slices.append([slice(start, start + length) for start in starts])
    return [plane[rows, columns] for rows in slices[0] for columns in slices[1]]


def _read_job(
    network: IdentificationNetwork, view: NDArray[np.float32], at: Progress
) -> Job[NDArray[np.float32]]:
    """The network's answer to one view of a plane, shape (K,): the mean over its tiles."""
    import torch

    place = next(network.parameters()).device
    answers = []
    for tile in _tiles(view):
        with torch.no_grad():
            answer = network(torch.from_numpy(tile)[None].to(place))
        answers.append(answer[0].cpu().numpy())
        yield at
    mean: NDArray[np.float32] = np.mean(answers, axis=0)
    return mean


def _fit_job(
    model: Model, answers: list[NDArray[np.float32]], total: int
) -> Job[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """γ of each blur and its standard deviation over sub-fields, both (N, P).

    Each element of `answers` holds the network's answer to the whole plane first, then
    those to its sub-fields.
    """
    import torch

    best, spread = [], []
    for index, rows in enumerate(answers):
        yield Progress(total - len(answers) + index, total, "fitting the pupil")
        gamma = model.space.fit(torch.from_numpy(rows))
        whole, parts = gamma[0], gamma[1:]
        # A sub-field may land on the twin; its disagreement is that with the nearer one.
        twins = model.family.admissible_set.twin(parts)
        nearer = (parts - whole).square().sum(-1) <= (twins - whole).square().sum(-1)
        best.append(whole)
        spread.append(torch.where(nearer[:, None], parts, twins).std(0))
    yield Progress(total, total, "fitting the pupil")
    return torch.stack(best).numpy(), torch.stack(spread).numpy()
