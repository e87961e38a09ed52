"""Models on offer: the bundled ones and those in folders that the user chose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.engine.models import available_models, load_model
from napari_deepblur.engine.plausibility import concerns_of_model
from napari_deepblur.errors import ModelError
from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE, Optics

__all__ = ["ModelList"]


class ModelList:
    """List of model cards by bundled name or folder, as `load_model` takes it."""

    def __init__(self) -> None:
        self._cards = available_models()

    @property
    def cards(self) -> Mapping[str, ModelCard]:
        """Every model on offer."""
        return self._cards

    def add(self, model: str | Path) -> str:
        """Offer a model by its name or folder; return the name or folder to choose it by.

        Raises
        ------
        ModelError
            If there is none, or it is damaged.
        """
        opened = load_model(model)
        self._cards[opened.reference] = opened.card
        return opened.reference

    def add_folder(self, folder: str | Path) -> str:
        """Offer the model in a folder that a user pointed at, which may be any folder.

        Raises
        ------
        ModelError
            If it holds no model, or a damaged one.
        """
        if (Path(folder) / "calibration.json").is_file():
            raise ModelError(
                f"{folder} is a calibration and not yet a model: networks are trained for it with "
                "`deepblur train` (documentation: How to, From beads to a model)"
            )
        if not (Path(folder) / "model.json").is_file():
            raise ModelError(
                f"{folder} is no model folder: choose the one with model.json in it, as "
                "`deepblur train` writes it"
            )
        return self.add(folder)

    def fits(self, model: str, optics: Optics) -> bool:
        """Tell whether a model on offer is made for an image's optics, or for any."""
        card = self._cards.get(model)
        return card is not None and not concerns_of_model(card.made_for, optics)

    def varies(self, model: str) -> bool:
        """Tell whether the blurs of a model vary over the field."""
        card = self._cards.get(model)
        return card is not None and card.family.varies

    def coarsest_cutoff(self, model: str) -> float:
        """Largest cutoff at which a model reads blurs, cycles per pixel."""
        card = self._cards.get(model)
        return NOTHING_LEFT_ABOVE if card is None else card.coarsest_cutoff
