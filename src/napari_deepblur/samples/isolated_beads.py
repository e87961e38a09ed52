"""Images of isolated beads that share one known blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.errors import ImageError
from napari_deepblur.samples.sample import CAMERA_OFFSET

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily

__all__ = ["draw_isolated_beads", "photograph_beads"]

#: Light is computed at so many points for each pixel along an axis.
_FINE = 2

#: Background by the peak of a typical bead, and brightest by dimmest bead.
_BACKGROUND, _BRIGHTNESS_SPREAD = 0.02, 3.0

#: Distance of beads from one another and from the border, by the window of the PSF.
_APART, _FROM_BORDER = 0.8, 0.55

_MOST_TRIES = 1000

Floats = NDArray[np.float64]


def draw_isolated_beads(
    family: OperatorFamily,
    coefficients: NDArray[np.floating],
    *,
    pixel_size_um: float,
    n_beads: int = 10,
    photons: float = 200.0,
    diameter_um: float = 0.1,
    read_noise: float = 0.01,
    shape: tuple[int, int] = (400, 400),
    seed: int = 0,
) -> NDArray[np.float32]:
    """Draw balls on a dark ground, blur them and count their photons.

    Parameters
    ----------
    family
        Family of the blur, at the pixels of the image.
    coefficients
        γ, shape (P,).
    pixel_size_um
        Side of a pixel, µm.
    n_beads
        Number of beads.
    photons
        Photons in the brightest pixel of a typical bead; beads differ by a factor of three, and
        between them there are 2 % of it.
    diameter_um
        Diameter of the beads, µm.
    read_noise
        Standard deviation of the camera's own noise, by `photons`.
    shape
        Y, X.
    seed
        Seed of everything random.

    Raises
    ------
    ImageError
        If so many beads find no place.
    """
    import torch

    fine = family.at_cutoff(family.cutoff / _FINE)
    with torch.no_grad():
        psf = fine.psf(torch.as_tensor(coefficients, dtype=torch.float32)).double().numpy()
    return photograph_beads(
        psf,
        cutoff=family.cutoff,
        fine_pixel_um=pixel_size_um / _FINE,
        n_beads=n_beads,
        photons=photons,
        diameter_um=diameter_um,
        read_noise=read_noise,
        shape=shape,
        seed=seed,
    )


def photograph_beads(
    psf: Floats,
    *,
    cutoff: float,
    fine_pixel_um: float,
    n_beads: int,
    photons: float,
    diameter_um: float,
    read_noise: float,
    shape: tuple[int, int],
    seed: int,
) -> NDArray[np.float32]:
    """Photograph beads through a PSF that is known at half of the pixels: see above.

    Parameters
    ----------
    psf
        At points half a pixel apart, shape (h, h), h odd.
    cutoff
        f_c at the pixels of the image, cycles per pixel.
    fine_pixel_um
        Distance of those points, µm.
    n_beads, photons, diameter_um, read_noise, shape, seed
        As for `draw_isolated_beads`.
    """
    from scipy import fft

    rng = np.random.default_rng(seed)
    height, width = (_FINE * side for side in shape)
    window = psf.shape[-1]
    whole = np.zeros((height, width))
    whole[:window, :window] = psf
    spectrum = fft.rfft2(np.roll(whole, (-(window // 2), -(window // 2)), (0, 1)))
    y, x = fft.fftfreq(height)[:, None], fft.rfftfreq(width)
    spectrum = spectrum * _ball(np.hypot(y, x) * diameter_um / fine_pixel_um)
    peak = fft.irfft2(spectrum, s=(height, width)).max()
    light = rng.uniform(-0.5, 0.5, n_beads)
    points = np.zeros_like(spectrum)
    for place, share in zip(_places(rng, shape, n_beads, cutoff), light, strict=True):
        turn = np.exp(-2j * np.pi * _FINE * (y * place[0] + x * place[1]))
        points += _BRIGHTNESS_SPREAD**share * turn
    blurred = fft.irfft2(spectrum * points, s=(height, width))[::_FINE, ::_FINE]
    expected = photons * (blurred / peak + _BACKGROUND)
    counts = rng.poisson(expected.clip(0)) + rng.normal(0, read_noise * photons, shape)
    return np.asarray(counts + CAMERA_OFFSET, np.float32)


def _ball(diameters: Floats) -> Floats:
    """Transfer function of a ball, by its diameter in cycles."""
    u = np.pi * np.maximum(diameters, 1e-3)
    return np.asarray(3 * (np.sin(u) - u * np.cos(u)) / u**3)


def _places(
    rng: np.random.Generator, shape: tuple[int, int], n_beads: int, cutoff: float
) -> list[Floats]:
    from napari_deepblur.optics.pupil import window_for

    window = window_for(cutoff)
    low, high = _FROM_BORDER * window, np.array(shape) - 1 - _FROM_BORDER * window
    places: list[Floats] = []
    for _ in range(_MOST_TRIES * n_beads):
        if len(places) == n_beads:
            return places
        place = rng.uniform(low, high)
        if all(np.hypot(*(place - other)) >= _APART * window for other in places):
            places.append(place)
    raise ImageError(f"{n_beads} isolated beads find no place in {shape[0]} × {shape[1]} pixels")
