"""Whether a deblurred image explains the observed one: numbers that need no truth.

They need no network either, so any result can be checked, also one of another program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.engine.noise import noise_deviation
from napari_deepblur.errors import ImageError

__all__ = [
    "DeblurringCheck",
    "check_deblurring",
    "check_deblurring_job",
    "residual_image",
    "residual_image_job",
]

#: Width of the Gaussian that fine detail is the difference to, in units of 1 / cutoff: nearly the
#: full width at half maximum of the PSF without aberrations, 0.51 / cutoff.
_FINE = 0.5

#: Share of pixels below the dark level, as in `IntensityScale`.
_DARK_SHARE = 0.01

#: Residual, and its excess over the noise by the image's standard deviation, above which both
#: together are a concern. Of simulated scenes (σ = 0.003 to 0.05) that were deblurred with their
#: own blur one in 70 is above, with none at all none, with another blur of the family three in ten.
#: Without the second number every image with hardly any noise would be: the network itself leaves
#: some per cent of the contrast.
_UNEXPLAINED_ABOVE = 1.5
_MISFIT_ABOVE = 0.2

#: Ringing that is a concern. There 95 % of the network's results are below 1.2 and none is above
#: this; Richardson-Lucy with zeros outside is above for 1 in 5 at σ up to 0.01: where there is
#: light all along the border.
_RINGING_ABOVE = 2.0

#: Share of the field's mean detail that is added everywhere before gains are taken, so that an
#: empty border, or an empty inside, tells nothing. Without it the ringing of a true sharp image
#: without noise reached 350.
_FAINT = 0.1


@dataclass(frozen=True, slots=True)
class DeblurringCheck:
    """How a deblurred image x̂ fits the observed one y, plane by plane.

    None of the numbers depends on the camera's gain or offset. Those of a blank plane are NaN.

    Attributes
    ----------
    residual
        RMS of y - A x̂ by that of the noise, float32, shape (N,). About 1 where x̂, blurred
        again, is y up to its noise. Too strong a blur cannot explain y and is above; too weak a
        blur can, so about 1 is no proof of the blur. The light from outside the field is not
        known, so the border, half the PSF's window wide, is left out.
    border_ringing
        How much fine detail grew in that border by how much it grew inside, shape (N,). About 1
        where the border is like the rest.
    flux_moved
        Share of the light above the dark level that lies elsewhere in x̂ than in A x̂, between
        0 and 1, shape (N,): what the deblurring brought back. Not compared with y itself, whose
        noise would count as moved light.
    noise_deviation
        RMS of the noise, by which `residual` is divided, in the image's unit, shape (N,).
    concerns
        For each plane, what is out of the usual range.
    """

    residual: NDArray[np.float32]
    border_ringing: NDArray[np.float32]
    flux_moved: NDArray[np.float32]
    noise_deviation: NDArray[np.float32]
    concerns: tuple[tuple[Concern, ...], ...]


def check_deblurring(
    image: Any, sharp: Any, blur: BlurEstimate, *, axes: str | None = None
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
    image: Any, sharp: Any, blur: BlurEstimate, *, axes: str | None = None
) -> Job[DeblurringCheck]:
    """`check_deblurring` as a job: yields between the steps of work on a plane."""
    stage = "checking the result"
    observed, restored = _planes_of(image, sharp, blur, axes)
    rows = []
    concerns: list[tuple[Concern, ...]] = []
    yield Progress(0, len(observed), stage)
    with memory_guard():
        for index in range(len(observed)):
            at = Progress(index, len(observed), stage)
            pair = _Pair.of(observed, restored, blur, index)
            yield at
            if pair is None:
                rows.append((np.nan,) * 4)
                concerns.append((Concern.of(ConcernKind.BLANK, which="of this plane"),))
                continue
            residual, moved = pair.residual(), pair.flux_moved()
            yield at
            ringing = pair.border_ringing()
            rows.append((residual, ringing, moved, pair.noise))
            concerns.append(pair.concerns(residual, ringing))
        yield Progress(len(observed), len(observed), stage)
    residuals, ringings, shares, noises = np.array(rows, np.float32).T
    return DeblurringCheck(residuals, ringings, shares, noises, tuple(concerns))


def residual_image(
    image: Any, sharp: Any, blur: BlurEstimate, *, axes: str | None = None
) -> NDArray[np.float32]:
    """What of the observed image its deblurred version does not explain, (y - A x̂) / σ.

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
        Float32, shape of the image, in units of the RMS σ of each plane's noise.

    Raises
    ------
    ImageError
        If an image cannot be used, or shapes or planes do not agree.
    """
    return finish(residual_image_job(image, sharp, blur, axes=axes))


def residual_image_job(
    image: Any, sharp: Any, blur: BlurEstimate, *, axes: str | None = None
) -> Job[NDArray[np.float32]]:
    """`residual_image` as a job: yields after each plane."""
    stage = "blurring the result again"
    observed, restored = _planes_of(image, sharp, blur, axes)
    residual = np.empty(observed.shape, np.float32)
    flat = residual.reshape(-1, *observed.plane_shape)
    yield Progress(0, len(observed), stage)
    with memory_guard():
        for index in range(len(observed)):
            pair = _Pair.of(observed, restored, blur, index)
            flat[index] = 0 if pair is None else (pair.image - pair.reblurred) / pair.noise
            yield Progress(index + 1, len(observed), stage)
    return residual


def _planes_of(
    image: Any, sharp: Any, blur: BlurEstimate, axes: str | None
) -> tuple[Planes, Planes]:
    observed = Planes.of(image, axes)
    restored = Planes.of(sharp, observed.axes)
    if restored.shape != observed.shape:
        raise ImageError(
            f"the deblurred image has the shape {restored.shape}, the observed one "
            f"{observed.shape}: they must be the same planes on the same grid"
        )
    blur.require_fit(observed)
    return observed, restored


@dataclass(frozen=True, slots=True)
class _Pair:
    """One plane, observed, deblurred and blurred again, each of shape (Y, X)."""

    image: NDArray[np.float32]
    sharp: NDArray[np.float32]
    reblurred: NDArray[np.float32]
    noise: float
    inside: tuple[slice, slice]
    fine: float

    @classmethod
    def of(cls, observed: Planes, restored: Planes, blur: BlurEstimate, index: int) -> _Pair | None:
        """Compare a plane; None if it is blank."""
        import torch

        seen = observed.unless_blank(index)
        if seen is None:
            return None
        # As `deblur` does: a hot pixel is no light that the result has to explain.
        image, sharp = without_hot_pixels(seen), restored.finite(index)
        with torch.no_grad():
            operator = blur.family.operator(blur.coefficients_of(index), observed.plane_shape)
            margins = [
                (wide - seen) // 2
                for wide, seen in zip(operator.domain_shape, operator.range_shape, strict=True)
            ]
            # numpy's mirror goes on beyond one image width, torch's does not.
            extended = np.pad(sharp, [(margin, margin) for margin in margins], mode="symmetric")
            # The PSF's sum is 1: without the mean, single precision goes to the structures.
            mean = np.float32(extended.mean(dtype=float))
            reblurred = operator.forward(torch.from_numpy(extended - mean)).numpy() + mean
        # Of a small field a quarter on each side: something must be left to look at.
        widths = [min(margin, side // 4) for margin, side in zip(margins, image.shape, strict=True)]
        rows, columns = (slice(width, -width) for width in widths)
        cutoff = blur.optics.cutoff
        noise = noise_deviation(image, cutoff)
        return cls(image, sharp, reblurred, noise, (rows, columns), _FINE / cutoff)

    def residual(self) -> float:
        """RMS of y - A x̂ inside, by the noise's."""
        return self._unexplained() / self.noise

    def misfit(self) -> float:
        """RMS of y - A x̂ inside beyond the noise's, by the image's standard deviation."""
        beyond = max(self._unexplained() ** 2 - self.noise**2, 0.0)
        contrast = self.image[self.inside].std(dtype=float)
        return float(beyond**0.5 / max(contrast, np.finfo(np.float32).tiny))

    def border_ringing(self) -> float:
        """Gain of fine detail in the border by that inside."""
        # The noise that the deblurring took away is put back: where there is nothing else, the
        # gain is 1 and not a quotient of small numbers.
        after = _fine_detail(self.sharp, self.fine) + self.noise**2
        before = _fine_detail(self.image, self.fine)
        border = np.ones(self.image.shape, bool)
        border[self.inside] = False
        gains = []
        for part in (border, ~border):
            gained = after[part].mean(dtype=float) + _FAINT * after.mean(dtype=float)
            had = before[part].mean(dtype=float) + _FAINT * before.mean(dtype=float)
            gains.append(gained / max(had, self.noise**2))
        return float((gains[0] / gains[1]) ** 0.5)

    def flux_moved(self) -> float:
        """Share of the light that lies elsewhere in x̂ than in A x̂."""
        light = self.reblurred - np.quantile(self.reblurred, _DARK_SHARE)
        moved = np.abs(self.sharp - self.reblurred).mean(dtype=float) / 2
        # What single precision cannot tell from nothing.
        least = 10 * np.finfo(np.float32).eps * float(np.abs(self.reblurred).max())
        mean = light.mean(dtype=float)
        return float(moved / mean) if mean > least else 0.0

    def concerns(self, residual: float, ringing: float) -> tuple[Concern, ...]:
        """What is out of the usual range, in words."""
        concerns = []
        if residual > _UNEXPLAINED_ABOVE and self.misfit() > _MISFIT_ABOVE:
            concerns.append(Concern.of(ConcernKind.NOT_EXPLAINED, residual=residual))
        if ringing > _RINGING_ABOVE:
            concerns.append(Concern.of(ConcernKind.BORDER_RINGING, ringing=ringing))
        return tuple(concerns)

    def _unexplained(self) -> float:
        difference = (self.image - self.reblurred)[self.inside]
        return float(np.sqrt(np.square(difference, dtype=float).mean()))


def _fine_detail(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Square of the difference to a Gaussian mean of a standard deviation in pixels."""
    from scipy.ndimage import gaussian_filter

    detail: NDArray[np.float32] = np.square(image - gaussian_filter(image, width))
    return detail
