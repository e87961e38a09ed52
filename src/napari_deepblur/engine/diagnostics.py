"""Check of a deblurred image against the observed one: numbers that need no truth.

They need no network either, so any result can be checked, also one of another program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind, one_of_each_kind
from napari_deepblur.engine.destination import GrowingImage, destination
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.forward_fit import ForwardFit, Reblurring
from napari_deepblur.engine.stored_plane import PlaneRows, row_bands, seen_plane_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.errors import ImageError

__all__ = [
    "CHECKING",
    "CheckedPlane",
    "DeblurringCheck",
    "check_deblurring",
    "check_deblurring_job",
    "check_of",
    "check_plane_job",
    "checked_planes",
    "residual_image",
    "residual_image_job",
    "unknown_plane",
]

#: Stage of progress.
CHECKING = "checking the result"


#: What is measured of each plane: methods of `ForwardFit`, and names in `DeblurringCheck`.
_MEASURES = (
    "residual",
    "border_ringing",
    "flux_moved",
    "noise_deviation",
    "residual_of_bright",
    "unsupported",
)

#: Numbers of a plane by their names, and concerns.
CheckedPlane = tuple[dict[str, float], tuple[Concern, ...]]


@dataclass(frozen=True, slots=True)
class DeblurringCheck:
    """Fit of a deblurred image x̂ to the observed one y, plane by plane.

    None of the numbers depends on the camera's gain or offset. Those of a blank plane are NaN.

    Attributes
    ----------
    residual
        RMS of (y - A x̂) / σ, σ being the noise of each place, float32, shape (N,). About 1 where
        x̂, blurred again, is y up to its noise. Too strong a blur cannot explain y and is above;
        too weak a blur can, so about 1 is no proof of the blur. The light from outside the field
        is not known, so the border, half the PSF's window wide, is left out.
    border_ringing
        How much fine detail grew in that border by how much it grew inside, shape (N,). About 1
        where the border is like the rest.
    flux_moved
        Share of the light above the dark level that lies elsewhere in x̂ than in A x̂, between
        0 and 1, shape (N,): what the deblurring brought back. Not compared with y itself, whose
        noise would count as moved light.
    noise_deviation
        RMS of the noise, in the image's unit, shape (N,).
    residual_of_bright
        The residual where the image is more than half as bright as in its brightest places,
        shape (N,). Well below 1 noise was drawn as structure there.
    unsupported
        Highest detail of x̂ where y shows none above its noise, by that noise, shape (N,).
    concerns
        For each plane, what is out of the usual range.
    """

    residual: NDArray[np.float32]
    border_ringing: NDArray[np.float32]
    flux_moved: NDArray[np.float32]
    noise_deviation: NDArray[np.float32]
    residual_of_bright: NDArray[np.float32]
    unsupported: NDArray[np.float32]
    concerns: tuple[tuple[Concern, ...], ...]


def check_deblurring(
    image: Any, sharp: Any, blur: BlurEstimate | VolumeBlurEstimate, *, axes: str | None = None
) -> DeblurringCheck:
    """Check a deblurred image against the observed one.

    Parameters
    ----------
    image
        Observed, counts, shape (…, Y, X) with up to five axes.
    sharp
        Deblurred, same shape and unit; of `deblur` or of any other program.
    blur
        What was taken out.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.

    Raises
    ------
    ImageError
        If an image cannot be used, or shapes or planes do not agree.
    """
    return finish(check_deblurring_job(image, sharp, blur, axes=axes))


def check_deblurring_job(
    image: Any, sharp: Any, blur: BlurEstimate | VolumeBlurEstimate, *, axes: str | None = None
) -> Job[DeblurringCheck]:
    """`check_deblurring` as a job: yields between the steps of work on a plane."""
    observed, restored = _planes_of(image, sharp, blur, axes)
    assert isinstance(blur, BlurEstimate)
    checked = []
    yield Progress(0, len(observed), CHECKING)
    with memory_guard():
        for index in range(len(observed)):
            at = Progress(index, len(observed), CHECKING)
            checked.append((yield from _plane_job(observed, restored, blur, index, at)))
        yield Progress(len(observed), len(observed), CHECKING)
    return check_of(checked)


def _plane_job(
    observed: Planes, restored: Planes, blur: BlurEstimate, index: int, at: Progress
) -> Job[CheckedPlane]:
    """Check a plane, a large one on parts that are spread over it."""
    seen = yield from seen_plane_job(observed, index, at)
    if seen is None:
        return (yield from check_plane_job(None, at))
    reblurring = Reblurring(seen, restored, blur, index)
    checked = []
    for _, window in reblurring.parts():
        checked.append((yield from check_plane_job(reblurring.fit(window), at)))
    if not checked:
        return (yield from check_plane_job(None, at))
    return checked[0] if len(checked) == 1 else _joined(checked)


def _joined(parts: Sequence[CheckedPlane]) -> CheckedPlane:
    """Join what was found of the parts of a plane: root mean squares, and the highest detail."""
    found = {
        name: float(np.sqrt(np.mean([part[name] ** 2 for part, _ in parts]))) for name in _MEASURES
    }
    found["unsupported"] = max(part["unsupported"] for part, _ in parts)
    return found, one_of_each_kind([concerns for _, concerns in parts])


def check_plane_job(fit: ForwardFit | None, at: Progress) -> Job[CheckedPlane]:
    """Check a plane by its fit, None if it is blank; yields how far the work is after each step."""
    yield at
    if fit is None:
        return unknown_plane(Concern.of(ConcernKind.BLANK, which="of this plane"))
    found = {}
    for name in _MEASURES:
        found[name] = getattr(fit, name)()
        yield at
    return found, fit.concerns(found)


def unknown_plane(*concerns: Concern) -> CheckedPlane:
    """Describe a plane that has no numbers."""
    return dict.fromkeys(_MEASURES, float("nan")), concerns


def check_of(planes: Sequence[CheckedPlane]) -> DeblurringCheck:
    """Collect what was found of the planes of an image."""
    columns = {
        name: np.array([found[name] for found, _ in planes], np.float32) for name in _MEASURES
    }
    return DeblurringCheck(**columns, concerns=tuple(concerns for _, concerns in planes))


def checked_planes(check: DeblurringCheck) -> list[CheckedPlane]:
    """Return what was found of each plane: what `check_of` collects."""
    return [
        ({name: float(getattr(check, name)[plane]) for name in _MEASURES}, concerns)
        for plane, concerns in enumerate(check.concerns)
    ]


def residual_image(
    image: Any, sharp: Any, blur: BlurEstimate | VolumeBlurEstimate, *, axes: str | None = None
) -> NDArray[np.float32]:
    """Compute what of the observed image its deblurred version does not explain, (y - A x̂) / σ.

    Where all is well it looks like noise alone. The light from outside the field is not known:
    x̂ is continued there by its mirror image, so structures within half the PSF's window from
    the border tell little.

    Parameters
    ----------
    image
        Observed, counts, shape (…, Y, X) with up to five axes.
    sharp
        Deblurred, same shape and unit.
    blur
        What was taken out.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.

    Returns
    -------
        Float32, shape of the image, in units of the noise σ of each place; 0 where there is no
        data.

    Raises
    ------
    ImageError
        If an image cannot be used, or shapes or planes do not agree.
    """
    residual: NDArray[np.float32] = finish(residual_image_job(image, sharp, blur, axes=axes))
    return residual


def residual_image_job(
    image: Any,
    sharp: Any,
    blur: BlurEstimate | VolumeBlurEstimate,
    *,
    axes: str | None = None,
    into: GrowingImage | None = None,
) -> Job[Any]:
    """`residual_image` as a job: yields after each plane.

    With `into` the planes go to an image that grows, except those that it has, and it is returned.
    """
    stage = "blurring the result again"
    observed, restored = _planes_of(image, sharp, blur, axes)
    assert isinstance(blur, BlurEstimate)
    residual, missing = destination(observed, into)
    yield Progress(0, len(observed), stage)
    with memory_guard():
        for index in missing:
            at = Progress(index, len(observed), stage)
            rows_of = PlaneRows(residual, observed.position(index))
            seen = yield from seen_plane_job(observed, index, at)
            reblurring = None if seen is None else Reblurring(seen, restored, blur, index)
            for rows in row_bands(observed.plane_shape):
                yield at
                rows_of[rows] = _deviations(reblurring, rows, observed.plane_shape)
            if into is not None:
                into.finish(index)
        yield Progress(len(observed), len(observed), stage)
    return residual


def _deviations(
    reblurring: Reblurring | None, rows: slice, plane_shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Residual of some rows of a plane; None is a blank one."""
    if reblurring is None:
        return np.zeros((rows.stop - rows.start, plane_shape[1]), np.float32)
    return reblurring.fit((rows, slice(0, plane_shape[1]))).deviations


def _planes_of(
    image: Any, sharp: Any, blur: BlurEstimate | VolumeBlurEstimate, axes: str | None
) -> tuple[Planes, Planes]:
    if isinstance(blur, VolumeBlurEstimate):
        raise ImageError(
            "an image deblurred in 3-D cannot be checked afterwards: the light outside the stack "
            "is known only while it is deblurred; `deepblur deblur` checks it then"
        )
    observed = Planes.of(image, axes)
    restored = Planes.of(sharp, observed.axes)
    if restored.shape != observed.shape:
        raise ImageError(
            f"the deblurred image has the shape {restored.shape}, the observed one "
            f"{observed.shape}: they must be the same planes on the same grid"
        )
    blur.require_fit(observed)
    return observed, restored
