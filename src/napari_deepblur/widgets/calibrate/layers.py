"""A calibration as napari layers: eigen-PSFs and their weight maps, and the PSF over the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur import __version__
from napari_deepblur.widgets.calibrate.tasks import Calibrated
from napari_deepblur.widgets.layers.facts import axes_of, pixels_of
from napari_deepblur.widgets.layers.geometry import beside, moved
from napari_deepblur.widgets.layers.names import result_name
from napari_deepblur.widgets.layers.tiles_picture import TILE_GAP, signed_colormap, tiled

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["LayerData", "field_layer", "part_layers"]

LayerData = tuple[NDArray[np.float32], dict[str, Any]]

#: The rings are a hundredth of the peak.
_PSF_GAMMA = 0.5


def part_layers(layer: Image, calibrated: Calibrated, times: slice) -> list[LayerData]:
    """Make data and arguments of the layers of the eigen-PSFs and of their weight maps.

    Parameters
    ----------
    layer
        Image that the calibration was made from.
    calibrated
        The calibration.
    times
        Numbers of the layer's acquisitions.
    """
    return [_eigen_psfs_layer(layer, calibrated), _maps_layer(layer, calibrated, times)]


def field_layer(layer: Image, calibrated: Calibrated, times: slice) -> LayerData:
    """Make the layer of the mosaic of PSFs, each centred at its place on the image.

    Parameters
    ----------
    layer
        Image that the calibration was made from.
    calibrated
        The calibration.
    times
        Numbers of the layer's acquisitions.
    """
    grid, mosaics = calibrated.grid, calibrated.mosaics[times]
    arguments = moved(layer, grid.origin_yx, zoom=grid.zoom) | {
        "name": result_name("PSF field", layer.name),
        "colormap": "inferno",
        "blending": "additive",
        "contrast_limits": (0.0, float(mosaics.max())),
        "gamma": _PSF_GAMMA,
        "metadata": _metadata("psf-field", layer, calibrated),
    }
    return _per_time(layer, mosaics), arguments


def _eigen_psfs_layer(layer: Image, calibrated: Calibrated) -> LayerData:
    """Tiles beside the image, as large as the PSFs of the mosaic."""
    eigen_psfs = calibrated.result.eigen_psfs
    # The first is more compact than the others, which would be dark by its peak.
    limit = float(np.median(np.abs(eigen_psfs).max((-2, -1))))
    zoom = calibrated.grid.zoom
    arguments = beside(layer, zoom=zoom) | {
        "name": result_name("eigen-PSFs", layer.name),
        "colormap": signed_colormap(),
        "contrast_limits": (-limit, limit),
        "metadata": _metadata("eigen-psfs", layer, calibrated),
    }
    return _per_time(layer, _tiles(eigen_psfs, calibrated)[None]), arguments


def _maps_layer(layer: Image, calibrated: Calibrated, times: slice) -> LayerData:
    """Make the layer of the eigen-PSFs' weight maps, in the order of their tiles.

    Each is divided by its own largest absolute value.
    """
    maps = calibrated.maps[times]
    largest = np.abs(maps).max((-2, -1), keepdims=True)
    pictures = [_tiles(one, calibrated) for one in maps / np.where(largest > 0, largest, 1)]
    zoom = calibrated.grid.zoom
    before = (_tiles(calibrated.result.eigen_psfs, calibrated).shape[1] + 2 * TILE_GAP) * zoom
    arguments = beside(layer, zoom=zoom, apart=before) | {
        "name": result_name("weight maps", layer.name),
        "colormap": signed_colormap(),
        "contrast_limits": (-1.0, 1.0),
        "metadata": _metadata(
            "weight-maps", layer, calibrated, largest=largest[..., 0, 0].round(7).tolist()
        ),
    }
    return _per_time(layer, np.stack(pictures)), arguments


def _tiles(tiles: NDArray[np.float32], calibrated: Calibrated) -> NDArray[np.float32]:
    return tiled(tiles, calibrated.grid.shape[0])


def _per_time(layer: Image, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pictures (N, h, w), one for each time or for all, with the image's leading axes."""
    axes, sides = axes_of(layer)[:-2], pictures.shape[1:]
    shape = [len(pictures) if axis == "T" else 1 for axis in axes]
    lead = pixels_of(layer).shape[:-2]
    return np.broadcast_to(pictures.reshape(*shape, *sides), (*lead, *sides))


def _metadata(kind: str, layer: Image, calibrated: Calibrated, **more: Any) -> dict[str, Any]:
    result = calibrated.result
    return {
        "deepblur": {
            "kind": kind,
            "version": __version__,
            "source": layer.name,
            "acquisitions": list(result.names),
            "pixel_size_um": result.pixel_size_um,
            "n_used": result.n_used,
            "coefficients": result.coefficients.round(7).tolist(),
            "zoom": calibrated.grid.zoom,
            **more,
        }
    }
