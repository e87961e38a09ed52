"""The PSF over the field: its width, and a mosaic of PSFs on the image's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.optics.field import to_field

__all__ = ["MosaicGrid", "PsfField", "PsfWidth", "mosaic_grid", "psf_field", "psf_width"]

#: PSFs along an axis of a mosaic: so many where they fit in without overlap, and at least so many.
_MOST, _FEWEST = 6, 3

#: Points along a PSF at which its width is measured, about.
_FINE_SIDE = 80


@dataclass(frozen=True, slots=True)
class MosaicGrid:
    """Grid of the PSFs of a mosaic.

    The mosaic's pixels are `zoom` times as large as the image's, and so are the PSFs in it.

    Attributes
    ----------
    field_shape
        (Y, X) of the image.
    n_places
        Number of PSFs along Y and X.
    drawn
        Sides of the part of each PSF that is drawn, odd, in its own pixels.
    zoom
        Factor by which PSFs are drawn larger.
    """

    field_shape: tuple[int, int]
    n_places: tuple[int, int]
    drawn: tuple[int, int]
    zoom: int

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the mosaic, in its own pixels."""
        rows, columns = self.field_shape
        return rows // self.zoom, columns // self.zoom

    @property
    def origin_yx(self) -> tuple[float, float]:
        """Centre of the mosaic's first pixel, in pixels of the image."""
        return self._in_image(0, 0), self._in_image(1, 0)

    @property
    def positions_yx(self) -> NDArray[np.float64]:
        """Centres of the PSFs, row by row, in pixels of the image: shape (M, 2)."""
        rows, columns = (
            [self._in_image(axis, centre) for centre in self._centres(axis)] for axis in (0, 1)
        )
        return np.array([(row, column) for row in rows for column in columns])

    def field_yx(self, positions_yx: NDArray[np.floating]) -> NDArray[np.float64]:
        """Normalised field coordinates of pixels of the image, shape (M, 2)."""
        return to_field(positions_yx, self.field_shape)

    def draw(self, psfs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mosaic of PSFs (M, h, w): shape (Y, X), 0 between them."""
        mosaic = np.zeros(self.shape, np.float32)
        rows, columns = (
            _middle(side, drawn) for side, drawn in zip(psfs.shape[1:], self.drawn, strict=True)
        )
        places = [(y, x) for y in self._centres(0) for x in self._centres(1)]
        for psf, (y, x) in zip(psfs[:, rows, columns], places, strict=True):
            top, left = y - self.drawn[0] // 2, x - self.drawn[1] // 2
            mosaic[top : top + self.drawn[0], left : left + self.drawn[1]] = psf
        return mosaic

    def _centres(self, axis: int) -> list[int]:
        """Pixels of the mosaic that the PSFs are centred at."""
        side, n, drawn = self.shape[axis], self.n_places[axis], self.drawn[axis]
        return [round((place + 0.5) * side / n - drawn / 2) + drawn // 2 for place in range(n)]

    def _in_image(self, axis: int, pixel: int) -> float:
        """From a pixel of the mosaic to those of the image, along an axis."""
        left_out = self.field_shape[axis] - self.zoom * self.shape[axis]
        return left_out / 2 + self.zoom * (pixel + 0.5) - 0.5


def mosaic_grid(field_shape: tuple[int, int], window: tuple[int, int]) -> MosaicGrid:
    """Up to 6 × 6 places for PSFs of a window (h, w), enlarged where there is room for it.

    Where not even 3 × 3 fit in, only the middles of the PSFs are drawn.
    """
    axes = list(zip(field_shape, window, strict=True))
    n_y, n_x = (int(np.clip(side // length, _FEWEST, _MOST)) for side, length in axes)
    cells = [side // n for side, n in zip(field_shape, (n_y, n_x), strict=True)]
    zoom = max(1, min(cell // length for cell, length in zip(cells, window, strict=True)))
    high, wide = (
        min(length, _odd(cell // zoom)) for cell, length in zip(cells, window, strict=True)
    )
    return MosaicGrid(field_shape, (n_y, n_x), (high, wide), zoom)


@dataclass(frozen=True, slots=True)
class PsfWidth:
    """Width of the PSF at a place.

    Attributes
    ----------
    width_um
        As `psf_width`, µm.
    position_yx
        Pixel of the image.
    """

    width_um: float
    position_yx: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PsfField:
    """PSFs of one plane at places spread over the field.

    Attributes
    ----------
    psfs
        Shape (M, h, w), each of sum 1.
    widths
        Width of each PSF.
    """

    psfs: NDArray[np.float32]
    widths: tuple[PsfWidth, ...]

    @property
    def sharpest(self) -> PsfWidth:
        """The least width."""
        return min(self.widths, key=lambda width: width.width_um)

    @property
    def widest(self) -> PsfWidth:
        """The largest width."""
        return max(self.widths, key=lambda width: width.width_um)


def psf_field(blur: BlurEstimate, plane: int, grid: MosaicGrid) -> PsfField:
    """PSFs of one plane's blur at the places of a mosaic."""
    positions_yx = grid.positions_yx
    psfs = blur.psf_field(plane, grid.field_yx(positions_yx))
    widths = tuple(
        PsfWidth(psf_width(psf) * blur.optics.pixel_size_um, (round(y), round(x)))
        for psf, (y, x) in zip(psfs, positions_yx.tolist(), strict=True)
    )
    return PsfField(psfs, widths)


def psf_width(psf: NDArray[np.float32]) -> float:
    """Width of a PSF (h, w) of any shape, in its pixels, by where half of its light is.

    The diameter of a disc as large as the smallest area that holds half of the light. Of a
    Gaussian that is the full width at half maximum, of the Airy pattern hardly more; unlike
    that it also counts light in rings and halos.
    """
    fine = round(max(1, _FINE_SIDE / max(psf.shape)))
    along_y, along_x = (_sinc_matrix(side, fine) for side in psf.shape)
    light = np.sort((along_y @ psf @ along_x.T).clip(0), axis=None)[::-1]
    share = np.cumsum(light, dtype=float) / light.sum(dtype=float)
    area = np.interp(0.5, share, np.arange(1, len(share) + 1)) / fine**2
    return float(2 * np.sqrt(area / np.pi))


def _sinc_matrix(side: int, fine: int) -> NDArray[np.float32]:
    """Interpolates an axis at so many points per pixel, shape (fine · side, side)."""
    points = (np.arange(fine * side) + 0.5) / fine - 0.5
    return np.sinc(points[:, None] - np.arange(side)).astype(np.float32)


def _odd(side: int) -> int:
    """Find the largest odd number up to a side."""
    return side - 1 + side % 2


def _middle(side: int, length: int) -> slice:
    """Cut the middle of an axis; both lengths are odd."""
    start = (side - length) // 2
    return slice(start, start + length)
