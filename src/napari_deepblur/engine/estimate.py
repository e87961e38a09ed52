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
    import torch

__all__ = ["estimate_blur", "estimate_blur_job"]

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
    """`estimate_blur` as a job: yields after each plane."""
    if per not in ("plane", "stack"):
        raise ValueError(f"per must be 'plane' or 'stack', got {per!r}")
    planes = Planes.of(image, axes)
    optics.require_resolved_blur()
    opened = load_model(model)
    with memory_guard():
        yield Progress(0, len(planes), "loading the model")
        place = resolve_device(device)
        network = opened.identification.to(place)
        whole, parts = [], []
        for index, plane in enumerate(planes):
            canonical = resample(plane, optics.cutoff / CANONICAL_CUTOFF)
            whole.append(_read(network, canonical, place))
            parts.append([_read(network, part, place) for part in sub_fields(canonical)])
            yield Progress(index + 1, len(planes), "estimating the blur")
        if per == "stack":
            whole = [np.mean(whole, axis=0)]
            parts = [[part for plane_parts in parts for part in plane_parts]]
        coefficients, std = _to_coefficients(opened, whole, parts)
    return BlurEstimate(coefficients, std, optics, opened.reference, per, len(planes))


def sub_fields(plane: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Parts of a plane that cover it, 2 × 2 or 3 × 3; they overlap where it is small."""
    slices = []
    for side in plane.shape:
        n_parts = 3 if side >= 4 * _SUB_FIELD else 2
        length = max(ceil(side / n_parts), min(_SUB_FIELD, ceil(0.6 * side)))
        starts = np.linspace(0, side - length, n_parts).round().astype(int)
        slices.append([slice(start, start + length) for start in starts])
    return [plane[rows, columns] for rows in slices[0] for columns in slices[1]]


def _read(
    network: torch.nn.Module, plane: NDArray[np.float32], place: torch.device
) -> NDArray[np.float32]:
    """The network's answer to one plane, shape (K,)."""
    import torch

    with torch.inference_mode():
        answer = network(torch.from_numpy(plane)[None].to(place))
    numbers: NDArray[np.float32] = answer[0].cpu().numpy()
    return numbers


def _to_coefficients(
    model: Model,
    whole: list[NDArray[np.float32]],
    parts: list[list[NDArray[np.float32]]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """γ of each blur and its standard deviation over sub-fields, both (N, P)."""
    import torch

    best = model.space.fit(torch.from_numpy(np.stack(whole)))
    spread = []
    for centre, answers in zip(best, parts, strict=True):
        gamma = model.space.fit(torch.from_numpy(np.stack(answers)))
        # A sub-field may land on the twin; its disagreement is that with the nearer one.
        twin = model.family.admissible_set.twin(gamma)
        nearer = (gamma - centre).square().sum(-1) <= (twin - centre).square().sum(-1)
        spread.append(torch.where(nearer[:, None], gamma, twin).std(0))
    return best.numpy(), torch.stack(spread).numpy()
