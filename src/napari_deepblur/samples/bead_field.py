"""Field of fluorescent beads under a microscope whose blur changes over the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import centres
from napari_deepblur.samples.drawing import moved
from napari_deepblur.samples.sample import CAMERA_OFFSET

__all__ = ["BeadField", "draw_bead_field"]

_NOLL_INDICES = tuple(range(4, 11))
_CUTOFF = 0.25

#: Width of the Gaussian whose fit says where the middle of a PSF is, pixels.
_CENTRING_DEVIATION = 1.0

#: Pixels around the window that beads are drawn with: tails end beyond it.
_MARGIN = 16

#: PSFs of the pupil are computed on a grid of this side over the field.
_GRID = 11

_MAP_DEGREE = 3

#: Photons per pixel, and electrons of a slow camera.
_BACKGROUND, _READ_NOISE = 400.0, 10.0

#: Brightest by dimmest bead, and the camera's full well by the median bead's peak.
_BRIGHTNESS_SPREAD, _HEADROOM = 3.0, 4.0

_MOST_TRIES = 1000

#: Share of a plane that equal discs cover at most: π / √12.
_DENSEST = 0.9069

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BeadField:
    """An image of beads with its truth.

    The PSF at a point u of the field is h_u = Σ_k w_k(u) e_k, exactly; w_k are polynomials of
    degree 3 in the field coordinates. PSFs are centred as `find_beads` centres beads: a
    Gaussian of σ = 1 pixel fits best in the middle of the window.

    Attributes
    ----------
    image
        Counts, float32, shape (Y, X).
    positions
        y, x of all beads, doublets, hot pixels and pieces of debris, pixels, shape (n, 2).
    kinds
        Kind of each, "bead", "doublet", "saturated", "hot pixel" or "debris", shape (n,).
    eigen_psfs
        e_k, the field's mean PSF first (sum 1), then deviations (sum 0), shape
        (K, window, window).
    map_terms
        Coefficients of w_k on `field_terms`, shape (10, K).
    """

    image: NDArray[np.float32]
    positions: Floats
    kinds: NDArray[np.str_]
    eigen_psfs: Floats
    map_terms: Floats

    @property
    def bad(self) -> NDArray[np.bool_]:
        """True for positions that hold anything but one bead, shape (n,)."""
        return np.asarray(self.kinds != "bead")

    @property
    def isolated(self) -> NDArray[np.bool_]:
        """True for positions with no neighbour and no border in their window, shape (n,)."""
        window = self.eigen_psfs.shape[-1]
        apart = np.linalg.norm(self.positions[:, None] - self.positions, axis=-1)
        np.fill_diagonal(apart, np.inf)
        last = np.array(self.image.shape) - 1
        inside = np.minimum(self.positions, last - self.positions).min(-1) >= window // 2 + 1
        return np.asarray(inside & (apart.min(-1, initial=np.inf) >= window))

    def weights(self, position_yx: Floats | tuple[float, float]) -> Floats:
        """w_k at positions of shape (..., 2) in pixels; shape (..., K)."""
        return field_terms(position_yx, self.image.shape) @ self.map_terms

    def psf(self, position_yx: Floats | tuple[float, float]) -> Floats:
        """Compute true PSFs of sum 1 at positions (..., 2) in pixels: (..., window, window)."""
        return np.tensordot(self.weights(position_yx), self.eigen_psfs, axes=1)


class _Microscope(NamedTuple):
    eigen_psfs: Floats  # (K, window + 2 margin, …)
    map_terms: Floats
    window: int
    shape: tuple[int, int]

    def psf(self, position_yx: Floats) -> Floats:
        """PSF at one position, on the pixel grid of its own middle, with its margin."""
        weights = field_terms(position_yx, self.shape) @ self.map_terms
        return np.tensordot(weights, self.eigen_psfs, axes=1)

    def peak(self, position_yx: Floats) -> float:
        return float(self.psf(position_yx).max())


def draw_bead_field(
    *,
    shape: tuple[int, int] = (2048, 2048),
    n_beads: int = 200,
    peak_snr: float = 20.0,
    n_eigen_psfs: int = 4,
    share_bad: float = 0.0,
    crowded: float = 0.05,
    seed: int = 0,
    window: int = 31,
) -> BeadField:
    """Draw beads with a known space-varying PSF and photograph them.

    The PSFs are those of a pupil of cutoff 0.25 with aberrations as lenses have them: defocus
    and astigmatism grow with the square of the distance from the axis, coma with the distance.
    They are reduced to K eigen-PSFs with cubic maps, and this reduced field is the truth. Beads
    are moved by fractions of a pixel in Fourier space. The camera has an offset of 100 counts,
    a background of 400 photons, Poisson noise and Gaussian read-out noise of 10 electrons.

    Parameters
    ----------
    shape
        Y, X.
    n_beads
        Beads, bad ones among them.
    peak_snr
        Peak of the median bead, in the middle of a pixel, by the standard deviation of the
        background's noise. Beads' light spreads over a factor of three, log-uniformly, from
        0.58 to 1.73 of the median; aberrations lower the peaks of some further.
    n_eigen_psfs
        Number of eigen-PSFs, K.
    share_bad
        Share that are, in equal parts, doublets (1.5 to 6 pixels apart), saturated, hot
        pixels, and debris (irregular clumps).
    crowded
        Share that lies within a window of another bead; the others keep a window's distance.
    seed
        Seed of everything random.
    window
        Side of the true PSFs, odd.

    Returns
    -------
        The image and its truth.

    Raises
    ------
    ValueError
        If so many beads find no place.
    """
    _check_room(shape, n_beads - round(crowded * n_beads), window)
    rng = np.random.default_rng(seed)
    microscope = _microscope(rng, shape, n_eigen_psfs, window)
    positions = _positions(rng, shape, n_beads, crowded, window)
    kinds = _kinds(rng, n_beads, share_bad)
    peak = peak_snr * np.sqrt(_BACKGROUND + _READ_NOISE**2)
    full_well = _BACKGROUND + _HEADROOM * peak
    light = np.full(shape, _BACKGROUND)
    fluxes = _fluxes(rng, microscope, positions, peak)
    for position, kind, flux in zip(positions, kinds, fluxes, strict=True):
        own = full_well * rng.uniform(1.5, 5) / microscope.peak(position)
        for point, part in _points(rng, position, kind):
            _add_bead(light, microscope, point, part * (own if kind == "saturated" else flux))
    image = rng.poisson(light.clip(0)) + rng.normal(0, _READ_NOISE, shape)
    hot = positions[kinds == "hot pixel"].round().astype(int)
    image[hot[:, 0], hot[:, 1]] += rng.uniform(0.5, 3, len(hot)) * peak
    image = image.clip(None, full_well).round() + CAMERA_OFFSET
    edge = slice(_MARGIN, _MARGIN + window)
    return BeadField(
        image.astype(np.float32),
        positions,
        kinds,
        microscope.eigen_psfs[:, edge, edge],
        microscope.map_terms,
    )


def _check_room(shape: tuple[int, int], n_apart: int, window: int) -> None:
    """Refuse more beads than discs of a window's width can be packed, before the work."""
    area = np.prod(np.array(shape) + window)
    if n_apart * np.pi / 4 * window**2 > _DENSEST * area:
        raise ValueError(f"{n_apart} beads with windows of {window} pixels do not fit in {shape}")


