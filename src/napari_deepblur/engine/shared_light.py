"""Tell whether the planes of a z-stack hold the light of one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.optics.settings import Optics

__all__ = ["concerns_of_shared_light"]

#: Depth of a stack by the depth of field, below which one focus takes in most of it.
_DEEP_ABOVE = 4.0

#: Least light of a plane by the most. Of widefield stacks nearly all light is in every plane: a
#: real nucleus has 0.85. Confocal and light-sheet stacks that were looked at have 0 to 0.48.
_SHARED_ABOVE = 0.7

_PLANES_LOOKED_AT = 5

#: Percentile of the pixels that is taken for the background.
_BACKGROUND = 0.5


def concerns_of_shared_light(
    image: Any, axes: str, *, optics: Optics, depth_um: float
) -> tuple[Concern, ...]:
    """Concerns about blurs that are read plane by plane off a z-stack.

    A widefield microscope collects the light of the whole sample in each plane, and one that
    sections does not. Five planes of the first stack are looked at.

    Parameters
    ----------
    image
        Image with an axis Z, array-like.
    axes
        One letter of TCZYX per dimension.
    optics
        Its optics.
    depth_um
        From the first plane of a stack to the last, µm.
    """
    field_um = optics.refractive_index * optics.wavelength_um / optics.numerical_aperture**2
    if depth_um < _DEEP_ABOVE * field_um:
        return ()
    planes = Planes.of(image, axes)
    n_depths = int(image.shape[axes.index("Z")])
    chosen = np.unique(np.linspace(0, n_depths - 1, _PLANES_LOOKED_AT).round().astype(int))
    looked_at = np.stack([np.asarray(planes.read(int(index)), np.float64) for index in chosen])
    light = np.nanmean(looked_at, axis=(1, 2)) - np.nanpercentile(looked_at, _BACKGROUND)
    if not light.max() > 0 or light.min() < _SHARED_ABOVE * light.max():
        return ()
    times = depth_um / field_um
    return (Concern.of(ConcernKind.SHARED_LIGHT, depth=depth_um, times=times, field=field_um),)
