"""The blurs of the viewer's layers, and the checks of what was deblurred with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.widgets.deblur.known_wish import ReusedBlur, is_same
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.tasks import Estimated
from napari_deepblur.widgets.layers.optics_fields import OF_THE_OBJECTIVE, OPTICS_FIELDS

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["LayerResult", "Results"]


@dataclass(frozen=True, slots=True)
class LayerResult:
    """The blur of a layer, and how the image that was deblurred with it fits.

    Attributes
    ----------
    estimated
        The blur.
    file
        File that it was loaded from; None where it was estimated from the layer.
    check
        Check of the deblurred image, if there is one.
    is_accepted
        Whether the user takes a blur that says of itself that it is hardly more than a guess.
    """

    estimated: Estimated
    file: Path | None = None
    check: DeblurringCheck | None = None
    is_accepted: bool = False

    @property
    def asks(self) -> bool:
        """True where the user must say whether to go on with this blur."""
        return self.estimated.blur.tells_nothing and not self.is_accepted

    @property
    def was_read(self) -> bool:
        """True if the blur was read off the layer itself, which takes long."""
        return self.file is None and self.estimated.choice is None

    def outdated(self, wanted: Resolved) -> str:
        """Name the settings of the blur that are others now; empty if none.

        A blur from a file is used until another PSF is chosen.
        """
        if self.file is not None:
            return "" if wanted.known.choice is None else self.file.name
        if wanted.optics is None:
            return ""
        blur, had, has = self.estimated.blur, self.estimated.blur.optics, wanted.optics
        choice = self.estimated.choice
        is_reused = isinstance(choice, ReusedBlur)
        # The objective is that of the layer that the blur was read off.
        kept, within = (OF_THE_OBJECTIVE, 0.01) if is_reused else ((), 1e-5)
        others = [
            f"{label[0].lower()}{label[1:]} {getattr(had, name):g}"
            for name, label in OPTICS_FIELDS.items()
            if name not in kept
            and not np.isclose(getattr(had, name), getattr(has, name), rtol=within)
        ]
        if not is_same(choice, wanted.known.choice):
            was = f"the blur of {blur.source!r}" if is_reused else "an estimated PSF"
            others.append(self.estimated.known or was)
        if is_reused or isinstance(wanted.known.choice, ReusedBlur):
            return ", ".join(others)
        if blur.per != wanted.per:
            others.append(_SCOPES[blur.per])
        elif isinstance(blur, VolumeBlurEstimate):
            others += _others_of_stack(blur.stack_optics, wanted)
        is_read = choice is None and wanted.known.choice is None
        if is_read and isinstance(blur, BlurEstimate) and blur.model != wanted.model:
            others.append(f"model {blur.model}")
        return ", ".join(others)


_SCOPES = {
    "plane": "one blur per plane",
    "stack": "one blur per stack",
    "volume": "one 3-D blur of the stack",
}


def _others_of_stack(had: StackOptics, wanted: Resolved) -> list[str]:
    others = []
    if wanted.z_step_um is not None and not np.isclose(had.z_step_um, wanted.z_step_um):
        others.append(f"z step {had.z_step_um:g} µm")
    if had.light_sheet_fwhm_um != wanted.light_sheet_fwhm_um:
        sheet = had.light_sheet_fwhm_um
        others.append("widefield" if sheet is None else f"light sheet of {sheet:g} µm")
    return others


class Results:
    """Remembers the result of each layer, as long as the layer exists."""

    def __init__(self) -> None:
        self._by_layer: WeakKeyDictionary[Image, LayerResult] = WeakKeyDictionary()
        # Blurs that were read, while known ones are in their places.
        self._aside: WeakKeyDictionary[Image, LayerResult] = WeakKeyDictionary()

    def of(self, layer: Image | None) -> LayerResult | None:
        """Return the result of a layer, if there is one."""
        return None if layer is None else self._by_layer.get(layer)

    def keep(self, layer: Image, estimated: Estimated, *, file: Path | None = None) -> None:
        """Remember a layer's blur; the check of what another blur made is forgotten."""
        former, result = self.of(layer), LayerResult(estimated, file)
        if result.was_read:
            self._aside.pop(layer, None)
        elif former is not None and former.was_read:
            self._aside[layer] = replace(former, check=None)
        self._by_layer[layer] = result

    def aside(self, layer: Image) -> LayerResult | None:
        """Return the blur that was read off a layer before a known one took its place."""
        return self._aside.get(layer)

    def keep_check(self, layer: Image, check: DeblurringCheck | None) -> None:
        """Remember the check of a layer's deblurred version, or that it has none."""
        self._by_layer[layer] = replace(self._by_layer[layer], check=check)

    def accept(self, layer: Image) -> None:
        """Take a layer's blur, whatever it says of itself."""
        self._by_layer[layer] = replace(self._by_layer[layer], is_accepted=True)

    def forget(self, layer: Image) -> None:
        """Forget the result of a layer."""
        self._by_layer.pop(layer, None)
        self._aside.pop(layer, None)

    def keep_only(self, layers: list[Image]) -> None:
        """Forget the results of all other layers."""
        for layer in set(self._by_layer) - set(layers):
            self.forget(layer)
