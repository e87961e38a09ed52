"""Memory of a viewer's dock, which outlives the dock itself."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_deepblur.widgets.deblur.cost.speed import Speed
from napari_deepblur.widgets.deblur.models import ModelList
from napari_deepblur.widgets.deblur.results import Results
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.layers.facts import facts_of
from napari_deepblur.widgets.layers.optics_fields import LABELS, OF_THE_OBJECTIVE

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["SESSIONS", "Session"]

#: Settings that belong to one layer and not to the dock.
_OF_A_LAYER = (*LABELS, "focus_series", "psf_source", "blur_layer", "blur_plane")

#: Sessions by their viewers, as long as those exist.
SESSIONS: WeakKeyDictionary[ViewerModel, Session] = WeakKeyDictionary()


class Session:
    """Settings, models and results of one viewer; layers are held weakly.

    Attributes
    ----------
    settings
        Present choices.
    models
        Models on offer.
    results
        Blurs of the layers and checks of what was deblurred with them.
    speed
        Speed of this computer, as the runs so far had it.
    sources
        For each layer that shows a result, the `unique_id` of the layer that it was made from.
    """

    def __init__(self) -> None:
        self.settings = DeblurSettings()
        self.models = ModelList()
        self.results = Results()
        self.speed = Speed()
        self.sources: WeakKeyDictionary[Image, Hashable] = WeakKeyDictionary()
        self._choices: WeakKeyDictionary[Image, dict[str, Any]] = WeakKeyDictionary()
        self._last: weakref.ref[Image] | None = None

    @classmethod
    def of(cls, viewer: ViewerModel) -> Session:
        """Return the viewer's session; it is begun where there is none."""
        session = SESSIONS.get(viewer)
        if session is None:
            session = SESSIONS[viewer] = cls()
        return session

    @property
    def last_layer(self) -> Image | None:
        """The layer that was worked on last, if it still exists."""
        return None if self._last is None else self._last()

    def turn_to(self, layer: Image) -> None:
        """Set the settings that belong to a layer as they were when it was left.

        What was not typed there is empty, but for what is the objective's and not known from
        the layer itself: that stays, as does a known PSF.
        """
        self._last = weakref.ref(layer)
        known = facts_of(layer).known
        empty = dict.fromkeys(_OF_A_LAYER) | {"focus_series": False}
        carried = {
            name: getattr(self.settings, name) for name in OF_THE_OBJECTIVE if name not in known
        }
        source = self.settings.psf_source
        carried["psf_source"] = "estimate" if source == "layer" else source
        self.settings.update(empty | carried | self._choices.get(layer, {}))
        self.remember(layer)

    def remember(self, layer: Image) -> None:
        """Remember the present settings as those of a layer."""
        choices = {name: getattr(self.settings, name) for name in _OF_A_LAYER}
        self._choices[layer] = {name: value for name, value in choices.items() if value is not None}
