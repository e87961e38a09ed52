"""Estimate the blur of an image."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate, Per
from napari_deepblur.engine.concerns import one_of_each_kind
from napari_deepblur.engine.devices import Device, memory_guard, resolve_device
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.engine.models import DEFAULT_MODEL, Model, load_model
from napari_deepblur.engine.plausibility import (
    check_sampling_job,
    concerns_of_plane,
    concerns_of_reading,
)
from napari_deepblur.engine.resample import resample, sampled_band
from napari_deepblur.engine.tiles import SMALLEST_TILE, tile_places, tile_slices
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.description import Describer
    from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
    from napari_deepblur.networks.identification import IdentificationNetwork

__all__ = ["estimate_blur", "estimate_blur_job"]

_TILES_AT_A_TIME = 16


def estimate_blur(
    image: Any,
    *,
    optics: Optics,
    model: str | Path | Model = DEFAULT_MODEL,
    axes: str | None = None,
    per: Per = "plane",
    z_step_um: float | None = None,
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
        ``plane``: a blur for each plane. ``stack``: one blur, read off all of them together,
        which is more accurate where they share it.
    z_step_um
        Distance between the planes of a focus series of one thin object, positive where
        successive planes lie deeper in the sample: it tells which of the two signs of the even
        modes is the true one. Only for axes ZYX and a blur per plane.
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
        estimate_blur_job(
            image,
            optics=optics,
            model=model,
            axes=axes,
            per=per,
            z_step_um=z_step_um,
            device=device,
        )
    )


def estimate_blur_job(
    image: Any,
    *,
    optics: Optics,
    model: str | Path | Model = DEFAULT_MODEL,
    axes: str | None = None,
    per: Per = "plane",
    z_step_um: float | None = None,
    device: Device = "auto",
) -> Job[BlurEstimate]:
    """`estimate_blur` as a job: yields before each step of work on a plane."""
    import torch

    from napari_deepblur.networks.head import Reading

    if per not in ("plane", "stack"):
        raise ValueError(f"per must be 'plane' or 'stack', got {per!r}")
    planes = Planes.of(image, axes)
    opened = load_model(model)
    if z_step_um is not None:
        _require_focus_series(planes, per, z_step_um, opened)
    yield from check_sampling_job(optics)
    with memory_guard():
        total = len(planes) + (len(planes) if per == "plane" else 1)
        yield Progress(0, total, "loading the model")
        network: IdentificationNetwork | FieldIdentificationNetwork = opened.network(
            "identification", resolve_device(device)
        )
        family = opened.family
        ratio, density = family.pixel_ratio(optics), family.tile_density
        descriptions, concerns = [], []
        for index, plane in enumerate(planes):
            at = Progress(index, total, "estimating the blur")
            yield at
            repaired = without_hot_pixels(plane)
            yield at
            concerns.append(concerns_of_plane(repaired, optics))
            yield at
            canonical = _at_canonical_cutoff(repaired, optics, ratio)
            yield at
            band = sampled_band(ratio)
            tiles = _tiles(canonical, density)
            descriptions.append((yield from _describe_job(network, tiles, band, at)))
        if per == "stack":
            descriptions = [torch.stack(descriptions).mean(0)]
            concerns = [one_of_each_kind(concerns)]
        with torch.no_grad():
            described = torch.stack(descriptions)
            places = torch.from_numpy(tile_places(canonical.shape, density=density))
            n_apart = len(tile_places(canonical.shape))
            answer = network.read(described, places.to(described.device), n_apart=n_apart)
            reading = Reading(*(part.cpu() for part in answer))
            detail = network.detail(described.mean(1))
        doubts = concerns_of_reading(reading, detail, opened.identification.prior_std)
        coefficients = yield from _fit_job(opened, reading.coordinates, total)
        concerns = [
            (*of_plane, *of_reading) for of_plane, of_reading in zip(concerns, doubts, strict=True)
        ]
        std = reading.log_std.exp()
        twin_resolved = False
        if z_step_um is not None:
            usable = reading.foreign < 0
            coefficients, twin_resolved = family.resolve_twins(
                coefficients, std, usable=usable, z_step_um=z_step_um, optics=optics
            )
    return BlurEstimate(
        coefficients=coefficients.numpy(),
        std=std.numpy(),
        optics=optics,
        model=opened.reference,
        per=per,
        n_planes=len(planes),
        concerns=tuple(concerns),
        twin_resolved=twin_resolved,
        field_shape=planes.plane_shape if opened.varies else None,
    )


def _require_focus_series(planes: Planes, per: Per, z_step_um: float, model: Model) -> None:
    if not model.family.admits_focus_series:
        raise ValueError(
            f"z_step_um tells the signs of a pupil's modes, which model {model.name!r} has not: "
            "leave it out"
        )
    if planes.axes != "ZYX" or per != "plane" or len(planes) < 2:
        raise ValueError(
            "z_step_um is for a focus series: an image with axes 'ZYX', two planes or more, and "
            f"per='plane'; got axes {planes.axes!r}, {len(planes)} planes, per={per!r}"
        )
    if z_step_um == 0 or not math.isfinite(z_step_um):
        raise ValueError(
            f"z_step_um must not be {z_step_um:g}: give the distance between planes in µm"
        )


def _at_canonical_cutoff(
    plane: NDArray[np.float32], optics: Optics, ratio: float
) -> NDArray[np.float32]:
    canonical = resample(plane, ratio)
    if min(canonical.shape) < SMALLEST_TILE:
        raise ImageError(
            f"the field, {plane.shape[0]} × {plane.shape[1]} pixels of {optics.pixel_size_um:g} "
            f"µm, is only {min(canonical.shape)} blur widths (λ / 4NA) wide, at least "
            f"{SMALLEST_TILE} are needed: take a larger field, or check the pixel size"
        )
    return canonical


def _tiles(plane: NDArray[np.float32], density: int) -> NDArray[np.float32]:
    """Tiles of a plane, row by row."""
    rows, columns = (tile_slices(side, density=density) for side in plane.shape)
    return np.stack([plane[row, column] for row in rows for column in columns])


def _describe_job(
    network: Describer, plane_tiles: NDArray[np.float32], band: float, at: Progress
) -> Job[Tensor]:
    """The network's descriptions of a plane's tiles, shape (T, D)."""
    import torch

    place = next(network.parameters()).device
    tiles = torch.from_numpy(plane_tiles)
    descriptions = []
    for part in network.standardise(tiles[None].to(place))[0].split(_TILES_AT_A_TIME):
        with torch.no_grad():
            descriptions.append(network.describe_each(part, band=band))
        yield at
    return torch.cat(descriptions)


def _fit_job(model: Model, coordinates: Tensor, total: int) -> Job[Tensor]:
    """γ of each blur whose coordinates are given, shape (N, P)."""
    import torch

    best = []
    for index, row in enumerate(coordinates):
        yield Progress(total - len(coordinates) + index, total, "fitting the blur")
        best.append(model.identification.coefficients(row[None])[0])
    yield Progress(total, total, "fitting the blur")
    return torch.stack(best)
