"""Restore an image: find its blur, deblur it, check the result, and see what it leaves over.

The one use case: docks, command line and batch runs send a `Request` and get the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.deblur import deblur_job, outside_training
from napari_deepblur.engine.destination import Destinations
from napari_deepblur.engine.diagnostics import (
    DeblurringCheck,
    check_deblurring_job,
    residual_image_job,
)
from napari_deepblur.engine.estimate import estimate_blur_job
from napari_deepblur.engine.events import Job, Warned
from napari_deepblur.engine.given_blur import fitted_job, given_blur_job
from napari_deepblur.engine.known.find import find_known_blur
from napari_deepblur.engine.known.volumes import known_volume_blur_job
from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
from napari_deepblur.engine.request import Request, Source, open_source
from napari_deepblur.engine.volume.bead import blur_from_bead_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.check import VolumeChecks
from napari_deepblur.engine.volume.deblur import VolumeResult, deblur_volumes_job
from napari_deepblur.engine.volume.estimate import estimate_volume_blur_job
from napari_deepblur.errors import ImageError, describe

__all__ = ["Restored", "find_blur_job", "restore_job"]

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

_NOT_CHECKED = "the deblurred image was not checked"

_NO_SIGN = (
    "the planes do not change as those of a focus series with this distance would, or too "
    "little to be sure: the sign of the even modes stays unknown"
)


@dataclass(frozen=True, slots=True)
class Restored:
    """A deblurred image, with the blur that was taken out and how well both fit the image.

    Attributes
    ----------
    blur
        The blur, on the image's own pixels; that of volumes, where the image was deblurred in 3-D.
    sharp
        Deblurred image, float32, shape of the image: an array, or a file that has grown.
    check
        How it fits the image; None if the check failed.
    residual
        What of the image it does not explain, by the noise, shape of the image; None if it was
        not asked for, or failed.
    """

    blur: BlurEstimate | VolumeBlurEstimate
    sharp: Any
    check: DeblurringCheck | None
    residual: Any = None


def find_blur_job(
    request: Request, source: Source | None = None
) -> Job[BlurEstimate | VolumeBlurEstimate]:
    """Estimate the blur of the request's image, or take the one that it names, as a job.

    Parameters
    ----------
    request
        Image, optics and choices.
    source
        The request's image, if it is open already.

    Raises
    ------
    ValueError
        If optics are missing or impossible, and all that `open_source`, `estimate_blur` and
        `load_blur` raise.
    """
    source = source or open_source(request)
    if request.blur is not None:
        return (yield from given_blur_job(request, source))
    if request.known is not None:
        if request.per == "volume":
            sheet = request.light_sheet_fwhm_um
            return (yield from known_volume_blur_job(request.known, source, sheet))
        return (yield from fitted_job(find_known_blur(request.known, source), source))
    blur = yield from _read_blur_job(request, source)
    return replace(blur, source=request.source_name)


def _read_blur_job(request: Request, source: Source) -> Job[BlurEstimate | VolumeBlurEstimate]:
    """Estimate the blur of the image."""
    if request.per == "volume":
        read_job = blur_from_bead_job if request.bead else estimate_volume_blur_job
        return (
            yield from read_job(
                source.data,
                optics=source.optics,
                z_step_um=source.z_step_um,
                axes=source.axes,
                light_sheet_fwhm_um=request.light_sheet_fwhm_um,
            )
        )
    focus_step_um = source.z_step_um if request.focus_series else None
    blur = yield from estimate_blur_job(
        source.data,
        optics=source.optics,
        model=request.model or DEFAULT_MODEL,
        axes=source.axes,
        per=request.per,
        z_step_um=focus_step_um,
        device=request.device,
    )
    if focus_step_um is not None and not blur.twin_resolved:
        yield Warned(_NO_SIGN)
    return blur


def restore_job(
    request: Request, source: Source | None = None, *, run: Destinations | None = None
) -> Job[Restored]:
    """Deblur the request's image and check the result, as a job.

    A check or a residual that fails is a warning: it does not cost the deblurred image.

    Parameters
    ----------
    request
        Image, optics and choices.
    source
        The request's image, if it is open already.
    run
        Where the results go, plane by plane; by default arrays that come when all is done.

    Raises
    ------
    ValueError
        As `find_blur_job` and `deblur`.
    """
    source = source or open_source(request)
    blur = yield from find_blur_job(request, source)
    data, axes = source.data, source.axes
    if isinstance(blur, VolumeBlurEstimate):
        return (yield from _restore_volumes_job(request, source, blur, run))
    sharp = yield from deblur_job(
        data,
        blur,
        model=request.model,
        axes=axes,
        device=request.device,
        tile_px=None if run is None else run.tile_px(blur, request),
        into=None if run is None else run.sharp,
    )
    check = yield from _or_warned(check_deblurring_job(data, sharp, blur, axes=axes), _NOT_CHECKED)
    residual = None
    if request.residual:
        residual = yield from _or_warned(
            residual_image_job(
                data, sharp, blur, axes=axes, into=None if run is None else run.residual
            ),
            "there is no image of the residual",
        )
    if check is not None:
        check = _with_doubts(check, blur, request.model)
    return Restored(blur, sharp, check, residual)


def _restore_volumes_job(
    request: Request, source: Source, blur: VolumeBlurEstimate, run: Destinations | None
) -> Job[Restored]:
    """Deblur volumes in 3-D and check each, while the light outside it is known."""
    checks = VolumeChecks(
        source.data,
        source.axes,
        blur.optics.cutoff,
        residual=request.residual,
        residual_into=None if run is None else run.residual,
    )

    def checked_job(result: VolumeResult) -> Job[None]:
        yield from _or_warned(checks.volume_job(result), _NOT_CHECKED)

    sharp = yield from deblur_volumes_job(
        source.data,
        blur,
        axes=source.axes,
        into=None if run is None else run.sharp,
        then=checked_job,
    )
    return Restored(blur, sharp, checks.check(), checks.residual)


def _with_doubts(check: DeblurringCheck, blur: BlurEstimate, model: str | None) -> DeblurringCheck:
    """Add to a check what is doubtful about the blur that was taken out."""
    outside = outside_training(load_model(model or blur.model), blur.optics)
    of_all = () if outside is None else (outside,)
    doubted = (Concern.of(ConcernKind.DOUBTED_BLUR),)
    concerns = [
        (*of_all, *(doubted if _is_doubted(blur, plane) else ()), *reasons)
        for plane, reasons in enumerate(check.concerns)
    ]
    return replace(check, concerns=tuple(concerns))


def _is_doubted(blur: BlurEstimate, plane: int) -> bool:
    """Tell whether something speaks against a plane's blur; that others are blank does not."""
    concerns = blur.concerns[blur.row_of(plane)] if blur.concerns else ()
    return any(concern.kind is not ConcernKind.BLANK for concern in concerns)


def _or_warned(job: Job[Result], missing: str) -> Job[Result | None]:
    """Run a job whose failure is a warning and costs its own result only, not earlier ones."""
    try:
        return (yield from job)
    except ImageError as error:
        yield Warned(f"{missing}: {error}")
        return None
    except OSError:  # a full disk: the image itself would be the next that cannot be written
        raise
    except Exception as error:  # noqa: BLE001 - logged, and shown to the user
        _LOG.exception(missing)
        yield Warned(f"{missing}: {describe(error)}")
        return None
