"""Compare an observed plane with its deblurred one, blurred again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.evidence import evidence_of_detail, supported_detail
from napari_deepblur.engine.noise import NoiseReading
from napari_deepblur.engine.partition import field_region
from napari_deepblur.engine.smoothing import gaussian_mean
from napari_deepblur.engine.stored_plane import SeenPlane, parts_with_data
from napari_deepblur.engine.tiles import Window
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import CANONICAL_CUTOFF

__all__ = ["ForwardFit", "Reblurring", "inside_and_border"]

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

#: Detail without evidence, by the noise, that is a concern. The network's results stay below 0.5;
#: what is left of white noise after a Gaussian of one pixel reaches 1.
_UNSUPPORTED_ABOVE = 1.0

#: Evidence below which there is none.
_NO_EVIDENCE = 0.1

#: Share of pixels above the bright end, and number of bright pixels that tell a residual.
_BRIGHT_SHARE, _ENOUGH = 1e-3, 200

#: Least share of pixels that must be left inside, beside areas without data.
_LEAST_INSIDE = 0.02

#: Side of the parts of a plane that is too large for memory on which it is checked, pixels, and
#: their number along each axis.
_PART, _PARTS_ALONG = 1024, 4

_REPLACE = "replace them before going on"

_TINY = float(np.finfo(np.float32).tiny)


class Reblurring:
    """A deblurred plane and the observed one, which are compared as wholes or part by part.

    Parameters
    ----------
    seen
        Observed plane. As `deblur` does, its hot pixels are repaired: a hot pixel is no light that
        the result has to explain.
    restored
        Deblurred image.
    blur
        What was taken out.
    index
        Number of the plane.
    """

    def __init__(self, seen: SeenPlane, restored: Planes, blur: BlurEstimate, index: int) -> None:
        self.seen, self._restored, self._blur, self._index = seen, restored, blur, index
        reading = NoiseReading(blur.optics.cutoff)
        for part, _ in self.parts():
            reading.add(part.image, part.valid)
        self._noise = reading.model()

    def parts(self) -> Iterator[tuple[ValidPlane, Window]]:
        """Look at the parts of the plane that tell how it fits; of one in memory all of it."""
        return parts_with_data(self.seen, _PART, _PARTS_ALONG)

    def fit(self, window: Window) -> ForwardFit:
        """Compare a part of the plane.

        Raises
        ------
        ImageError
            If the deblurred plane has NaN or infinity where there is data.
        """
        import torch

        margins = [side // 2 for side in self._blur.psf(self._index).shape]
        around, outside = self._surroundings(window, margins)
        part, sharp = self.seen.part(around), self._restored.read(self._index, around)
        sharp = sharp if part.valid is None or not part.valid.any() else part.fill(sharp)
        n_bad = int((~np.isfinite(sharp)).sum())
        if n_bad:
            raise ImageError(f"{n_bad} pixels are NaN or infinite{self._where}: {_REPLACE}")
        shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
        region = field_region(window, self.seen.shape)
        with torch.no_grad():
            operator = self._blur.tile_operator(self._index, shape, region)
            # numpy's mirror goes on beyond one image width, torch's does not.
            extended = np.pad(sharp, outside, mode="symmetric")
            # The PSF's sum is 1: without the mean, single precision goes to the structures.
            mean = np.float32(extended.mean(dtype=float))
            spread = torch.from_numpy(extended - mean)[None]
            reblurred = operator.forward(spread)[0].numpy() + mean
        own = tuple(
            slice(side.start - wide.start, side.stop - wide.start)
            for side, wide in zip(window, around, strict=True)
        )
        cutoff = self._blur.optics.cutoff
        noise_map = self._noise.map(part.image, cutoff)[own]
        inner = part.part((own[0], own[1]))
        inside, border = inside_and_border(inner, margins, window, self.seen.shape)
        return ForwardFit(
            inner.image,
            np.ascontiguousarray(sharp[own]),
            reblurred,
            self._noise.deviation,
            np.ascontiguousarray(noise_map),
            inside,
            border,
            cutoff,
        )

    def _surroundings(
        self, window: Window, margins: Sequence[int]
    ) -> tuple[Window, list[tuple[int, int]]]:
        """Find what is read for a part, and the widths that lie outside the plane."""
        around, outside = [], []
        for side, margin, length in zip(window, margins, self.seen.shape, strict=True):
            first, last = side.start - margin, side.stop + margin
            around.append(slice(max(0, first), min(length, last)))
            outside.append((max(0, -first), max(0, last - length)))
        return (around[0], around[1]), outside

    @property
    def _where(self) -> str:
        return f" in plane {self._index}" if len(self._restored) > 1 else ""


@dataclass(frozen=True, slots=True)
class ForwardFit:
    """One plane, observed, deblurred and blurred again, each of shape (Y, X).

    Attributes
    ----------
    image, sharp, reblurred
        y, x̂ and A x̂, in the image's unit.
    noise
        Root mean square of the noise.
    noise_map
        Standard deviation of the noise at each pixel.
    inside
        True for pixels that no unseen light reaches.
    border
        True for the other pixels that hold data.
    cutoff
        f_c of the optics, cycles per pixel.
    """

    image: NDArray[np.float32]
    sharp: NDArray[np.float32]
    reblurred: NDArray[np.float32]
    noise: float
    noise_map: NDArray[np.float32]
    inside: NDArray[np.bool_]
    border: NDArray[np.bool_]
    cutoff: float

    @property
    def deviations(self) -> NDArray[np.float32]:
        """Difference y - A x̂ by the noise of each place, shape (Y, X); 0 where there is no data."""
        deviations = (self.image - self.reblurred) / self.noise_map.clip(_TINY)
        return np.where(self.inside | self.border, deviations, np.float32(0))

    def residual(self) -> float:
        """RMS of y - A x̂ inside, by the noise's."""
        return _rms(self.deviations[self.inside])

    def residual_of_bright(self) -> float:
        """Measure the same where it is more than half as bright as in the brightest places."""
        smooth = gaussian_mean(self.image, _FINE / self.cutoff)
        low, high = np.quantile(smooth[self.inside], (_DARK_SHARE, 1 - _BRIGHT_SHARE))
        bright = self.inside & (smooth > (low + high) / 2)
        return _rms(self.deviations[bright]) if bright.sum() >= _ENOUGH else self.residual()

    def unsupported(self) -> float:
        """Highest detail that is drawn where y shows none above its noise, by that noise."""
        kept = supported_detail(self.sharp, self.image, self.noise_map, self.cutoff)
        drawn = (self.sharp - kept) / self.noise_map.clip(_TINY)
        unit = CANONICAL_CUTOFF / self.cutoff
        bare = evidence_of_detail(self.image, self.noise_map, unit) < _NO_EVIDENCE
        return float(drawn[self.inside & bare].max(initial=0))

    def misfit(self) -> float:
        """RMS of y - A x̂ inside beyond the noise's, by the image's standard deviation."""
        unexplained = _rms((self.image - self.reblurred)[self.inside])
        contrast = self.image[self.inside].std(dtype=float)
        return float(max(unexplained**2 - self.noise**2, 0.0) ** 0.5 / max(contrast, _TINY))

    def border_ringing(self) -> float:
        """Gain of fine detail in the border by that inside."""
        if not self.border.any():
            return 1.0
        # The noise that the deblurring took away is put back: where there is nothing else, the
        # gain is 1 and not a quotient of small numbers.
        after = _fine_detail(self.sharp, _FINE / self.cutoff) + self.noise**2
        before = _fine_detail(self.image, _FINE / self.cutoff)
        gains = []
        for part in (self.border, self.inside):
            gained = after[part].mean(dtype=float) + _FAINT * after.mean(dtype=float)
            had = before[part].mean(dtype=float) + _FAINT * before.mean(dtype=float)
            gains.append(gained / max(had, self.noise**2))
        return float((gains[0] / gains[1]) ** 0.5)

    def flux_moved(self) -> float:
        """Share of the light that lies elsewhere in x̂ than in A x̂."""
        seen = self.inside | self.border
        light = (self.reblurred - np.quantile(self.reblurred[seen], _DARK_SHARE))[seen]
        moved = np.abs(self.sharp - self.reblurred)[seen].mean(dtype=float) / 2
        # What single precision cannot tell from nothing.
        least = 10 * np.finfo(np.float32).eps * float(np.abs(self.reblurred).max())
        mean = light.mean(dtype=float)
        return float(moved / mean) if mean > least else 0.0

    def noise_deviation(self) -> float:
        """RMS of the noise, in the image's unit."""
        return self.noise

    def concerns(self, found: Mapping[str, float]) -> tuple[Concern, ...]:
        """Concerns about the deblurred plane, from its numbers by the name in `DeblurringCheck`."""
        concerns = []
        residual, bright = found["residual"], found["residual_of_bright"]
        if max(residual, bright) > _UNEXPLAINED_ABOVE and self.misfit() > _MISFIT_ABOVE:
            highest = max(residual, bright)
            concerns.append(Concern.of(ConcernKind.NOT_EXPLAINED, residual=highest))
        if found["border_ringing"] > _RINGING_ABOVE:
            ringing = found["border_ringing"]
            concerns.append(Concern.of(ConcernKind.BORDER_RINGING, ringing=ringing))
        if found["unsupported"] > _UNSUPPORTED_ABOVE:
            unsupported = found["unsupported"]
            concerns.append(Concern.of(ConcernKind.UNSUPPORTED, unsupported=unsupported))
        return tuple(concerns)


