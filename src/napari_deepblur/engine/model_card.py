"""Description of a model in `model.json`: its family and its networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from napari_deepblur.engine.card import Card, Name
from napari_deepblur.engine.families import AnyFamilyCard
from napari_deepblur.engine.network_cards import AnyIdentificationCard, DeblurringCard
from napari_deepblur.optics.settings import Optics

__all__ = ["Kind", "ModelCard"]

Kind = Literal["identification", "deblurring"]
Text = Annotated[str, Field(max_length=2000)]


class ModelCard(Card):
    """The contents of `model.json`.

    Attributes
    ----------
    format
        Version of the layout of the file.
    name
        Name of the model.
    status
        ``stable`` once its accuracy is final, ``preview`` before.
    description
        Purpose of the model, in a sentence.
    licence
        Licence of its weights.
    made_for
        Optics of the microscope that its family was measured or simulated for; None where the
        family knows no microscope of its own.
    family
        Description of the family of blurs.
    identification, deblurring
        Descriptions of its networks.
    """

    format: Literal[1] = 1
    name: Name
    status: Literal["preview", "stable"] = "preview"
    description: Text = ""
    licence: Text = "BSD-3-Clause"
    made_for: Optics | None = None
    family: AnyFamilyCard
    identification: AnyIdentificationCard | None = None
    deblurring: DeblurringCard | None = None

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
