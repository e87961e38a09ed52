"""Spots of an image that may be isolated beads: bright, alone, and on empty ground.

They are found and told from their neighbours as for a calibration, but quickly, as every image is
looked at: the optics say how wide they are, and the fit to come says whether they are beads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.cut import cut
from napari_deepblur.calibration.beads.detection import find_spots
from napari_deepblur.calibration.beads.neighbours import Spots, are_crowded, without_lobes
from napari_deepblur.calibration.beads.saturation import saturation_level
from napari_deepblur.engine.noise import noise_model
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.likelihood.bead_patches import Beads

__all__ = ["isolated_beads"]

#: Least side of a plane whose noise can be read, pixels; and photons a pixel whose noise the ground
#: has at least.
_SMALLEST, _FEW_PHOTONS = 32, 0.5

#: Spots of a plane that are taken at most, the brightest.
_MOST_SPOTS = 128

#: Share of the pixels of a patch that must be of use.
_LEAST_USABLE = 0.5

#: Width σ of the Gaussian most like a diffraction-limited bead, by 1 / cutoff.
_DEVIATION = 0.3

#: Side of the boxes in which empty ground with a spot on it is looked for, by the window of the
#: PSF; deviations by which the spot stands out of the ground; and spread of the ground between
#: these quantiles by the deviation of the noise (of noise alone it is 1.05) and by the spot.
_BOX, _STANDS_OUT = 1.5, 8.0
_QUANTILES, _LARGEST_SPREAD, _LARGEST_SHARE = (0.3, 0.7), 1.6, 0.02

#: Spots so near by half of the window are parts of one thing: lobes of a PSF, or no single bead,
#: as the fit will tell.
_ONE_THING = 0.6

#: Ring around a bead that must be empty, by half of the window: where it begins; how much it may
#: vary by the noise, and by the bead's peak.
_RING, _RING_NOISE, _RING_SHARE = 0.75, 1.5, 0.03


def isolated_beads(observed: ValidPlane, optics: Optics) -> Beads | None:
    """Find spots on empty ground that stand alone, the brightest first.

    Parameters
    ----------
    observed
        The plane.
    optics
        Optics of the image.

    Returns
    -------
        None if there are none.
    """
    import torch

    from napari_deepblur.likelihood.bead_patches import Beads
    from napari_deepblur.optics.pupil import window_for

    plane, window = observed.image, window_for(optics.cutoff)
    if min(plane.shape) < max(window, _SMALLEST):
        return None
    noise = noise_model(plane, optics.cutoff, observed.valid)
    variance = noise.dark_variance if noise.varies else noise.deviation**2
    variance = max(variance, _FEW_PHOTONS * noise.gain**2)
    ground = math.sqrt(variance)
    if ground == 0 or not _shows_spots(plane, ground, round(_BOX * window)):
        return None
    half = window // 2
    spots = _things(plane, ground, _DEVIATION / optics.cutoff, half)
    chosen = _alone(spots, plane.shape, half)
    pixels = spots.positions[chosen].astype(int)
    counts = cut(plane, pixels, window)
    usable = _usable(observed, spots.positions, pixels, window)
    good = _on_empty_ground(counts, usable, ground) & _whole(usable)
    level = saturation_level(plane if observed.valid is None else plane[observed.valid])
    good &= counts.max((-2, -1)) < level
    if not good.any():
        return None
    every = torch.ones(int(good.sum()))
    return Beads(
        torch.from_numpy(counts[good].astype(np.float32)),
        torch.from_numpy(usable[good]),
        variance * every,
        noise.gain * every,
    )


def _things(plane: NDArray[np.float32], noise: float, deviation: float, half: int) -> Spots:
    """Find spots of a plane, one for each thing, by its brightest pixel."""
    excess = plane - np.float32(np.median(plane))
    pixels = find_spots(excess / np.float32(noise), deviation)
    spots = Spots(pixels.astype(float), excess[tuple(pixels.T)].astype(float))
    if not len(pixels):
        return spots
    spots = without_lobes(spots, excess, deviation=deviation, reach=half)
    return _brightest_nearby(spots, _ONE_THING * half)


def _alone(spots: Spots, shape: tuple[int, ...], half: int) -> NDArray[np.int_]:
    """Numbers of the spots whose patch is within the plane and theirs alone, brightest first."""
    positions, peak = spots
    alone = ((positions >= half) & (positions < np.array(shape) - half)).all(1) & (peak > 0)
    chosen = np.flatnonzero(alone & ~are_crowded(positions, peak, spots, half))
    return chosen[np.argsort(-peak[chosen])][:_MOST_SPOTS]


def _brightest_nearby(spots: Spots, distance: float) -> Spots:
    """Spots without a brighter one within a distance: what lies so near is one thing."""
    from scipy.spatial import KDTree

    near = KDTree(spots.positions).query_pairs(distance, output_type="ndarray")
    dimmer = np.where(spots.peak[near[:, 0]] < spots.peak[near[:, 1]], near[:, 0], near[:, 1])
    is_brightest = np.ones(len(spots.peak), bool)
    is_brightest[dimmer] = False
    return Spots(spots.positions[is_brightest], spots.peak[is_brightest])


def _shows_spots(plane: NDArray[np.float32], noise: float, side: int) -> bool:
    """Tell whether a box of a plane holds a spot on an empty ground; a quick first look."""
    height, width = (max(1, length // side) for length in plane.shape)
    rows, columns = (min(side, length) for length in plane.shape)
    parts = plane[: height * rows, : width * columns].reshape(height, rows, width, columns)
    boxes = parts.swapaxes(1, 2).reshape(height * width, -1)
    low, middle, high = np.quantile(boxes, (_QUANTILES[0], 0.5, _QUANTILES[1]), axis=1)
    spot = boxes.max(1) - middle
    is_empty = high - low < _LARGEST_SPREAD * noise + _LARGEST_SHARE * spot
    return bool((is_empty & (spot > _STANDS_OUT * noise)).any())


def _usable(
    observed: ValidPlane, positions: NDArray[np.float64], pixels: NDArray[np.int_], window: int
) -> NDArray[np.bool_]:
    """Pixels of patches that hold data and lie nearer to their own spot than to another."""
    from scipy.spatial import KDTree

    offsets = np.arange(window) - window // 2
    grid = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), -1)
    places = pixels[:, None, None] + grid
    if not len(pixels):
        return np.zeros((0, window, window), bool)
    usable = KDTree(positions).query(places)[0] >= np.hypot(*np.moveaxis(grid, -1, 0)) - 1e-9
    if observed.valid is not None:
        usable &= cut(observed.valid.astype(np.float32), pixels, window) > 0
    return np.asarray(usable)


def _whole(usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Patches of whose pixels enough can be used, the middle ones among them, shape (B,)."""
    half = usable.shape[-1] // 2
    middle = usable[:, half - 1 : half + 2, half - 1 : half + 2].all((-2, -1))
    return np.asarray(middle & (usable.mean((-2, -1)) > _LEAST_USABLE))


def _on_empty_ground(
    counts: NDArray[np.float64], usable: NDArray[np.bool_], noise: float
) -> NDArray[np.bool_]:
    """Patches whose outer ring holds hardly more than noise, shape (B,)."""
    half = counts.shape[-1] // 2
    offsets = np.arange(-half, half + 1)
    ring = np.hypot(offsets[:, None], offsets) > _RING * half
    good = np.zeros(len(counts), bool)
    for number, (patch, pixels) in enumerate(zip(counts, usable & ring, strict=True)):
        around = patch[pixels]
        if around.size:
            peak = patch[half, half] - np.median(around)
            good[number] = around.std() < _RING_NOISE * noise + _RING_SHARE * peak
    return good
