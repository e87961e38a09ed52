"""Estimate the blur of an image."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.bead_fit import read_beads_job
from napari_deepblur.engine.blur import BlurEstimate, Per
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.devices import Device, memory_guard, resolve_device
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.models import DEFAULT_MODEL, Model, load_model
from napari_deepblur.engine.plane_features import PlaneFeatures, plane_features_job
from napari_deepblur.engine.plausibility import (
    check_sampling_job,
    concerns_of_model,
    concerns_of_prediction,
    concerns_of_psfs,
)
from napari_deepblur.engine.refinement import refine_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.estimate import estimate_volume_blur_job
from napari_deepblur.optics.field import field_grid
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
    from napari_deepblur.networks.head import Prediction
    from napari_deepblur.networks.identification import IdentificationNetwork

__all__ = ["blank_estimate", "estimate_blur", "estimate_blur_job"]

#: Places of the field whose PSFs are looked at; one where they are all the same.
_PLACES = field_grid(3, 3)
_CENTRE = field_grid(1, 1)

#: Concerns about what a network reads, which beads that are fitted do not share.
_OF_NETWORK = {
    ConcernKind.NEARLY_EMPTY,
    ConcernKind.UNLIKE,
    ConcernKind.NO_DETAIL,
    ConcernKind.GUESS,
}


@overload
def estimate_blur(  # numpydoc ignore=GL08
    image: Any,
    *,
    optics: Optics,
    model: str | Path | Model = DEFAULT_MODEL,
    axes: str | None = None,
    per: Per = "plane",
    z_step_um: float | None = None,
    device: Device = "auto",
) -> BlurEstimate: ...


@overload
def estimate_blur(  # numpydoc ignore=GL08
    image: Any,
    *,
    optics: Optics,
    axes: str | None = None,
    per: Literal["volume"],
    z_step_um: float,
    light_sheet_fwhm_um: float | None = None,
) -> VolumeBlurEstimate: ...


def estimate_blur(
    image: Any,
    *,
    optics: Optics,
    model: str | Path | Model = DEFAULT_MODEL,
    axes: str | None = None,
    per: Per | Literal["volume"] = "plane",
    z_step_um: float | None = None,
    light_sheet_fwhm_um: float | None = None,
    device: Device = "auto",
) -> BlurEstimate | VolumeBlurEstimate:
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
        which is more accurate where they share it. ``volume``: one 3-D blur of each z-stack, read
        off the stack as a whole without a network.
    z_step_um
        Distance between planes, positive where successive planes lie deeper in the sample.
        ``volume`` needs it. For a blur per plane only of a focus series of one thin object, axes
        ZYX: there it tells which of the two signs of the even modes is the true one.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet that lit the sample, only for ``volume``;
        None for widefield.
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
    if per == "volume":
        return finish(
            estimate_volume_blur_job(
                image,
                optics=optics,
                z_step_um=z_step_um,
                axes=axes,
                light_sheet_fwhm_um=light_sheet_fwhm_um,
            )
        )
    if light_sheet_fwhm_um is not None:
        raise ValueError("light_sheet_fwhm_um is for per='volume': leave it out")
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
    if per not in ("plane", "stack"):
        raise ValueError(f"per must be 'plane' or 'stack', got {per!r}")
    planes = Planes.of(image, axes)
    opened = load_model(model)
    if z_step_um is not None:
        _require_focus_series(planes, per, z_step_um, opened)
    yield from check_sampling_job(optics, opened.coarsest_cutoff)
    with memory_guard():
        n_rows = len(planes) if per == "plane" else 1
        total = len(planes) + n_rows
        yield Progress(0, total, "loading the model")
        network: IdentificationNetwork | FieldIdentificationNetwork = opened.network(
            "identification", resolve_device(device)
        )
        encoded = yield from plane_features_job(network, planes, optics, opened, total)
        if per == "stack":
            encoded = encoded.combined()
        prediction, doubts = _predict(network, encoded, opened)
        fitted = yield from _fit_job(opened, prediction.coordinates, total)
        best = yield from _refine_job(opened, fitted, prediction.log_std.exp(), encoded, total)
        at = Progress(total, total, "fitting the blur")
        coefficients, std, n_beads = yield from read_beads_job(
            opened, *best, encoded.beads, optics=optics, at=at
        )
        coefficients, std = _rows(opened, coefficients, std, encoded.rows, n_rows)
        twin_resolved = False
        if z_step_um is not None:
            usable = _usable(prediction, n_beads, encoded.rows, n_rows)
            coefficients, twin_resolved = opened.family.resolve_twins(
                coefficients, std, usable=usable, z_step_um=z_step_um, optics=optics
            )
    of_model = concerns_of_model(opened.card.made_for, optics)
    concerns = [list(of_row) for of_row in encoded.concerns]
    for row, of_prediction, n in zip(encoded.rows, doubts, n_beads, strict=True):
        # First what another model would cure.
        concerns[row] = [*of_model, *concerns[row], *of_prediction]
        if n:
            concerns[row] = [one for one in concerns[row] if one.kind not in _OF_NETWORK]
    estimate = BlurEstimate(
        coefficients=coefficients.numpy(),
        std=std.numpy(),
        optics=optics,
        model=opened.reference,
        per=per,
        n_planes=len(planes),
        twin_resolved=twin_resolved,
        field_shape=planes.plane_shape if opened.varies else None,
        n_beads=_numbers(n_beads, encoded.rows, n_rows),
    )
    places = _PLACES if opened.varies else _CENTRE
    for row in encoded.rows:
        yield Progress(total, total, "fitting the blur")
        psfs = estimate.psf_field(row, places)
        concerns[row] += concerns_of_psfs(psfs, optics, opened.coarsest_cutoff)
    return replace(estimate, concerns=tuple(map(tuple, concerns)))


def blank_estimate(planes: Planes, *, optics: Optics, model: str | Path | Model) -> BlurEstimate:
    """Return what is estimated of planes among others that are all blank: as much as nothing."""
    opened = load_model(model)
    coefficients, std = _neutral_rows(opened, len(planes))
    blank = Concern.of(ConcernKind.BLANK, which="of this plane")
    return BlurEstimate(
        coefficients=coefficients.numpy(),
        std=std.numpy(),
        optics=optics,
        model=opened.reference,
        n_planes=len(planes),
        concerns=((blank,),) * len(planes),
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


def _predict(
    network: IdentificationNetwork | FieldIdentificationNetwork,
    encoded: PlaneFeatures,
    model: Model,
) -> tuple[Prediction, list[tuple[Concern, ...]]]:
    """Predict the blurs of the rows that are not blank, and the concerns about them."""
    import torch

    from napari_deepblur.networks.head import Prediction

    features = torch.stack(encoded.features)
    places = torch.from_numpy(np.stack(encoded.places)).to(features.device)
    alike = bool((places == places[:1]).all())
    # Where planes hold data in different places, so do their tiles.
    parts = [(features, places[0])] if alike else zip(features.split(1), places, strict=True)
    with torch.no_grad():
        answers = [
            network.predict(part, place, n_independent_tiles=encoded.n_independent_tiles)
            for part, place in parts
        ]
        prediction = Prediction(*(torch.cat(part).cpu() for part in zip(*answers, strict=True)))
        detail = network.detail(features.mean(1))
    return prediction, concerns_of_prediction(prediction, detail, model.identification.prior_std)


def _refine_job(
    model: Model, fitted: Tensor, std: Tensor, encoded: PlaneFeatures, total: int
) -> Job[tuple[Tensor, Tensor]]:
    """Complete the network's estimates, and refine them by the spectra where there are any."""
    coefficients, std = model.family.completed(fitted, std)
    if not encoded.spectra:
        return coefficients, std
    at = Progress(total, total, "fitting the blur")
    return (
        yield from refine_job(model, coefficients, std, encoded.spectra, band=encoded.band, at=at)
    )


