"""The part of a model description that is the same for all families of blurs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from napari_deepblur.engine.card import Card
from napari_deepblur.engine.network_cards import NetworkCard
from napari_deepblur.untrusted import sha256_of

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily

__all__ = ["FamilyCard"]


class FamilyCard(Card, ABC):
    """Description of a family of blurs in `model.json`."""

    #: Whether the PSF changes over the field.
    varies: ClassVar[bool]
    #: Card of the network that reads the blurs of the family.
    identification_card: ClassVar[type[NetworkCard]]

    @property
    def digest(self) -> str:
        """SHA-256 of the description: with the same one, coefficients mean the same."""
        return sha256_of(self.model_dump_json().encode())

    @abstractmethod
    def describe(self) -> str:
        """Describe the family in a few words."""

    @classmethod
    @abstractmethod
    def of(cls, family: OperatorFamily) -> Self:
        """Describe a family."""

    @abstractmethod
    def read(self, folder: Path) -> OperatorFamily:
        """Make the family at its canonical cutoff, from the files of a model folder.

        Raises
        ------
        ModelError
            If a file is missing, damaged or not the one described.
        """

    def write(self, family: OperatorFamily, folder: Path) -> None:
        """Write the files of the described family into a folder without a model.

        Raises
        ------
        ModelError
            If the folder holds another family.
        """
