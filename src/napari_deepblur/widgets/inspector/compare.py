"""PSFs of one or two blurs at the place that is looked at, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.engine.psf_figures import difference_db, on_pixels, psf_figures
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.widgets.inspector.inspected import Inspected
from napari_deepblur.widgets.inspector.view import Comparison, ShownBlur
from napari_deepblur.widgets.layers.facts import pixels_of
from napari_deepblur.widgets.layers.looked_at import current_pixel, current_plane
from napari_deepblur.widgets.layers.stack_plane import current_index
from napari_deepblur.widgets.parts.psf_picture import Scaled

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["comparison_of"]

_TWO_KINDS = (
    "One blur is of a single plane and the other in 3-D, so there is no difference of the two: the "
    "3-D one is drawn in focus. Choose two of a kind"
)


def comparison_of(viewer: ViewerModel, chosen: Sequence[Inspected]) -> Comparison:
    """Compute what is shown of the chosen blurs, for the slider's plane and the mouse's place."""
    blurs = tuple(_shown(viewer, one) for one in chosen)
    if len(blurs) < 2:
        return Comparison(blurs)
    first, second = (blur.psf for blur in blurs)
    if first.psf.ndim != second.psf.ndim:
        return Comparison(blurs, refusal=_TWO_KINDS)
    pairs = zip(_sides_um(first), _sides_um(second), strict=True)
    other = on_pixels(second.psf, [one / two for one, two in pairs], first.psf.shape)
    difference = np.abs(first.psf - other).astype(np.float32)
    scaled = Scaled(difference, first.pixel_size_um, first.z_step_um)
    return Comparison(blurs, scaled, difference_db(other, first.psf))


def _sides_um(scaled: Scaled) -> list[float]:
    """Sides of a PSF's pixels along its axes, µm."""
    lateral = [scaled.pixel_size_um] * 2
    return lateral if scaled.z_step_um is None else [scaled.z_step_um, *lateral]


def _shown(viewer: ViewerModel, inspected: Inspected) -> ShownBlur:
    layer = inspected.layer or _layer_of_field(viewer, inspected.field_shape)
    plane, position, where = 0, None, []
    if layer is not None and layer in viewer.layers:
        in_3d = isinstance(inspected.source, VolumeBlurEstimate)
        plane = current_index(viewer, layer, "T") if in_3d else current_plane(viewer, layer)
        if len(pixels_of(layer).shape) > 2:
            where.append(f"{'time point' if in_3d else 'plane'} {plane}")
        if inspected.field_shape is not None:
            position = current_pixel(viewer, layer)
    if inspected.field_shape is not None:
        where.append("field's centre" if position is None else f"y {position[0]}, x {position[1]}")
    psf, pixel_um = inspected.psf(plane, position), inspected.pixel_size_um
    focus = psf if psf.ndim == 2 else psf[int(psf.max((1, 2)).argmax())]
    optics = inspected.optics
    return ShownBlur(
        inspected.name,
        Scaled(psf, pixel_um, inspected.z_step_um),
        psf_figures(psf, pixel_um, inspected.z_step_um),
        psf_width(focus) * pixel_um,
        ", ".join(where),
        None if optics is None else 2 * optics.numerical_aperture / optics.wavelength_um,
    )


def _layer_of_field(viewer: ViewerModel, shape: tuple[int, int] | None) -> Image | None:
    """Find the uppermost visible image of a field's shape, over which the mouse can point."""
    for layer in reversed(viewer.layers):
        is_image = isinstance(layer, Image) and layer.visible and not layer.rgb
        if is_image and tuple(pixels_of(layer).shape[-2:]) == shape:
            return layer
    return None