def _numbers(n_beads: list[int], rows: list[int], n_rows: int) -> tuple[int, ...]:
    """Numbers of beads of all rows; none if there are no beads at all."""
    if not any(n_beads):
        return ()
    known = dict(zip(rows, n_beads, strict=True))
    return tuple(known.get(row, 0) for row in range(n_rows))


def _rows(
    model: Model, fitted: Tensor, std: Tensor, rows: list[int], n_rows: int
) -> tuple[Tensor, Tensor]:
    """Coefficients and standard errors of all rows; those of blank rows are the prior."""
    if len(rows) == n_rows:
        return fitted, std
    coefficients, errors = _neutral_rows(model, n_rows)
    coefficients[rows], errors[rows] = fitted, std
    return coefficients, errors


def _neutral_rows(model: Model, n_rows: int) -> tuple[Tensor, Tensor]:
    """Coefficients and standard errors of rows of which nothing is known."""
    import torch

    nothing = torch.zeros(1, len(model.family.coefficient_names))
    coefficients = model.family.admissible_set.project(nothing).repeat(n_rows, 1)
    return coefficients, torch.full_like(coefficients, model.identification.prior_std)


def _usable(prediction: Prediction, n_beads: list[int], rows: list[int], n_rows: int) -> Tensor:
    """Rows whose blur is one of the family, shape (N,)."""
    import torch

    usable = torch.zeros(n_rows, dtype=torch.bool)
    usable[rows] = (prediction.out_of_distribution < 0) | (torch.tensor(n_beads) > 0)
    return usable


def _fit_job(model: Model, coordinates: Tensor, total: int) -> Job[Tensor]:
    """γ of each blur whose coordinates are given, shape (N, P)."""
    import torch

    best = []
    for index, row in enumerate(coordinates):
        yield Progress(total - len(coordinates) + index, total, "fitting the blur")
        best.append(model.identification.coefficients(row[None])[0])
    yield Progress(total, total, "fitting the blur")
    return torch.stack(best)