def inside_and_border(
    seen: ValidPlane,
    margins: Sequence[int],
    window: Window | None = None,
    plane_shape: tuple[int, int] | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels that no unseen light reaches, and the other ones that hold data.

    Parameters
    ----------
    seen
        Plane, or part of it.
    margins
        Widths of the border along both axes, pixels.
    window, plane_shape
        The part's rows and columns, and (Y, X) of its plane, where it is one.
    """
    from scipy.ndimage import maximum_filter

    shape = plane_shape or seen.shape
    window = window or (slice(0, shape[0]), slice(0, shape[1]))
    # Of a small field a quarter on each side: something must be left to look at.
    widths = [min(margin, side // 4) for margin, side in zip(margins, shape, strict=True)]
    rows, columns = (
        (np.arange(part.start, part.stop) >= width) & (np.arange(part.start, part.stop) < far)
        for part, width, far in zip(
            window,
            widths,
            [side - width for side, width in zip(shape, widths, strict=True)],
            strict=True,
        )
    )
    inside = rows[:, None] & columns
    if seen.valid is None:
        return inside, ~inside
    while True:
        reached = maximum_filter(~seen.valid, [2 * width + 1 for width in widths])
        left = inside & ~reached
        if left.mean() > _LEAST_INSIDE or max(widths) == 0:
            return left, seen.valid & ~left
        widths = [width // 2 for width in widths]


def _rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(values, dtype=float).mean())) if values.size else 0.0


def _fine_detail(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Square of the difference to a Gaussian mean of a standard deviation in pixels."""
    detail: NDArray[np.float32] = np.square(image - gaussian_mean(image, width))
    return detail
