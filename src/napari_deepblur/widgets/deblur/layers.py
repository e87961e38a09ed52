"""Results as napari layers on the grid of the layer they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.widgets.deblur.deblur_task import Deblurred
from napari_deepblur.widgets.deblur.metadata import result_metadata
from napari_deepblur.widgets.deblur.result_names import sharp_name
from napari_deepblur.widgets.deblur.tasks import Estimated, FieldPictures
from napari_deepblur.widgets.layers.facts import axes_of, pixels_of
from napari_deepblur.widgets.layers.geometry import beside, geometry_of, moved
from napari_deepblur.widgets.layers.names import result_name
from napari_deepblur.widgets.layers.tiles_picture import signed_colormap, tiled

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = [
    "LayerData",
    "blur_places",
    "deblurred_layer",
    "finished_part",
    "geometry_of",
    "growing_layer",
    "is_same_work",
    "psf_layers",
    "residual_layer",
    "sharp_arguments",
]

#: An array, which may be lazy, and the arguments of a layer.
LayerData = tuple[Any, dict[str, Any]]

#: The rings are a hundredth of the peak.
_PSF_GAMMA = 0.5

#: Contrast of a residual, in units of the noise: of noise alone 1 pixel in 16,000 is beyond.
_RESIDUAL_LIMIT = 4.0


def deblurred_layer(layer: Image, result: Deblurred) -> LayerData:
    """Make data and arguments of the layer of a deblurred image.

    Black is that of the observed image; white is brighter where bright spots grew.
    """
    metadata = result_metadata("deblurred", layer.name, result.estimated, result.check)
    own = {"name": sharp_name("deblurred", layer, result.estimated), "metadata": metadata}
    return result.sharp, sharp_arguments(layer, result.bright) | own


def growing_layer(layer: Image, estimated: Estimated, sharp: Any, bright: float) -> LayerData:
    """Make data and arguments of the layer of a deblurred image whose planes are coming.

    Parameters
    ----------
    layer
        Observed image.
    estimated
        Its blur.
    sharp
        The image; 0 where it is not finished.
    bright
        Intensity that few pixels of the first finished planes exceed.
    """
    metadata = result_metadata("deblurred", layer.name, estimated, planes_done=[])
    own = {"name": sharp_name("deblurred", layer, estimated), "metadata": metadata}
    return sharp, sharp_arguments(layer, bright) | own


def finished_part(
    layer: Image, estimated: Estimated, planes: list[int], n_planes: int
) -> dict[str, Any]:
    """Make name and metadata of a deblurred image, not all planes of which are finished.

    Parameters
    ----------
    layer
        Observed image.
    estimated
        Its blur.
    planes
        Numbers of the finished planes.
    n_planes
        Number of all planes.
    """
    name = sharp_name("deblurred", layer, estimated)
    if len(planes) == n_planes:
        return {"name": name, "metadata": result_metadata("deblurred", layer.name, estimated)}
    return {
        "name": f"{name}, incomplete: {len(planes)} of {n_planes}",
        "metadata": result_metadata("deblurred", layer.name, estimated, planes_done=planes),
    }


def is_same_work(metadata: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two results are of the same blur and settings, complete or not."""
    one, two = (dict(each.get("deepblur", {})) for each in (metadata, other))
    for own in (one, two):
        for name in ("check", "planes_done"):
            own.pop(name, None)
    return one == two


def sharp_arguments(layer: Image, bright: float) -> dict[str, Any]:
    """Make the arguments of a deblurred layer: black as observed, white up to bright spots."""
    low, high = layer.contrast_limits
    return geometry_of(layer) | {
        "colormap": layer.colormap.name,
        "contrast_limits": (low, max(high, bright)),
        "gamma": layer.gamma,
    }


def residual_layer(layer: Image, result: Deblurred) -> LayerData | None:
    """Make data and arguments of the residual's layer; None if it was not asked for.

    It lies on the image; zero has the middle colour.
    """
    if result.residual is None:
        return None
    arguments = geometry_of(layer) | {
        "name": sharp_name("residual", layer, result.estimated),
        "colormap": "PiYG",
        "contrast_limits": (-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT),
        "metadata": result_metadata("residual", layer.name, result.estimated, result.check),
    }
    return result.residual, arguments


