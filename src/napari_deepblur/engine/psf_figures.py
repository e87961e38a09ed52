"""Curves of a PSF: profiles through its peak, its transfer function, its encircled energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "PsfFigures", "difference_db", "on_pixels", "psf_figures"]

#: Side of the padded PSF of which the transfer function is computed, at least.
_FINE_SIDE = 256


@dataclass(frozen=True, slots=True)
class Line:
    """Numbers over places, radii or frequencies.

    Attributes
    ----------
    x, y
        Shape (N,).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PsfFigures:
    """Curves of one PSF.

    Attributes
    ----------
    profile_x, profile_y
        Intensity along each axis through the brightest pixel, by the peak; µm from that pixel.
    profile_z
        The same along z; None in two dimensions.
    transfer
        Modulus of the transfer function of the plane in focus, averaged over directions, over
        cycles per µm up to the pixels' own limit.
    energy
        Share of the plane's light within a radius in µm of the brightest pixel.
    """

    profile_x: Line
    profile_y: Line
    profile_z: Line | None
    transfer: Line
    energy: Line


def psf_figures(
    psf: NDArray[np.floating], pixel_size_um: float, z_step_um: float | None = None
) -> PsfFigures:
    """Compute the curves of a PSF.

    Parameters
    ----------
    psf
        Intensities, shape (Y, X), or (Z, Y, X).
    pixel_size_um
        Side of a pixel, µm.
    z_step_um
        Distance between planes, µm; needed in three dimensions.
    """
    light = np.asarray(psf, np.float64)
    peak = [int(place) for place in np.unravel_index(int(light.argmax()), light.shape)]
    steps = [pixel_size_um, pixel_size_um]
    if light.ndim == 3:
        assert z_step_um is not None
        steps = [z_step_um, *steps]
    profiles = [_profile(light, peak, axis, step) for axis, step in enumerate(steps)]
    plane = light[peak[0]] if light.ndim == 3 else light
    return PsfFigures(
        profile_x=profiles[-1],
        profile_y=profiles[-2],
        profile_z=profiles[0] if light.ndim == 3 else None,
        transfer=_transfer(plane, pixel_size_um),
        energy=_energy(plane, pixel_size_um),
    )


def on_pixels(
    psf: NDArray[np.floating], ratios: Sequence[float], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Bring the middle of a PSF to larger or smaller pixels, by sums of sincs.

    Parameters
    ----------
    psf
        Intensities, shape (Y, X) or (Z, Y, X), odd sides.
    ratios
        Sides of the new pixels by those of the old ones, along each axis.
    shape
        Odd sides of what is returned; light outside it is left out.
    """
    brought = np.asarray(psf, np.float64)
    for axis, (ratio, new) in enumerate(zip(ratios, shape, strict=True)):
        old = psf.shape[axis]
        places = ratio * (np.arange(new) - new // 2)
        weights = ratio * np.sinc(places[:, None] - (np.arange(old) - old // 2))
        brought = np.moveaxis(np.tensordot(weights, brought, (1, axis)), 0, axis)
    return brought


def difference_db(psf: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Energy of the difference of two PSFs by that of the second, dB; -inf where they are equal."""
    share = np.square(psf - other).sum() / np.square(other).sum()
    return float(10 * np.log10(share)) if share > 0 else -np.inf


def _profile(light: NDArray[np.float64], peak: Sequence[int], axis: int, step: float) -> Line:
    index: list[int | slice] = [*peak[:axis], slice(None), *peak[axis + 1 :]]
    line = light[tuple(index)]
    places = step * (np.arange(len(line), dtype=np.float64) - peak[axis])
    return Line(places, np.asarray(line / light.max(), np.float64))


def _transfer(plane: NDArray[np.float64], pixel_size_um: float) -> Line:
    side = max(_FINE_SIDE, *plane.shape)
    transfer = np.abs(np.fft.fft2(plane / plane.sum(), s=(side, side)))
    frequency = np.fft.fftfreq(side, pixel_size_um)
    radius = np.hypot(frequency[:, None], frequency)
    return _by_radius(radius, transfer, frequency[1], side // 2 + 1)


def _by_radius(
    radius: NDArray[np.float64], values: NDArray[np.float64], step: float, n: int
) -> Line:
    """Mean of values over rings a step wide; the first n of them."""
    ring = (radius / step).round().astype(int).ravel()
    means = np.bincount(ring, values.ravel()) / np.maximum(np.bincount(ring), 1)
    return Line(step * np.arange(n, dtype=np.float64), means[:n])


def _energy(plane: NDArray[np.float64], pixel_size_um: float) -> Line:
    """Share of the light by the distance of the pixels' middles from the brightest one."""
    y, x = np.unravel_index(int(plane.argmax()), plane.shape)
    rows, columns = np.arange(plane.shape[0]) - y, np.arange(plane.shape[1]) - x
    radius = np.hypot(rows[:, None], columns).ravel()
    order = np.argsort(radius, kind="stable")
    share = np.cumsum(plane.ravel()[order]) / plane.sum()
    # Of pixels that are equally far the last one has them all.
    last = np.flatnonzero(np.diff(radius[order], append=np.inf) > 1e-9)
    return Line(pixel_size_um * radius[order][last], share[last])
