"""Reasons why an estimate may be wrong beyond its standard error.

The network answers every image. Here stands what makes an image unlike those of its training,
in words for the user.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.events import Job, Warned
from napari_deepblur.engine.tiles import TILE, tile_slices
from napari_deepblur.optics.settings import Optics, Sampling

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.head import Reading

__all__ = ["check_sampling_job", "concerns_of_plane", "concerns_of_reading", "one_of_each_kind"]

_SATURATED_ABOVE = 0.01

#: Share of the light's variance in the brightest of pixels. Held-out micrographs stay below 0.31;
#: a bead alone reaches 0.6 to 0.99.
_EMPTY_ABOVE = 0.55
_BRIGHTEST = 0.002

#: Power just beyond the OTF by that of the noise: of white noise it is 1.
_COLOURED_ABOVE = 2.0

#: Power beyond the OTF by the mean below which it is leakage between frequencies.
_FAINT = 1e-4

_TILES_LOOKED_AT = 64

#: Power of fine detail by that of the noise: 0 ± 0.05 of white noise of 128² pixels; of held-out
#: micrographs of 256² pixels with σ = 0.1 one in twenty is below.
_NO_DETAIL_BELOW = 0.05

#: Logit at which one in twenty images of 256² pixels with a blur of the family is flagged, one or
#: two in a hundred of larger ones; the network saw few foreign blurs and is slow to call one so.
_UNLIKE_ABOVE = -1.0

_UNLIKE = "unlike the model's blurs: stronger, or of another kind, than it was trained for"
_NO_DETAIL = "hardly any detail above the noise: the image says little about its blur"
_GUESS = (
    "little better than a guess: the standard errors are as large as coefficients of the model "
    "commonly are"
)


def check_sampling_job(optics: Optics) -> Job[None]:
    """Refuse pixels that hold no blur, and warn of coarse ones, as a job.

    Raises
    ------
    SamplingError
        See `Optics.require_resolved_blur`.
    """
    optics.require_resolved_blur()
    if optics.sampling is Sampling.UNDERSAMPLED:
        yield Warned(optics.sampling_text)


def concerns_of_plane(plane: NDArray[np.float32], optics: Optics) -> tuple[str, ...]:
    """What the pixels themselves tell.

    Parameters
    ----------
    plane
        Shape (Y, X), not constant, without hot pixels.
    optics
        Of the image.
    """
    concerns = []
    if optics.sampling is Sampling.UNDERSAMPLED:
        concerns.append(optics.sampling_text)
    saturated = float((plane == plane.max()).mean())
    if saturated > _SATURATED_ABOVE:
        concerns.append(f"saturated: {saturated:.1%} of the pixels have the highest value")
    if _in_the_brightest(plane) > _EMPTY_ABOVE:
        concerns.append(
            "nearly empty: a few spots hold nearly all of the light; of single beads the network "
            "reads the blur badly (a bead's image is its PSF)"
        )
    if _beyond_otf(plane, optics.cutoff) > _COLOURED_ABOVE:
        concerns.append(
            "detail beyond the OTF: the image holds more than noise where these optics pass "
            "nothing; check NA, wavelength and pixel size, or the image was processed before"
        )
    return tuple(concerns)


def concerns_of_reading(
    reading: Reading, detail: Tensor, usual_std: float
) -> list[tuple[str, ...]]:
    """What the network tells besides the blur, for each row of its answer.

    Parameters
    ----------
    reading
        Of N blurs.
    detail
        `IdentificationNetwork.detail` of what was read, shape (N,).
    usual_std
        Standard deviation of a coefficient of which one knows the family only.
    """
    flags = {
        _UNLIKE: reading.foreign > _UNLIKE_ABOVE,
        _NO_DETAIL: detail.cpu() < _NO_DETAIL_BELOW,
        _GUESS: reading.log_std.exp().mean(-1) > usual_std,
    }
    return [
        tuple(concern for concern, rows in flags.items() if rows[row])
        for row in range(len(reading.foreign))
    ]


def one_of_each_kind(concerns: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Concerns of planes that were read together: the first of those that begin alike."""
    found: dict[str, str] = {}
    for concern in chain.from_iterable(concerns):
        found.setdefault(concern.partition(":")[0], concern)
    return tuple(found.values())


def _in_the_brightest(plane: NDArray[np.float32]) -> float:
    """Share of the squared deviation from the median that few pixels hold."""
    deviation = np.square(plane - np.median(plane), dtype=float).ravel()
    n_few = max(1, int(_BRIGHTEST * deviation.size))
    few = np.partition(deviation, deviation.size - n_few)[-n_few:]
    return float(few.sum() / deviation.sum())


def _beyond_otf(plane: NDArray[np.float32], cutoff: float) -> float:
    """Power just beyond the OTF's end by the power in the corners of the spectrum."""
    import torch

    from napari_deepblur.networks.spectrum import PowerSpectrum

    end = 2 * cutoff
    # The ring must be a bin or two wide and stay clear of the corners it is compared with.
    if not 0.06 < end < 0.6:
        return 1.0
    rows, columns = (tile_slices(side) for side in plane.shape)
    places = [(row, column) for row in rows for column in columns]
    step = math.ceil(len(places) / _TILES_LOOKED_AT)
    tiles = torch.from_numpy(np.stack([plane[place] for place in places[::step]]))
    spectrum = PowerSpectrum(window=min(TILE // 2, tiles.shape[-1], tiles.shape[-2]))
    tiles = tiles - tiles.mean((-2, -1), keepdim=True)
    power = spectrum.power(tiles / tiles.abs().max()).mean(0)
    radius = spectrum.frequency.norm(dim=-1)
    ring = power[(radius > 1.06 * end) & (radius <= 1.06 * end + 0.05)].mean()
    corners = power[radius > max(0.6, 1.06 * end + 0.05)].mean()
    if ring < _FAINT * power.mean():
        return 1.0
    return float(ring / corners)