def psf_layers(layer: Image, estimated: Estimated) -> list[LayerData]:
    """Make data and arguments of the layers that show a blur, the undermost first.

    They have the image's leading axes, so they follow the sliders.
    """
    if estimated.field is None:
        return [_psf_layer(layer, estimated)]
    return [
        _eigen_psfs_layer(layer, estimated, estimated.field),
        _psf_field_layer(layer, estimated, estimated.field),
    ]


def blur_places(layer: Image, estimated: Estimated) -> dict[str, dict[str, Any]]:
    """Return the geometry of the layers that show a blur, by their kinds."""
    if estimated.is_3d:
        return {"psf": beside(layer, first_plane=_planes_of_psf(estimated).start)}
    if estimated.field is None:
        return {"psf": beside(layer)}
    grid = estimated.field.grid
    return {
        "eigen-psfs": beside(layer, zoom=grid.zoom),
        "psf-field": moved(layer, grid.origin_yx, zoom=grid.zoom),
    }


def _psf_layer(layer: Image, estimated: Estimated) -> LayerData:
    """Make the layer of the PSFs, beside the image and at its scale.

    A 3-D PSF has its centre in the middle of the stack.
    """
    arguments = blur_places(layer, estimated)["psf"] | {
        "name": result_name("PSF", layer.name),
        "colormap": "inferno",
        "contrast_limits": (0.0, float(estimated.psfs.max())),
        "gamma": _PSF_GAMMA,
        "metadata": result_metadata("psf", layer.name, estimated),
    }
    if not estimated.is_3d:
        return _per_plane(layer, estimated.psfs), arguments
    depth, whole = _planes_of_psf(estimated), estimated.psfs.shape[1]
    shown = slice((whole - len(depth)) // 2, (whole + len(depth)) // 2)
    return _per_volume(layer, estimated.psfs[:, shown]), arguments


def _planes_of_psf(estimated: Estimated) -> range:
    """Planes of a stack at which its 3-D PSF is shown, around the middle one."""
    n_planes, depth = estimated.planes_per_row, estimated.psfs.shape[1]
    depth = min(depth, n_planes - 1 + n_planes % 2)
    first = (n_planes - depth) // 2
    return range(first, first + depth)


def _psf_field_layer(layer: Image, estimated: Estimated, field: FieldPictures) -> LayerData:
    """Make the layer of the mosaic of PSFs, each centred at its place on the image."""
    assert field.mosaics is not None
    arguments = blur_places(layer, estimated)["psf-field"] | {
        "name": result_name("PSF field", layer.name),
        "colormap": "inferno",
        "blending": "additive",
        "contrast_limits": (0.0, float(field.mosaics.max())),
        "gamma": _PSF_GAMMA,
        "metadata": result_metadata("psf-field", layer.name, estimated, zoom=field.grid.zoom),
    }
    return _per_plane(layer, field.mosaics), arguments


def _eigen_psfs_layer(layer: Image, estimated: Estimated, field: FieldPictures) -> LayerData:
    """Make the layer of the eigen-PSFs: tiles beside the image, as large as the mosaic's PSFs."""
    limit = float(np.abs(field.eigen_psfs).max())
    arguments = blur_places(layer, estimated)["eigen-psfs"] | {
        "name": result_name("eigen-PSFs", layer.name),
        "colormap": signed_colormap(),
        "contrast_limits": (-limit, limit),
        "metadata": result_metadata("eigen-psfs", layer.name, estimated, zoom=field.grid.zoom),
    }
    picture = tiled(field.eigen_psfs, field.grid.shape[0])
    return _per_plane(layer, picture[None]), arguments


def _per_plane(layer: Image, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give pictures (N, h, w) the image's leading axes; a single one serves all planes."""
    lead = Planes.of(pixels_of(layer), axes_of(layer)).lead_shape
    sides = pictures.shape[1:]
    if len(pictures) > 1:
        return pictures.reshape(*lead, *sides)
    return np.broadcast_to(pictures[0], (*lead, *sides))


def _per_volume(layer: Image, psfs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give 3-D PSFs (N, d, h, w) the image's axes before Z; a single one serves all volumes."""
    lead = Planes.of(pixels_of(layer), axes_of(layer)).lead_shape[:-1]
    sides = psfs.shape[1:]
    if len(psfs) > 1:
        return psfs.reshape(*lead, *sides)
    return np.broadcast_to(psfs[0], (*lead, *sides))
