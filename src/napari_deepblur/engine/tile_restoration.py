"""Deblur one plane, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.devices import free_memory
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.evidence import softened_where_loud, supported_detail
from napari_deepblur.engine.partition import Margins, Tile
from napari_deepblur.engine.photometry import Photometry
from napari_deepblur.engine.stored_plane import SeenPlane, row_bands
from napari_deepblur.engine.strip import Strip
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.optics.settings import CANONICAL_CUTOFF

if TYPE_CHECKING:
    from napari_deepblur.networks.unrolled import Unrolled
    from napari_deepblur.operators import LinearOperator
    from napari_deepblur.operators.fourier_blur import FourierBlur

__all__ = ["largest_tile", "restore_plane_job", "restore_tiles_job", "tile_margins"]

#: Width of the halo around a tile at the canonical cutoff, pixels, besides half a PSF, and of the
#: zone over which tiles are blended. From 32 on results differ from those of whole planes by less
#: than 2e-5 of the range more than half a PSF from the field's border, by 2e-4 at it; evidence of
#: coarse detail is looked for up to 48 pixels away.
_HALO, _BLEND = 48, 16

#: Bytes of memory for each pixel of a tile, and for each convolution of its blur besides. On a CPU
#: 130 to 185 were measured for one convolution and 295 for four; maps of the noise come on top.
_BYTES, _BYTES_PER_CONVOLUTION = 300, 40

#: Share of the free memory that is taken, and the largest side of tiles, pixels: larger ones
#: would leave long pauses in which nothing can be cancelled.
_SHARE, _LARGEST = 0.5, 2048


def largest_tile(network: Unrolled, n_convolutions: int, n_at_once: int = 1) -> int:
    """Find the largest side of tiles for which the memory that is free will do, pixels.

    Parameters
    ----------
    network
        Deblurring network, on its device.
    n_convolutions
        Number of convolutions in one application of the blur.
    n_at_once
        Number of tiles that share the memory.
    """
    free = _SHARE / n_at_once * free_memory(next(network.parameters()).device)
    return min(_LARGEST, int((free / (_BYTES + _BYTES_PER_CONVOLUTION * n_convolutions)) ** 0.5))


def tile_margins(
    network: Unrolled, psf_side: int, cutoff: float, *, halo_px: int = _HALO
) -> Margins:
    """Find the margins with which a tile's result is that of the whole plane.

    Parameters
    ----------
    network
        Deblurring network.
    psf_side
        Largest side of the PSF, pixels.
    cutoff
        f_c of the optics, cycles per pixel.
    halo_px
        Width of the halo at the canonical cutoff, besides half a PSF.
    """
    reach = halo_px * max(1.0, CANONICAL_CUTOFF / cutoff)
    return Margins(round(reach) + psf_side // 2, _BLEND, network.multiple)


def restore_plane_job(
    network: Unrolled,
    observed: SeenPlane,
    photometry: Photometry,
    tiles: Sequence[Tile],
    operator_of: Callable[[Tile], FourierBlur],
    *,
    into: Any = None,
) -> Job[Any]:
    """Deblur a plane; yields before each tile and after each iteration.

    Parameters
    ----------
    network
        Deblurring network.
    observed
        Plane, counts.
    photometry
        Measured over the whole plane.
    tiles
        Partition of the plane, row by row.
    operator_of
        Gives the blur of a tile, a batch of one.
    into
        Array of shape (Y, X) whose rows can be read and written, such as a file; by default one in
        memory.

    Returns
    -------
        That array: counts, with the flux of the observed plane; areas without data as they were.
    """
    bands = row_bands(observed.shape)
    sharp = np.empty(observed.shape, np.float32) if into is None else into
    # A plane that fits in memory is written once. The factor of its light is known at the end.
    raw = np.empty(observed.shape, np.float32) if len(bands) == 1 else sharp
    light = 0.0

    def put(rows: slice, values: NDArray[np.float32]) -> None:
        """Write rows, and count their light."""
        nonlocal light
        valid = None if observed.is_whole else observed.part((rows, columns)).valid
        light += photometry.light(values, valid)
        raw[rows] = values

    columns = slice(0, observed.shape[1])
    strip = Strip(observed.shape, bands[0].stop, put)
    total = len(tiles) * network.n_iterations
    yield from restore_tiles_job(network, observed, photometry, tiles, operator_of, put=strip.add)
    strip.close()
    factor = photometry.factor(light, observed.shape[0] * observed.shape[1])
    for rows in bands:
        yield Progress(total, total, "deblurring")
        values = photometry.brought(raw[rows], factor)
        if not observed.is_whole:
            values = observed.part((rows, columns)).with_empty_areas(values)
        sharp[rows] = values
    return sharp


def restore_tiles_job(
    network: Unrolled,
    observed: SeenPlane,
    photometry: Photometry,
    tiles: Sequence[Tile],
    operator_of: Callable[[Tile], FourierBlur],
    *,
    put: Callable[[Tile, NDArray[np.float32]], None],
) -> Job[None]:
    """Deblur tiles, and give each with its result, counts, to `put`; the flux is as it comes.

    See `restore_plane_job` for the other parameters.
    """
    total = len(tiles) * network.n_iterations
    for number, tile in enumerate(tiles):
        done = number * network.n_iterations
        yield Progress(done, total, "deblurring")
        part = observed.part(tile.read)
        restoration = _TileRestoration(network, part, photometry, operator_of(tile))
        for step in range(network.n_iterations):
            restoration.advance()
            yield Progress(done + step + 1, total, "deblurring")
        put(tile, restoration.result())


class _TileRestoration:
    """One tile on its way through the network.

    Gradients are off within each step, not between them: between, other code runs.
    """

    def __init__(
        self,
        network: Unrolled,
        observed: ValidPlane,
        photometry: Photometry,
        operator: FourierBlur,
    ) -> None:
        import torch

        from napari_deepblur.operators.masked import Masked

        place = next(network.parameters()).device
        self._observed, self._photometry = observed, photometry
        self._operator = operator.to(place)
        self._noise = photometry.noise_map(observed.image)
        seen_by: LinearOperator = self._operator
        if observed.valid is not None:
            seen_by = Masked(self._operator, torch.from_numpy(observed.valid).to(place))
        image = photometry.scale.normalise(torch.from_numpy(observed.image)[None])
        self._estimates = network.iterate(
            image.to(place),
            seen_by,
            photometry.level(self._noise).to(place),
            overall=torch.tensor([photometry.overall], device=place),
        )

    def advance(self) -> None:
        """Do one iteration."""
        import torch

        with torch.no_grad():
            self._estimate = next(self._estimates)

    def result(self) -> NDArray[np.float32]:
        """Give the current estimate over the tile, counts."""
        photometry = self._photometry
        # Light is not negative: nothing lies below the dark level, where ringing would go.
        seen = self._operator.crop(self._estimate).clamp_min(0).cpu()
        estimate: NDArray[np.float32] = photometry.scale.restore(seen)[0].numpy()
        if photometry.noise.varies:
            level = self._noise / float(photometry.scale.span)
            estimate = softened_where_loud(estimate, level, photometry.cutoff)
        return supported_detail(estimate, self._observed.image, self._noise, photometry.cutoff)
