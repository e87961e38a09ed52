"""Geometry of a layer, and of others that lie on it or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.widgets.layers.facts import pixels_of

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["beside", "geometry_of", "moved", "place_at"]

#: Distance between an image and what stands beside it, in the image's pixels.
_GAP = 8


def geometry_of(layer: Image) -> dict[str, Any]:
    """Return everything that places a layer in the world; results inherit nothing by themselves."""
    return {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def place_at(layer: Image, geometry: dict[str, Any]) -> None:
    """Move a layer to where another geometry has it.

    What is there already is left alone: after each change napari draws the layer anew.

    Parameters
    ----------
    layer
        The layer.
    geometry
        As of `geometry_of`, and what else there is in the arguments of a layer.
    """
    for name, value in geometry_of(layer).items():
        if not np.array_equal(value, geometry[name]):
            setattr(layer, name, geometry[name])


def beside(
    layer: Image, *, zoom: int = 1, apart: float = 0, first_plane: int = 0
) -> dict[str, Any]:
    """Return the geometry of a layer right of another, with pixels `zoom` times as large.

    Both begin at the same height. Between them there is room for `apart` pixels of the other. The
    layer begins at a plane of the other.
    """
    half = (zoom - 1) / 2
    lead = (first_plane,) if layer.ndim > 2 else ()
    origin = (*lead, half, pixels_of(layer).shape[-1] + apart + _GAP + half)
    return moved(layer, origin, zoom=zoom)


def moved(layer: Image, origin: tuple[float, ...], *, zoom: int) -> dict[str, Any]:
    """Return the geometry of a layer that begins at a pixel of another, `zoom` times as large.

    Parameters
    ----------
    layer
        The other layer.
    origin
        The pixel's place along the last axes.
    zoom
        Side of the pixels along Y and X, in those of the other.
    """
    target = np.zeros(layer.ndim)
    target[-len(origin) :] = origin
    step = np.subtract(layer.data_to_world(target), layer.data_to_world(np.zeros(layer.ndim)))
    linear = np.array(layer.affine.affine_matrix)[:-1, :-1]
    geometry = geometry_of(layer)
    geometry["translate"] += np.linalg.solve(linear, step)
    geometry["scale"][-2:] *= zoom
    return geometry