def _fluxes(
    rng: np.random.Generator, microscope: _Microscope, positions: Floats, peak: float
) -> Floats:
    """Photons of each bead, the same over the field but for chance, shape (n,)."""
    median = np.median([microscope.peak(position) for position in positions])
    return np.asarray(peak / median * _BRIGHTNESS_SPREAD ** rng.uniform(-0.5, 0.5, len(positions)))


def field_terms(position_yx: Floats | tuple[float, float], shape: tuple[int, ...]) -> Floats:
    """Products of Legendre polynomials up to degree 3 in field coordinates, (..., 10)."""
    field = 2 * np.asarray(position_yx, float) / (np.array(shape) - 1) - 1
    degrees = np.arange(_MAP_DEGREE + 1)
    along_y, along_x = (
        np.polynomial.legendre.legvander(axis, _MAP_DEGREE)
        for axis in (field[..., 0].ravel(), field[..., 1].ravel())
    )
    terms = along_y[:, :, None] * along_x[:, None, :]
    kept = terms[:, np.add.outer(degrees, degrees) <= _MAP_DEGREE]
    return np.asarray(kept.reshape(*field.shape[:-1], kept.shape[1]))


def _microscope(
    rng: np.random.Generator, shape: tuple[int, int], n_eigen_psfs: int, window: int
) -> _Microscope:
    side = np.linspace(-1, 1, _GRID)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    psfs = _centred_psfs(_aberrations(rng, grid), window)
    terms = field_terms((grid + 1) / 2 * (np.array(shape) - 1), shape)
    flat = terms @ np.linalg.lstsq(terms, psfs.reshape(len(grid), -1), rcond=None)[0]
    mean = flat.mean(0)
    # Every PSF sums to 1 over the window, so whatever deviates from the mean sums to 0.
    deviations = np.linalg.svd(flat - mean, full_matrices=False)[2][: n_eigen_psfs - 1]
    maps = np.linalg.lstsq(terms, (flat - mean) @ deviations.T, rcond=None)[0]
    ones = np.linalg.lstsq(terms, np.ones(len(grid)), rcond=None)[0]
    eigen_psfs = np.concatenate([mean[None], deviations]).reshape(-1, *psfs.shape[1:])
    return _Microscope(eigen_psfs, np.column_stack([ones, maps]), window, shape)


