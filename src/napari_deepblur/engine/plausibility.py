"""Check an image, and what the network says of it, against the conditions of its training.

The network gives an answer for any image, so these checks are needed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.events import Job, Warned
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.engine.tiles import TILE, tile_windows
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE, Optics, Sampling

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.head import Prediction

__all__ = [
    "check_sampling_job",
    "concerns_of_model",
    "concerns_of_plane",
    "concerns_of_prediction",
    "concerns_of_psfs",
]

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
#: two in a hundred of larger ones. The network saw few blurs of other families, so its logits for
#: them are low.
_UNLIKE_ABOVE = -1.0


#: Width of the PSF by λ / 2NA where it is sharpest. Of 200 blurs drawn from the family of
#: widefield-zernike none is above, of that of spim at its own optics one in six.
_TOO_WIDE_ABOVE = 4.0

#: The same for blurs that models read off coarser pixels: thick light sheets.
_TOO_WIDE_OF_SHEETS = 12.0

#: Quotient of two depths of field: NA 0.8 in water to NA 1.13 in water, or 0.57.
_FAR_ABOVE = 2.0


def check_sampling_job(optics: Optics, coarsest_cutoff: float = NOTHING_LEFT_ABOVE) -> Job[None]:
    """Refuse pixels that hold no blur, and warn of coarse ones, as a job.

    Parameters
    ----------
    optics
        Optics of the image.
    coarsest_cutoff
        Largest cutoff at which the model reads blurs.

    Raises
    ------
    SamplingError
        See `Optics.require_resolved_blur`.
    """
    optics.require_resolved_blur(coarsest_cutoff)
    if _is_undersampled(optics, coarsest_cutoff):
        yield Warned(optics.sampling_text)


def _is_undersampled(optics: Optics, coarsest_cutoff: float) -> bool:
    coarse = optics.sampling is Sampling.UNDERSAMPLED
    return coarse and not optics.suits_wide_blur(coarsest_cutoff)


def concerns_of_plane(
    observed: ValidPlane, optics: Optics, coarsest_cutoff: float = NOTHING_LEFT_ABOVE
) -> tuple[Concern, ...]:
    """Concerns about an image, from its pixels and optics.

    Parameters
    ----------
    observed
        The image, not constant.
    optics
        Optics of the image.
    coarsest_cutoff
        Largest cutoff at which the model reads blurs.
    """
    concerns = []
    if observed.empty is not None:
        concerns.append(Concern.of(ConcernKind.EMPTY_AREA, share=observed.empty_share))
    plane = observed.image if observed.valid is None else observed.image[observed.valid]
    if _is_undersampled(optics, coarsest_cutoff):
        concerns.append(Concern(ConcernKind.UNDERSAMPLED, optics.sampling_text))
    saturated = float((plane == plane.max()).mean())
    if saturated > _SATURATED_ABOVE:
        concerns.append(Concern.of(ConcernKind.SATURATED, share=saturated))
    if _in_the_brightest(plane) > _EMPTY_ABOVE:
        concerns.append(Concern.of(ConcernKind.NEARLY_EMPTY))
    if _beyond_otf(observed, optics.cutoff) > _COLOURED_ABOVE:
        concerns.append(Concern.of(ConcernKind.BEYOND_OTF))
    return tuple(concerns)


def concerns_of_prediction(
    prediction: Prediction, detail: Tensor, prior_std: float
) -> list[tuple[Concern, ...]]:
    """Concerns about an estimate, from what the network says besides the blur: one row per blur.

    Parameters
    ----------
    prediction
        Prediction of the network for N blurs.
    detail
        Power of fine detail relative to the noise, shape (N,): `TileEncoder.detail`.
    prior_std
        Standard deviation of a coefficient of which only the family is known.
    """
    flags = {
        ConcernKind.UNLIKE: prediction.out_of_distribution > _UNLIKE_ABOVE,
        ConcernKind.NO_DETAIL: detail.cpu() < _NO_DETAIL_BELOW,
        ConcernKind.GUESS: prediction.log_std.exp().mean(-1) > prior_std,
    }
    return [
        tuple(Concern.of(kind) for kind, rows in flags.items() if rows[row])
        for row in range(len(prediction.out_of_distribution))
    ]


def concerns_of_psfs(
    psfs: NDArray[np.float32], optics: Optics, coarsest_cutoff: float = NOTHING_LEFT_ABOVE
) -> tuple[Concern, ...]:
    """Concerns about an estimate, from the PSFs that it gives.

    Parameters
    ----------
    psfs
        PSFs at places spread over the field, at the image's own pixels, shape (M, h, w).
    optics
        Optics of the image.
    coarsest_cutoff
        Largest cutoff at which the model reads blurs.
    """
    wide = coarsest_cutoff > NOTHING_LEFT_ABOVE
    most = _TOO_WIDE_OF_SHEETS if wide else _TOO_WIDE_ABOVE
    width_um = min(map(psf_width, psfs)) * optics.pixel_size_um
    limit_um = optics.wavelength_um / (2 * optics.numerical_aperture)
    if width_um <= most * limit_um:
        return ()
    where = " where the PSF is sharpest" if len(psfs) > 1 else ""
    ratio = width_um / limit_um
    return (
        Concern.of(
            ConcernKind.PSF_TOO_WIDE, width=width_um, where=where, ratio=ratio, limit=limit_um
        ),
    )


def concerns_of_model(made_for: Optics | None, optics: Optics) -> tuple[Concern, ...]:
    """Concerns about a model whose family is that of one microscope, for an image of another.

    Parameters
    ----------
    made_for
        Optics of the family's microscope; None where it is that of no microscope in particular.
    optics
        Optics of the image.
    """
    if made_for is None:
        return ()
    # Distances from the focal plane are part of such a family, and blur by the depth of field.
    times = _depth_of_field_um(made_for) / _depth_of_field_um(optics)
    if max(times, 1 / times) <= _FAR_ABOVE:
        return ()
    return (
        Concern.of(
            ConcernKind.FAR_OPTICS,
            aperture=made_for.numerical_aperture,
            index=made_for.refractive_index,
            wavelength=made_for.wavelength_um,
            times=max(times, 1 / times),
            how="fast" if times > 1 else "slowly",
        ),
    )


def _depth_of_field_um(optics: Optics) -> float:
    """Depth of field of diffraction, n λ / NA²."""
    return optics.refractive_index * optics.wavelength_um / optics.numerical_aperture**2


def _in_the_brightest(plane: NDArray[np.float32]) -> float:
    """Share of the squared deviation from the median that few pixels hold."""
    deviation = np.square(plane - np.median(plane), dtype=float).ravel()
    n_few = max(1, int(_BRIGHTEST * deviation.size))
    few = np.partition(deviation, deviation.size - n_few)[-n_few:]
    return float(few.sum() / deviation.sum())


def _beyond_otf(observed: ValidPlane, cutoff: float) -> float:
    """Power just beyond the OTF's end by the power in the corners of the spectrum."""
    import torch

    from napari_deepblur.networks.spectrum import PowerSpectrum

    end = 2 * cutoff
    # The ring must be a bin or two wide and stay clear of the corners it is compared with.
    if not 0.06 < end < 0.6:
        return 1.0
    windows = tile_windows(observed.image.shape, valid=observed.valid)
    step = math.ceil(len(windows) / _TILES_LOOKED_AT)
    tiles = torch.from_numpy(np.stack([observed.image[window] for window in windows[::step]]))
    spectrum = PowerSpectrum(window=min(TILE // 2, tiles.shape[-1], tiles.shape[-2]))
    tiles = tiles - tiles.mean((-2, -1), keepdim=True)
    power = spectrum.power(tiles / tiles.abs().max()).mean(0)
    radius = spectrum.frequency.norm(dim=-1)
    ring = power[(radius > 1.06 * end) & (radius <= 1.06 * end + 0.05)].mean()
    corners = power[radius > max(0.6, 1.06 * end + 0.05)].mean()
    if ring < _FAINT * power.mean():
        return 1.0
    return float(ring / corners)
