"""Deblur an image whose blur is known."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.destination import GrowingImage, destination
from napari_deepblur.engine.devices import (
    Device,
    is_out_of_memory,
    memory_guard,
    resolve_device,
)
from napari_deepblur.engine.events import Job, Progress, Warned, finish
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.engine.partition import Margins, Tile, partition, smallest_side
from napari_deepblur.engine.photometry import Photometry, photometry_job
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.stored_plane import (
    PlaneRows,
    SeenPlane,
    row_bands,
    seen_plane_job,
)
from napari_deepblur.engine.tile_restoration import (
    largest_tile,
    restore_plane_job,
    tile_margins,
)
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.deblur import deblur_volumes_job
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.networks.unrolled import Unrolled
    from napari_deepblur.operators.fourier_blur import FourierBlur

__all__ = ["deblur", "deblur_job", "deblurring_network_job", "outside_training", "usual_tile_px"]


def deblur(
    image: Any,
    blur: BlurEstimate | VolumeBlurEstimate,
    *,
    model: str | Path | Model | None = None,
    axes: str | None = None,
    device: Device = "auto",
    tile_px: int | None = None,
) -> NDArray[np.float32]:
    """Take the blur out of an image, plane by plane or of whole volumes.

    Parameters
    ----------
    image
        Observed, counts, shape (…, Y, X) with up to five axes.
    blur
        As estimated from it, or from another image of the same microscope.
    model
        Whose deblurring network to use; by default that of the blur's model. A 3-D blur needs
        none.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    tile_px
        Largest side of the tiles in which a plane is deblurred, pixels; by default what fits in
        memory, and 2048 at most. Without meaning for a 3-D blur.

    Returns
    -------
        Sharper image, float32, same shape and unit, same flux in each plane, or in each volume of
        a 3-D blur. Hot pixels are repaired first, or each would become a bright point; their
        excess is no flux. Blank planes stay as they are.

    Raises
    ------
    ImageError
        If the image cannot be used or has another number of planes than the blur.
    ModelError
        If the model is unknown or damaged.
    DeviceError
        If the device is absent or out of memory.
    ValueError
        If the tiles are too small for the blur.
    """
    if isinstance(blur, VolumeBlurEstimate):
        return finish(deblur_volumes_job(image, blur, axes=axes))
    sharp: NDArray[np.float32] = finish(
        deblur_job(image, blur, model=model, axes=axes, device=device, tile_px=tile_px)
    )
    return sharp


def deblur_job(
    image: Any,
    blur: BlurEstimate,
    *,
    model: str | Path | Model | None = None,
    axes: str | None = None,
    device: Device = "auto",
    tile_px: int | None = None,
    into: GrowingImage | None = None,
) -> Job[Any]:
    """`deblur` as a job: yields before the work on a plane, and after each of its iterations.

    With `into` the planes go to an image that grows, except those that it has, and it is returned.
    """
    planes = Planes.of(image, axes)
    network = yield from deblurring_network_job(planes, blur, model=model, device=device)
    with memory_guard():
        work = _Deblurring(planes, blur, network, tile_px)
        sharp, missing = destination(planes, into)
        for index in missing:
            yield from work.plane_job(index, PlaneRows(sharp, planes.position(index)))
            if into is not None:
                into.finish(index)
        yield work.progress(len(planes))
    return sharp


def deblurring_network_job(
    planes: Planes, blur: BlurEstimate, *, model: str | Path | Model | None, device: Device
) -> Job[Unrolled]:
    """Load the network that takes a blur out of planes, if it can; warn where it was not trained.

    Parameters
    ----------
    planes
        Observed.
    blur
        What is to be taken out.
    model, device
        As for `deblur`.
    """
    yield from check_sampling_job(blur.optics, blur.coarsest_cutoff)
    blur.require_fit(planes)
    opened = load_model(blur.model if model is None else model)
    outside = outside_training(opened, blur.optics)
    if outside is not None:
        yield Warned(outside)
    with memory_guard():
        network: Unrolled = opened.network("deblurring", resolve_device(device))
    return network


def usual_tile_px(
    blur: BlurEstimate, *, model: str | None = None, device: Device = "auto", n_at_once: int = 1
) -> int:
    """Find the side of tiles for which the memory that is free will do, pixels.

    Parameters
    ----------
    blur
        What is to be taken out.
    model, device
        As for `deblur`.
    n_at_once
        Number of tiles that share the memory, each in a process of its own.
    """
    opened = load_model(blur.model if model is None else model)
    with memory_guard():
        network: Unrolled = opened.network("deblurring", resolve_device(device))
        return _tile_side(network, blur, _margins_of(network, blur), n_at_once)


class _Deblurring:
    """Planes of one image on their way through the network, in tiles that fit in memory."""

    def __init__(
        self, planes: Planes, blur: BlurEstimate, network: Unrolled, tile_px: int | None
    ) -> None:
        self._planes, self._blur, self._network = planes, blur, network
        self._margins = _margins_of(network, blur)
        side = tile_px or _tile_side(network, blur, self._margins)
        self._tiles = partition(planes.plane_shape, side, self._margins)

    @property
    def n_steps(self) -> int:
        """Number of steps of one plane."""
        return len(self._tiles) * self._network.n_iterations

    def progress(self, index: int, step: int = 0) -> Progress:
        """Tell how far the work on all planes is."""
        total = len(self._planes) * self.n_steps
        return Progress(index * self.n_steps + step, total, "deblurring")

    def plane_job(self, index: int, into: PlaneRows) -> Job[None]:
        """Deblur one plane; a blank one stays as it is."""
        yield self.progress(index)
        observed = yield from seen_plane_job(self._planes, index, self.progress(index))
        if observed is None:
            for rows in row_bands(self._planes.plane_shape):
                into[rows] = self._planes.read(index, (rows, slice(None)))
            return
        photometry = yield from photometry_job(
            observed, self._blur.optics.cutoff, at=self.progress(index)
        )
        while not (yield from self._in_tiles_job(index, observed, photometry, into)):
            height, width = self._tiles[0].shape
            yield Warned(
                "the memory is too small for the tiles that were tried: it goes on with tiles of "
                f"{height} × {width} pixels"
            )

    def _in_tiles_job(
        self, index: int, observed: SeenPlane, photometry: Photometry, into: PlaneRows
    ) -> Job[bool]:
        """Deblur a plane; False if memory was too small, and tiles are smaller now."""
        job = restore_plane_job(
            self._network,
            observed,
            photometry,
            self._tiles,
            partial(self._operator, index),
            into=into,
        )
        try:
            while True:
                event = next(job)
                yield self.progress(index, event.done) if isinstance(event, Progress) else event
        except StopIteration:
            return True
        except (MemoryError, RuntimeError) as error:
            if not (is_out_of_memory(error) and self._with_smaller_tiles()):
                raise
            return False

    def _with_smaller_tiles(self) -> bool:
        """Halve the tiles, if they can be smaller."""
        side, least = max(max(tile.shape) for tile in self._tiles), smallest_side(self._margins)
        if side <= least:
            return False
        self._tiles = partition(self._planes.plane_shape, max(side // 2, least), self._margins)
        return True

    def _operator(self, index: int, tile: Tile) -> FourierBlur:
        return self._blur.tile_operator(index, tile.shape, tile.region)


def _margins_of(network: Unrolled, blur: BlurEstimate) -> Margins:
    return tile_margins(network, max(blur.psf().shape), blur.optics.cutoff)


def _tile_side(network: Unrolled, blur: BlurEstimate, margins: Margins, n_at_once: int = 1) -> int:
    largest = largest_tile(network, blur.family.n_convolutions, n_at_once)
    return max(largest, smallest_side(margins))


def outside_training(model: Model, optics: Optics) -> Concern | None:
    """Concern about pixels that a model's deblurring network was not trained for, if they are."""
    card = model.card.deblurring
    if card is None:
        return None
    low, high = card.cutoff_range
    if low <= optics.cutoff <= high:
        return None
    return Concern.of(ConcernKind.OUTSIDE_TRAINING, cutoff=optics.cutoff, low=low, high=high)