def _aberrations(rng: np.random.Generator, field: Floats) -> Floats:
    """Waves RMS of Noll modes 4 to 10 at field coordinates (n, 2): shape (n, 7)."""
    y, x = (field + rng.uniform(-0.3, 0.3, 2)).T
    curvature, astigmatism = rng.choice([-1, 1], 2) * rng.uniform(0.03, 0.06, 2)
    coma = rng.uniform(0.03, 0.06)
    tilt = rng.normal(0, 0.02, 2)
    grown = [
        curvature * (y**2 + x**2 - 2 / 3) + tilt[0] * y + tilt[1] * x,
        2 * astigmatism * y * x,
        astigmatism * (x**2 - y**2),
        coma * y,
        coma * x,
        0 * y,
        0 * x,
    ]
    return np.stack(grown, -1) + rng.normal(0, 0.02, 7)


def _centred_psfs(coefficients: Floats, window: int) -> Floats:
    """PSFs of the pupil in their margin, centred, of sum 1 over the window."""
    import torch

    from napari_deepblur.optics.pupil import Pupil

    pupil = Pupil(_NOLL_INDICES, cutoff=_CUTOFF, window=window + 2 * _MARGIN)
    psfs = pupil.psf(torch.from_numpy(coefficients)).double().numpy()
    psfs = np.stack(
        [moved(p, -c) for p, c in zip(psfs, centres(psfs, _CENTRING_DEVIATION), strict=True)]
    )
    edge = slice(_MARGIN, _MARGIN + window)
    return np.asarray(psfs / psfs[:, edge, edge].sum((-2, -1), keepdims=True))


def _positions(
    rng: np.random.Generator, shape: tuple[int, int], n_beads: int, crowded: float, window: int
) -> Floats:
    """Beads' places: those that keep their distance, then those that do not."""
    n_crowded = round(crowded * n_beads) if n_beads > 1 else 0
    last = np.array(shape) - 1.0
    places: list[Floats] = []
    for _ in range(_MOST_TRIES * n_beads):
        if len(places) == n_beads - n_crowded:
            break
        place = rng.uniform(0, last)
        if all(np.hypot(*(place - other)) >= window for other in places):
            places.append(place)
    else:
        raise ValueError(f"{n_beads} beads with windows of {window} pixels do not fit in {shape}")
    for host in rng.choice(len(places), n_crowded):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1) * window
        place = places[host] + distance * np.array([np.sin(angle), np.cos(angle)])
        places.append(place.clip(0, last))
    return np.array(places).reshape(-1, 2)


def _kinds(rng: np.random.Generator, n_beads: int, share_bad: float) -> NDArray[np.str_]:
    n_bad = round(share_bad * n_beads)
    bad = np.resize(["doublet", "saturated", "hot pixel", "debris"], n_bad)
    return rng.permutation(np.concatenate([bad, np.full(n_beads - n_bad, "bead")]))


def _points(rng: np.random.Generator, position: Floats, kind: str) -> list[tuple[Floats, float]]:
    """Points of light, with their part of the bead's light, that a thing consists of."""
    if kind == "hot pixel":
        return []
    if kind == "doublet":
        angle, distance = rng.uniform(0, np.pi), rng.uniform(1.5, 6)
        half = distance / 2 * np.array([np.sin(angle), np.cos(angle)])
        return [(position + half, 1.0), (position - half, rng.uniform(0.4, 1))]
    if kind == "debris":
        n_points = rng.integers(6, 15)
        spread = rng.normal(size=(n_points, 2)) @ rng.normal(0, 2, (2, 2))
        return [(position + offset, rng.uniform(0.2, 0.8)) for offset in spread]
    return [(position, 1.0)]


def _add_bead(light: Floats, microscope: _Microscope, position: Floats, flux: float) -> None:
    """Add one bead, as much of it as lies in the image, in place."""
    pixel = position.round().astype(int)
    bead = flux * moved(microscope.psf(position), position - pixel)
    half = bead.shape[0] // 2
    low = np.maximum(pixel - half, 0)
    high = np.minimum(pixel + half + 1, light.shape).clip(0)
    if (high > low).all():
        part = bead[tuple(map(slice, low - pixel + half, high - pixel + half))]
        light[tuple(map(slice, low, high))] += part
