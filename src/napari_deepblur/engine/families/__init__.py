"""Descriptions of the families of blurs in `model.json`, a file for each kind of family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

from pydantic import Field

from napari_deepblur.engine.families.base import FamilyCard
from napari_deepblur.engine.families.product_convolution import ProductConvolutionCard
from napari_deepblur.engine.families.widefield import WidefieldCard
from napari_deepblur.engine.families.zernike import ZernikeCard

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily

__all__ = ["AnyFamilyCard", "FamilyCard", "card_of"]

#: All kinds of families, told apart by `kind`: the place where a new one is entered.
AnyFamilyCard = Annotated[
    ZernikeCard | WidefieldCard | ProductConvolutionCard, Field(discriminator="kind")
]

_CARDS: dict[str, type[FamilyCard]] = {
    card.model_fields["kind"].default: card for card in get_args(get_args(AnyFamilyCard)[0])
}


def card_of(family: OperatorFamily) -> FamilyCard:
    """Describe a family by the card of its kind."""
    return _CARDS[family.kind].of(family)
