"""Actions of the row Compare: flick to the observed image, and split the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.widgets.deblur.compare.split_image import SplitImage
from napari_deepblur.widgets.deblur.layers import geometry_of
from napari_deepblur.widgets.deblur.settings import CompareContrast
from napari_deepblur.widgets.deblur.work import Work
from napari_deepblur.widgets.last_time import remember
from napari_deepblur.widgets.layers.by_product import kind_of
from napari_deepblur.widgets.layers.facts import pixels_of
from napari_deepblur.widgets.layers.names import result_name

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["CompareActions", "Comparison"]

#: What layers share while they are compared.
_LOOK = ("contrast_limits", "gamma", "colormap")

_COMPARED = ("deblurred", "deblurred-part", "preview")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What can be compared, and what is.

    Attributes
    ----------
    result
        Name of the deblurred layer; empty where there is none, or the view is not 2-D.
    is_split
        Whether the view is split.
    contrast
        Contrast of the observed image.
    """

    result: str = ""
    is_split: bool = False
    contrast: CompareContrast = "equal"


class CompareActions:
    """Shows the observed image in place of the deblurred one, all of it or left of a border.

    Both are seen through one layer, which lies on top while they are compared: so gamma and
    colours are the same, those of the deblurred layer, as is the contrast unless the observed
    image is wanted at its own. Nothing else is touched.

    Parameters
    ----------
    work
        The layer, the settings and the task.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._border = 0.5
        self._is_split = self._is_held = False
        self._shown: _Shown | None = None
        work.viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    @property
    def state(self) -> Comparison:
        """What can be compared now."""
        result = self._result()
        contrast = self._work.session.settings.compare_contrast
        return Comparison("" if result is None else result.name, self._is_split, contrast)

    def split(self, *, on: bool) -> None:
        """Split the view, or stop that."""
        self._is_split = on and self._result() is not None
        self._update()
        self._work.view.show_comparison(self.state)

    def move_border(self, place: float) -> None:
        """Move the border: 0 for the left and 1 for the right side of the image."""
        self._border = place
        self._update()

    def choose_contrast(self, contrast: CompareContrast) -> None:
        """Show the observed image at the deblurred one's contrast or its own, also next time."""
        self._work.session.settings.compare_contrast = contrast
        remember(compare_contrast=contrast)
        self._update()

    def hold(self) -> None:
        """Show all of the observed image until `release`."""
        self._is_held = self._result() is not None
        self._update()

    def release(self) -> None:
        """Show again what was there before `hold`."""
        self._is_held = False
        self._update()

    def check(self) -> None:
        """Stop where a layer that is compared is gone, or another one is worked on."""
        shown = self._shown
        if shown is not None and not (
            shown.is_there(self._work) and shown.result is self._result()
        ):
            self.stop()

    def stop(self) -> None:
        """Take away what compares."""
        self._is_split = self._is_held = False
        self._update()

    def stop_if_edited(self, layer: Image) -> None:
        """Stop where the pixels of a layer that is compared are others now."""
        if self._shown is not None and layer in (self._shown.source, self._shown.result):
            self.stop()

    def close(self) -> None:
        """Stop listening."""
        self._work.viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)

    def _on_ndisplay(self) -> None:
        self.stop()
        self._work.view.show_comparison(self.state)

    def _update(self) -> None:
        if not (self._is_split or self._is_held):
            if self._shown is not None:
                shown, self._shown = self._shown, None
                shown.take_away(self._work)
            return
        if self._shown is None:
            result, source = self._result(), self._work.layer
            assert result is not None
            assert source is not None
            self._shown = _Shown(self._work, source, result)
        self._shown.draw(1.0 if self._is_held else self._border)

    def _result(self) -> Image | None:
        """Find the deblurred version that is compared: the active one, or else the topmost."""
        source, viewer = self._work.layer, self._work.viewer
        if source is None or viewer.dims.ndisplay != 2:
            return None
        if self._shown is not None and self._shown.result in viewer.layers:
            candidates = [self._shown.result]
        else:
            candidates = [viewer.layers.selection.active, *reversed(viewer.layers)]
        own = self._work.layers.of(source)
        return next((one for one in candidates if one in own and _fits(source, one)), None)


def _fits(source: Image, result: Image) -> bool:
    """Tell whether a result is of an image as it is now, or of a part of it."""
    if kind_of(result) not in _COMPARED:
        return False
    region = result.metadata["deepblur"].get("region")
    shape = tuple(pixels_of(source).shape)
    if region is None:
        return tuple(result.data.shape) == shape
    first, n = region["origin"], region["shape"]
    return len(n) == len(shape) and bool((np.add(first, n) <= shape).all())


class _Shown:
    """The layer through which two others are seen."""

    def __init__(self, work: Work, source: Image, result: Image) -> None:
        self.source, self.result = source, result
        observed = pixels_of(source)
        region = result.metadata["deepblur"].get("region")
        if region is not None:
            ends = zip(region["origin"], region["shape"], strict=True)
            observed = observed[tuple(slice(first, first + n) for first, n in ends)]
        self._image = SplitImage(observed, result.data, line=result.contrast_limits[1])
        active = work.viewer.layers.selection.active
        self.layer: Image = work.viewer.add_image(self._image, **_arguments(source, result))
        work.viewer.layers.link_layers([result, self.layer], _LOOK)
        work.viewer.layers.selection.active = active
        self._settings = work.session.settings
        for compared in (source, result):
            compared.events.contrast_limits.connect(self._on_contrast)

    def draw(self, border: float) -> None:
        """Draw with the border at a place."""
        self._image.border, self._image.line = border, self.result.contrast_limits[1]
        self._image.left_levels = None
        if self._settings.compare_contrast == "own":
            self._image.left_levels = _levels(self.source, self.result)
        self.layer.refresh(extent=False, thumbnail=False)

    def _on_contrast(self) -> None:
        if self._settings.compare_contrast == "own":
            self.draw(self._image.border)

    def is_there(self, work: Work) -> bool:
        """Tell whether all three layers are still there."""
        layers = work.viewer.layers
        return all(one in layers for one in (self.source, self.result, self.layer))

    def take_away(self, work: Work) -> None:
        """Remove the layer."""
        layers = work.viewer.layers
        for compared in (self.source, self.result):
            compared.events.contrast_limits.disconnect(self._on_contrast)
        if self.layer in layers:
            if self.result in layers:
                layers.unlink_layers([self.result, self.layer], _LOOK)
            layers.remove(self.layer)


def _levels(source: Image, result: Image) -> tuple[float, float]:
    """Return factor and addend that bring one image's contrast limits to those of another."""
    (low, high), (black, white) = source.contrast_limits, result.contrast_limits
    factor = (white - black) / (high - low)
    return factor, black - factor * low


def _arguments(source: Image, result: Image) -> dict[str, Any]:
    return geometry_of(result) | {
        "name": result_name("compared", source.name),
        "colormap": result.colormap.name,
        "contrast_limits": tuple(result.contrast_limits),
        "gamma": result.gamma,
        "interpolation2d": result.interpolation2d,
        "multiscale": False,
        "rgb": False,
        "metadata": {"deepblur": {"kind": "comparison", "source": source.name}},
    }
