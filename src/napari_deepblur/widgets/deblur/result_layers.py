"""Results in the viewer: layers added, brought up to date, moved with their image."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_deepblur.widgets.deblur.deblur_task import Deblurred
from napari_deepblur.widgets.deblur.layers import (
    LayerData,
    blur_places,
    deblurred_layer,
    is_same_work,
    psf_layers,
    residual_layer,
)
from napari_deepblur.widgets.deblur.result_names import told_apart
from napari_deepblur.widgets.deblur.tasks import Estimated
from napari_deepblur.widgets.layers.by_product import kind_of
from napari_deepblur.widgets.layers.geometry import place_at
from napari_deepblur.widgets.layers.looked_at import current_plane
from napari_deepblur.widgets.layers.names import result_name
from napari_deepblur.widgets.layers.update import bring_up_to_date

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["ResultLayers"]

#: Rank of each kind among the layers that lie above their image in the list.
_RANKS = {
    kind: rank
    for rank, kind in enumerate(
        ("eigen-psfs", "psf-field", "psf", "residual", "deblurred", "deblurred-part", "preview")
    )
}
_SHOWS_BLUR = ("psf", "psf-field", "eigen-psfs")


class ResultLayers:
    """Adds results to a viewer.

    Parameters
    ----------
    viewer
        napari viewer that gets the layers.
    sources
        For each layer that shows a result, the `unique_id` of the layer that it was made from;
        layers that are added are entered here.
    """

    def __init__(self, viewer: ViewerModel, sources: WeakKeyDictionary[Image, Hashable]) -> None:
        self._viewer = viewer
        self._sources = sources

    def show_blur(self, source: Image, estimated: Estimated) -> Iterator[None]:
        """Show the layers of a blur in place of those of the former one; none becomes active.

        Where all of the image is in view, so is then the first PSF beside it. Layers of the same
        kind are brought up to date and not replaced: napari takes long to remove a layer.

        Yields
        ------
            Nothing, when the window had better answer: adding a layer takes napari long, too.
        """
        formers = {kind_of(former): former for former in self._blur_layers(source)}
        makes_room = not formers and _is_whole_in_view(self._viewer, source)
        for made in psf_layers(source, estimated):
            former = formers.pop(made[1]["metadata"]["deepblur"]["kind"], None)
            if former is None:
                yield
                if source not in self._viewer.layers:
                    return
                self._add_inactive(source, made)
            else:
                bring_up_to_date(former, *made)
        for former in formers.values():
            self._viewer.layers.remove(former)
        if makes_room:
            self._viewer.reset_view()
        yield

    def move_blur(self, source: Image, estimated: Estimated) -> None:
        """Let the layers of a blur follow their image, which was moved."""
        places = blur_places(source, estimated)
        for shown in self._blur_layers(source):
            place_at(shown, places[kind_of(shown)])

    def show_growing(self, source: Image, made: LayerData) -> Image:
        """Show a deblurred image whose planes are coming, in place of a preview."""
        self.drop_preview(source)
        shown = self._add(source, made)
        _widen_contrast(shown, shown.contrast_limits)
        self._viewer.layers.selection.active = shown
        return shown

    def refresh_plane(self, shown: Image, planes: frozenset[int]) -> None:
        """Draw a layer anew if one of these planes is looked at; never a whole volume."""
        if self._viewer.dims.ndisplay == 2 and current_plane(self._viewer, shown) in planes:
            shown.refresh(extent=False)

    def leave_growing(self, source: Image, shown: Image, part: dict[str, Any]) -> None:
        """Give a deblurred image that will not be completed its name and metadata.

        It takes the place of former ones that were not completed either, of the same work, unless
        those have other planes.
        """
        planes = part["metadata"]["deepblur"].get("planes_done")
        for former in self._same_work(source, part["metadata"]):
            theirs = former.metadata["deepblur"].get("planes_done")
            is_more = planes is None or set(planes) >= set(theirs or [])
            if former is not shown and theirs is not None and is_more:
                self._viewer.layers.remove(former)
        shown.metadata, shown.name = part["metadata"], part["name"]
        shown.refresh(extent=False)

    def show_deblurred(
        self, source: Image, result: Deblurred, growing: Image | None = None
    ) -> Image:
        """Show a deblurred image, with its residual beneath where that was asked for.

        Layers of the very same blur and settings are brought up to date, so that they do not
        pile up; those of other settings stay, to be compared. A preview goes.

        Parameters
        ----------
        source
            Observed image.
        result
            The deblurred one.
        growing
            Layer that has shown its planes as they came.
        """
        self.drop_preview(source)
        residual = residual_layer(source, result)
        if residual is not None:
            shown = self._put(source, residual)
            limit = max(shown.contrast_limits[1], result.residual_limit)
            shown.contrast_limits_range = (-limit, limit)
        shown = self._put(source, deblurred_layer(source, result), growing)
        _widen_contrast(shown, result.extent)
        self._viewer.layers.selection.active = shown
        return shown

    def preview_of(self, source: Image) -> Image | None:
        """Return the layer of an image's preview that is neither kept nor thrown away yet."""
        return next((one for one in self.of(source) if kind_of(one) == "preview"), None)

    def show_preview(self, source: Image, made: LayerData, extent: tuple[float, float]) -> None:
        """Show a preview in place of the former one; what is active stays so."""
        self.drop_preview(source)
        _widen_contrast(self._add_inactive(source, made), extent)

    def keep_preview(self, source: Image) -> None:
        """Make a result of its own of the preview."""
        preview = self.preview_of(source)
        if preview is not None:
            own = preview.metadata["deepblur"] | {"kind": "deblurred-part"}
            preview.metadata = preview.metadata | {"deepblur": own}
            preview.name = result_name("deblurred part", source.name)

    def drop_preview(self, source: Image) -> None:
        """Remove the preview, if there is one."""
        preview = self.preview_of(source)
        if preview is not None:
            self._viewer.layers.remove(preview)

    def _put(self, source: Image, made: LayerData, growing: Image | None = None) -> Image:
        """Add a layer, or bring the former one of the same work up to date."""
        data, arguments = made
        arguments = self._told_apart(source, arguments)
        formers = self._same_work(source, arguments["metadata"])
        complete = [one for one in formers if "planes_done" not in one.metadata["deepblur"]]
        if growing is not None and growing not in formers:  # the image was renamed meanwhile
            formers.append(growing)
        if not formers:
            return self._add(source, (data, arguments))
        shown = next(iter([*complete, *filter(None, [growing]), *formers]))
        for other in formers:
            if other is not shown:
                self._viewer.layers.remove(other)
        if shown.data is not data:
            shown.data = data
        if shown not in complete:
            shown.name, shown.contrast_limits = arguments["name"], arguments["contrast_limits"]
        shown.metadata = arguments["metadata"]
        place_at(shown, arguments)
        place = self._place(source, kind_of(shown))
        if place - 1 != self._viewer.layers.index(shown):
            self._viewer.layers.move(self._viewer.layers.index(shown), place)
        return shown

    def _told_apart(self, source: Image, arguments: dict[str, Any]) -> dict[str, Any]:
        """Name a result so that no other work on the image has the same name."""
        name, metadata = arguments["name"], arguments["metadata"]
        others = [one for one in self.of(source) if one.name == name]
        other = next((one for one in others if not is_same_work(one.metadata, metadata)), None)
        if other is None:
            return arguments
        return arguments | {"name": told_apart(name, source, metadata, other.metadata)}

    def _same_work(self, source: Image, metadata: dict[str, Any]) -> list[Image]:
        return [one for one in self.of(source) if is_same_work(one.metadata, metadata)]

    def _add(self, source: Image, made: LayerData) -> Image:
        """Add a layer to those of an image, where napari would put it on top of all others."""
        from napari.layers import Image

        data, arguments = made
        layer = Image(data, **arguments)
        self._viewer.layers.insert(self._place(source, kind_of(layer)), layer)
        self._sources[layer] = source.unique_id
        return layer

    def _add_inactive(self, source: Image, made: LayerData) -> Image:
        """Add a layer; what is active stays so."""
        active = self._viewer.layers.selection.active
        layer = self._add(source, made)
        self._viewer.layers.selection.active = active
        return layer

    def _place(self, source: Image, kind: str) -> int:
        """Find the place in the list of a new layer of a kind: above its like, with their image."""
        layers, own = self._viewer.layers, set(self.of(source))
        place: int = layers.index(source) + 1
        while place < len(layers) and layers[place] in own:
            if _RANKS.get(kind_of(layers[place]), 0) > _RANKS[kind]:
                break
            place += 1
        return place

    def _blur_layers(self, source: Image) -> list[Image]:
        return [shown for shown in self.of(source) if kind_of(shown) in _SHOWS_BLUR]

    def of(self, source: Image) -> list[Image]:
        """Layers of the viewer that show results of an image."""
        own = self._sources.get
        return [layer for layer in self._viewer.layers if own(layer) == source.unique_id]


def _is_whole_in_view(viewer: ViewerModel, layer: Image) -> bool:
    """Tell whether the viewer shows all of an image's plane: nobody zoomed in."""
    shown = layer.data[layer.data_level] if layer.multiscale else layer.data
    first, last = np.array(layer.corner_pixels)[:, -2:]
    reaches = (first <= 0).all() and (last >= np.array(shown.shape[-2:]) - 1).all()
    return viewer.dims.ndisplay == 2 and bool(reaches)


def _widen_contrast(shown: Image, extent: tuple[float, float] | list[float]) -> None:
    """Let the contrast be set up to these intensities."""
    low, high = shown.contrast_limits
    shown.contrast_limits_range = (min(low, extent[0]), max(high, extent[1]))
