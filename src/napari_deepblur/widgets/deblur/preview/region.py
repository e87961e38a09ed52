"""The part of a layer that a preview shows: what is drawn in a Shapes layer, or what is in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.part import Part
from napari_deepblur.widgets.layers.facts import data_position, pixels_of, unit_factor
from napari_deepblur.widgets.layers.looked_at import current_plane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

__all__ = ["PreviewRegion", "region_of"]

#: Fewer pixels along a side show nothing.
_NARROWEST = 16


@dataclass(frozen=True, slots=True)
class PreviewRegion:
    """A part of a layer, and where it comes from.

    Attributes
    ----------
    part
        Plane, rows and columns.
    words
        What it is, in words: "the rectangle in 'Shapes'".
    """

    part: Part
    words: str


def region_of(viewer: ViewerModel, layer: Image, largest_view: int) -> PreviewRegion | None:
    """Find the part of a layer's current plane to be shown; None if there is nothing to show.

    A shape that is selected, in a Shapes layer that is selected itself or else in any that is
    visible, goes before what is in view.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        Image layer.
    largest_view
        Largest side of what is in view, pixels: of more the middle is taken.
    """
    plane, sides = current_plane(viewer, layer), pixels_of(layer).shape[-2:]
    drawn = _selected_shape(viewer)
    if drawn is not None:
        shapes, vertices = drawn
        corners = _bounds(viewer, layer, shapes, vertices)
        spans = _spans(corners, sides)
        return None if spans is None else _region(plane, spans, f"the shape in {shapes.name!r}")
    spans = _spans(_corners_in_view(viewer, layer), sides)
    if spans is None:
        return None
    middle = tuple(_middle(span, largest_view) for span in spans)
    height, width = (span.stop - span.start for span in middle)
    words = "what is in view"
    if middle != spans:
        words = f"the middle {height} × {width} pixels of {words}"
    return _region(plane, (middle[0], middle[1]), words)


def _region(plane: int, spans: tuple[slice, slice], words: str) -> PreviewRegion:
    return PreviewRegion(Part(plane, *spans), words)


def _selected_shape(viewer: ViewerModel) -> tuple[Shapes, NDArray[np.float64]] | None:
    """Find the one shape that is selected, shape (N, ndim) of its vertices."""
    from napari.layers import Shapes

    all_shapes = [one for one in viewer.layers if isinstance(one, Shapes) and one.visible]
    selected = viewer.layers.selection
    for shapes in sorted(all_shapes, key=lambda one: one not in selected):
        if len(shapes.selected_data) == 1:
            (index,) = shapes.selected_data
            return shapes, np.asarray(shapes.data[index], float)
        if shapes in selected and len(shapes.data) == 1:
            return shapes, np.asarray(shapes.data[0], float)
    return None


def _bounds(
    viewer: ViewerModel, layer: Image, shapes: Shapes, vertices: NDArray[np.float64]
) -> NDArray[np.float64]:
    """First and last corner (y, x) of vertices in the pixels of an image, shape (2, 2)."""
    here, units = np.array(viewer.dims.point, float), viewer.dims.units
    factors = [1.0, 1.0]
    if units is not None:
        factors = [unit_factor(*pair) for pair in zip(shapes.units[-2:], units[-2:], strict=True)]
    places = []
    for vertex in vertices:
        here[-2:] = np.array(shapes.data_to_world(vertex))[-2:] * factors
        places.append(data_position(viewer, layer, here.tolist())[-2:])
    return np.stack([np.min(places, axis=0), np.max(places, axis=0)])


def _corners_in_view(viewer: ViewerModel, layer: Image) -> NDArray[np.float64]:
    """First and last corner (y, x) of what the canvas shows, shape (2, 2).

    All of the plane where the canvas shows something else: another cut, or a volume.
    """
    dims = viewer.dims
    if dims.ndisplay != 2 or tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1):
        return np.array([[0, 0], pixels_of(layer).shape[-2:]], float)
    first, last = np.array(layer.corner_pixels, float)[:, -2:]
    if layer.multiscale:
        factors = np.array(layer.downsample_factors)[layer.data_level][-2:]
        first, last = first * factors, (last + 1) * factors - 1
    return np.stack([first, last + 1])


def _spans(corners: NDArray[np.float64], sides: tuple[int, ...]) -> tuple[slice, slice] | None:
    first, last = corners.round().astype(int).clip(0, sides)
    if (last - first < _NARROWEST).any():
        return None
    rows, columns = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return rows, columns


def _middle(span: slice, largest: int) -> slice:
    length = min(span.stop - span.start, largest)
    first = (span.start + span.stop - length) // 2
    return slice(first, first + length)
