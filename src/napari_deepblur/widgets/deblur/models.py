"""The models on offer: the bundled ones, and the folders that the user chose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.engine.models import available_models, load_model
from napari_deepblur.errors import ModelError

__all__ = ["ModelList"]


class ModelList:
    """Model cards by what `load_model` finds them by: a bundled name, or else a folder."""

    def __init__(self) -> None:
        self._cards = available_models()

    @property
    def cards(self) -> Mapping[str, ModelCard]:
        """Every model on offer."""
        return self._cards

    def add(self, model: str | Path) -> str:
        """Offer a model by its name or folder, and return what it is found by.

        Raises
        ------
        ModelError
            If there is none, or it is damaged.
        """
        opened = load_model(model)
        self._cards[opened.reference] = opened.card
        return opened.reference

    def add_folder(self, folder: str | Path) -> str:
        """`add` of a folder that somebody pointed at, which may be any.

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

    def varies(self, model: str) -> bool:
        """Whether the blurs of a model vary over the field."""
        card = self._cards.get(model)
        return card is not None and card.family.varies
