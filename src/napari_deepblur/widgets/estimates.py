"""The blurs of the viewer's layers and the checks of their results, as far as known."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.widgets.jobs import Estimated
from napari_deepblur.widgets.layer_facts import facts_of, pixels_of
from napari_deepblur.widgets.resolve import Resolved
from napari_deepblur.widgets.view import BlurTable, CheckTable

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = [
    "Estimates",
    "blur_table",
    "check_table",
    "current_plane",
    "flagged_planes",
    "misfit",
]


class Estimates:
    """Remembers each layer's blur, and how what was deblurred with it fits the layer."""

    def __init__(self) -> None:
        # By id: the layers that a viewer hands to plugins are short-lived proxies.
        self._by_id: dict[Hashable, Estimated] = {}
        self._checks: dict[Hashable, DeblurringCheck] = {}

    def of(self, layer: Image | None) -> Estimated | None:
        """Blur of a layer, if it is known."""
        return None if layer is None else self._by_id.get(layer.unique_id)

    def fitting(self, layer: Image, wanted: Resolved) -> Estimated | None:
        """Blur of a layer, if it was estimated with these very settings."""
        estimated = self.of(layer)
        if estimated is None or wanted.optics is None:
            return None
        blur = estimated.blur
        had, has = (list(optics.model_dump().values()) for optics in (blur.optics, wanted.optics))
        same = (blur.model, blur.per) == (wanted.model, wanted.per) and np.allclose(had, has)
        return estimated if same else None

    def keep(self, layer: Image, estimated: Estimated) -> None:
        """Remember a layer's blur; a check of what another blur made is forgotten."""
        self._by_id[layer.unique_id] = estimated
        self._checks.pop(layer.unique_id, None)

    def check_of(self, layer: Image | None) -> DeblurringCheck | None:
        """Check of a layer's deblurred version, if there is one."""
        return None if layer is None else self._checks.get(layer.unique_id)

    def keep_check(self, layer: Image, check: DeblurringCheck) -> None:
        """Remember the check of a layer's deblurred version."""
        self._checks[layer.unique_id] = check

    def forget(self, layer: Image) -> None:
        """Forget a layer's blur and check."""
        self._by_id.pop(layer.unique_id, None)
        self._checks.pop(layer.unique_id, None)


def misfit(layer: Image, estimated: Estimated) -> str:
    """Why a blur from a file cannot be a layer's; empty if it can."""
    blur, facts = estimated.blur, facts_of(layer)
    n_planes = int(np.prod(pixels_of(layer).shape[:-2], dtype=int))
    pixel = facts.known.get("pixel_size_um")
    if facts.problem:
        return facts.problem
    if blur.per == "plane" and blur.n_planes != n_planes:
        return f"The blur in the file is that of {blur.n_planes} planes; the layer has {n_planes}."
    if pixel is not None and not np.isclose(pixel.value, blur.optics.pixel_size_um, rtol=0.01):
        return (
            f"The blur in the file is for pixels of {blur.optics.pixel_size_um:g} µm; "
            f"those of the layer are {pixel.value:g} µm."
        )
    return ""


def current_plane(viewer: ViewerModel, layer: Image) -> int:
    """Number of the layer's plane that the viewer's sliders stand at."""
    lead = pixels_of(layer).shape[:-2]
    if not lead:
        return 0
    position = np.round(layer.world_to_data(viewer.dims.point)[: len(lead)])
    inside = np.clip(position, 0, np.array(lead) - 1).astype(int)
    return int(np.ravel_multi_index(tuple(inside), lead))


def blur_table(layer: Image, estimated: Estimated, plane: int) -> BlurTable:
    """What is shown of one plane's blur."""
    row, blur = estimated.row(plane), estimated.blur
    one_of = f", plane {row}" if len(estimated.psfs) > 1 else ""
    return BlurTable(
        f"{layer.name}{one_of}",
        estimated.names,
        blur.coefficients[row],
        blur.std[row],
        estimated.psfs[row],
        blur.optics.pixel_size_um,
        _one_of_each_kind(blur.concerns[row]) if blur.concerns else None,
        flagged_planes(blur),
        len(blur.coefficients),
        blur.twin_resolved,
    )


def check_table(layer: Image, check: DeblurringCheck, plane: int) -> CheckTable:
    """What is shown of one plane's check."""
    n = len(check.residual)
    row = min(plane, n - 1)
    one_of = f", plane {row}" if n > 1 else ""
    flagged = tuple(index for index, reasons in enumerate(check.concerns) if reasons)
    residual, ringing, moved = (
        (float(values[row]), float(np.median(values)), float(values.max()))
        for values in (check.residual, check.border_ringing, check.flux_moved)
    )
    title = f"{layer.name}{one_of}"
    return CheckTable(title, residual, ringing, moved, check.concerns[row], flagged, n)


def flagged_planes(blur: BlurEstimate) -> tuple[int, ...]:
    """Rows of a blur that there are concerns about."""
    return tuple(int(row) for row in np.flatnonzero(~blur.in_domain))


def _one_of_each_kind(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The first of those that agree up to the colon, as the planes of a stack may do."""
    return tuple({reason.partition(":")[0]: reason for reason in reversed(reasons)}.values())[::-1]
