"""Memory of a viewer's dock, which outlives the dock itself."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_deepblur.engine.known_optics import Known
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.errors import ModelError
from napari_deepblur.widgets.deblur.cost.speed import Speed
from napari_deepblur.widgets.deblur.models import ModelList
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.results import Results
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.last_time import LastTime, recall, remember
from napari_deepblur.widgets.layers.facts import facts_of
from napari_deepblur.widgets.layers.optics_fields import AS_LAST_TIME, LABELS, OF_THE_OBJECTIVE

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.optics.settings import Optics

__all__ = ["SESSIONS", "Session"]

#: Settings that belong to one layer and not to the dock.
_OF_A_LAYER = (*LABELS, "focus_series", "psf_source", "blur_layer", "blur_plane")

#: Sessions by their viewers, as long as those exist.
SESSIONS: WeakKeyDictionary[ViewerModel, Session] = WeakKeyDictionary()


class Session:
    """Settings, models and results of one viewer; layers are held weakly.

    Parameters
    ----------
    last_time
        Choices of last time; by default those that are remembered.

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

    def __init__(self, last_time: LastTime | None = None) -> None:
        self._last_time = last_time or recall()
        self.models = ModelList()
        self._kept = self._usable()
        self._proposed = DEFAULT_MODEL
        others = {name: value for name, value in self._kept.items() if name != "model"}
        self.settings = DeblurSettings(**others)
        self.results = Results()
        self.speed = Speed()
        self.sources: WeakKeyDictionary[Image, Hashable] = WeakKeyDictionary()
        self._choices: WeakKeyDictionary[Image, dict[str, Any]] = WeakKeyDictionary()
        self._last: weakref.ref[Image] | None = None
        self._first: weakref.ref[Image] | None = None

    @classmethod
    def of(cls, viewer: ViewerModel) -> Session:
        """Return the viewer's session; it is begun where there is none."""
        session = SESSIONS.get(viewer)
        if session is None:
            session = SESSIONS[viewer] = cls()
        return session

    @property
    def as_last_time(self) -> frozenset[str]:
        """Settings that are as they were the last time, and were not chosen since."""
        kept = self._kept.items()
        return frozenset(name for name, value in kept if getattr(self.settings, name) == value)

    def last_time_of(self, layer: Image) -> dict[str, Known]:
        """Optical values of last time, for what a layer does not say.

        The wavelength is for the first layer only: the next one may well be another channel. What
        is the objective's goes together.
        """
        names: list[str] = []
        if not set(OF_THE_OBJECTIVE) & set(facts_of(layer).known):
            names += OF_THE_OBJECTIVE
        if self._first is not None and self._first() is layer:
            names.append("wavelength_um")
        values = {name: getattr(self._last_time, name) for name in names}
        return {
            name: Known(value, AS_LAST_TIME) for name, value in values.items() if value is not None
        }

    def note(self, wanted: Resolved) -> None:
        """Note for the next time with what a task was started."""
        typed = {
            name: known.value
            for name, known in wanted.fields.items()
            if known.source == "typed" and name in LastTime.model_fields
        }
        settings, model = self.settings, self.settings.model
        if model == self._proposed == DEFAULT_MODEL:
            # That the remembered model did not fit this image is no reason to forget it.
            model = self._kept.get("model", model)
        remember(**typed, model=model, per=settings.per, device=settings.device)

    def propose_model(self, optics: Optics | None) -> None:
        """Set the model of last time where it fits an image's optics, else the default one.

        A model that was chosen since stays.

        Parameters
        ----------
        optics
            Optics of the image; None while they are not known.
        """
        last = self._kept.get("model")
        if last is None or self.settings.model != self._proposed:
            return
        fits = optics is not None and self.models.fits(last, optics)
        self._proposed = last if fits else DEFAULT_MODEL
        self.settings.model = self._proposed

    def _usable(self) -> dict[str, Any]:
        """Return the settings of last time that still can be: a model may be gone."""
        names = ("model", "per", "device", "compare_contrast")
        kept = {name: getattr(self._last_time, name) for name in names}
        kept = {
            name: value
            for name, value in kept.items()
            if value not in (None, DeblurSettings.model_fields[name].default)
        }
        if "model" in kept:
            try:
                kept["model"] = self.models.add(kept["model"])
            except (ModelError, OSError):
                del kept["model"]
        return kept

    @property
    def last_layer(self) -> Image | None:
        """The layer that was worked on last, if it still exists."""
        return None if self._last is None else self._last()

    def turn_to(self, layer: Image) -> None:
        """Set the settings that belong to a layer as they were when it was left.

        What was not typed there is empty. The objective that was typed for the layer before is
        offered as that of last time, to be looked at; a known PSF stays.
        """
        self._offer_objective()
        self._last = weakref.ref(layer)
        self._first = self._first or self._last
        empty = dict.fromkeys(_OF_A_LAYER) | {"focus_series": False}
        source = self.settings.psf_source
        carried = {"psf_source": "estimate" if source == "layer" else source}
        self.settings.update(empty | carried | self._choices.get(layer, {}))
        self.remember(layer)

    def _offer_objective(self) -> None:
        """Take the objective that is typed now for that of last time."""
        typed = {name: getattr(self.settings, name) for name in OF_THE_OBJECTIVE}
        if any(value is not None for value in typed.values()):
            self._last_time = self._last_time.model_copy(update=typed)

    def remember(self, layer: Image) -> None:
        """Remember the present settings as those of a layer."""
        choices = {name: getattr(self.settings, name) for name in _OF_A_LAYER}
        self._choices[layer] = {name: value for name, value in choices.items() if value is not None}
