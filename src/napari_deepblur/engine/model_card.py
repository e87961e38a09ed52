"""What `model.json` says of a model: its family and its networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from napari_deepblur.engine.card import Card, Name
from napari_deepblur.engine.families import AnyFamilyCard
from napari_deepblur.engine.network_cards import AnyDeblurringCard, AnyIdentificationCard

__all__ = ["Kind", "ModelCard"]

Kind = Literal["identification", "deblurring"]
Text = Annotated[str, Field(max_length=2000)]


class ModelCard(Card):
    """The contents of `model.json`."""

    format: Literal[1] = 1
    name: Name
    status: Literal["preview", "stable"] = "preview"
    description: Text = ""
    licence: Text = "BSD-3-Clause"
    family: AnyFamilyCard
    identification: AnyIdentificationCard | None = None
    deblurring: AnyDeblurringCard | None = None

    @model_validator(mode="after")
    def _network_fits_family(self) -> ModelCard:
        network, family = self.identification, self.family
        if network is None:
            return self
        sizes = network.arguments
        if type(network) is not family.identification_card:
            raise ValueError(f"the identification network is not one for a {family.kind} family")
        if sizes.n_coefficients != family.n_coefficients:
            raise ValueError(
                f"the identification network is for {sizes.n_coefficients} coefficients, "
                f"the family has {family.n_coefficients}"
            )
        return self
