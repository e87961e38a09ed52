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
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics

if TYPE_CHECKING:
    from napari_deepblur.networks.identification import IdentificationNetwork

__all__ = ["estimate_blur", "estimate_blur_job"]

#: Side of the tiles that the network reads: the crops of its training.
_TILE = 128

#: Smallest side at the canonical cutoff.
_SMALLEST_FIELD = 16

#: Sub-fields along each axis, at most.
_SUB_FIELDS = 3


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
            canonical = _at_canonical_cutoff(plane, optics)
            at = Progress(index, total, "estimating the blur")
            answers.append((yield from _read_job(network, canonical, at)))
        if per == "stack":
            answers = [np.mean(answers, axis=0)]
        coefficients, std = yield from _fit_job(opened, answers, total)
    return BlurEstimate(coefficients, std, optics, opened.reference, per, len(planes))


def _at_canonical_cutoff(plane: NDArray[np.float32], optics: Optics) -> NDArray[np.float32]:
    canonical = resample(plane, optics.cutoff / CANONICAL_CUTOFF)
    if min(canonical.shape) < _SMALLEST_FIELD:
        raise ImageError(
            f"the field, {plane.shape[0]} × {plane.shape[1]} pixels of {optics.pixel_size_um:g} "
            f"µm, is only {min(canonical.shape)} blur widths (λ / 4NA) wide, at least "
            f"{_SMALLEST_FIELD} are needed: take a larger field, or check the pixel size"
        )
    return canonical


def _read_job(
    network: IdentificationNetwork, plane: NDArray[np.float32], at: Progress
) -> Job[NDArray[np.float32]]:
    """The network's answers to a plane and its sub-fields, shape (1 + S, K).

    The plane is read in tiles of the size that training shows, and their answers averaged:
    that is more accurate than one answer to the whole.
    """
    import torch

    place = next(network.parameters()).device
    rows, columns = (tile_slices(side) for side in plane.shape)
    answers = []
    for row in rows:
        batch = torch.from_numpy(np.stack([plane[row, column] for column in columns]))
        with torch.no_grad():
            answers.append(network(batch.to(place)).cpu().numpy())
        yield at
    grid = np.stack(answers)
    parts = [
        part.mean((0, 1))
        for band in np.array_split(grid, min(_SUB_FIELDS, len(rows)), axis=0)
        for part in np.array_split(band, min(_SUB_FIELDS, len(columns)), axis=1)
    ]
    return np.stack([grid.mean((0, 1)), *parts])


def tile_slices(side: int) -> list[slice]:
    """At least two evenly spaced tiles along an axis; they overlap where it is short."""
    length = min(_TILE, ceil(0.75 * side))
    n_tiles = max(2, ceil(side / length))
    starts = np.linspace(0, side - length, n_tiles).round().astype(int)
    return [slice(start, start + length) for start in starts.tolist()]


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
