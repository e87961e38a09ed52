"""Description of a model in `model.json`: its family and its networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from napari_deepblur.engine.card import Card, Count, Name, Sha256
from napari_deepblur.engine.families import AnyFamilyCard
from napari_deepblur.engine.network_cards import AnyIdentificationCard, DeblurringCard
from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE, Optics

__all__ = ["Kind", "ModelCard", "SpectralPriorCard"]

Kind = Literal["identification", "deblurring"]
Text = Annotated[str, Field(max_length=2000)]


class SpectralPriorCard(Card):
    """The prior of sharp images' power spectra, by which estimates are refined."""

    sha256: Sha256
    #: Bundled model whose file holds the prior; by default this model's own.
    weights_of: Name | None = None
    #: Weight of each bin's likelihood.
    temper: Annotated[float, Field(gt=0, le=1)] = 0.2
    #: Factor by which standard errors were scaled for 95 % within two of them.
    std_factor: Annotated[float, Field(gt=0, le=100)] = 1.0
    n_crops: Count = 0


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
    spectral_prior: SpectralPriorCard | None = None

    @property
    def coarsest_cutoff(self) -> float:
        """Largest cutoff at which the model reads blurs, cycles per pixel.

        Only a network that was trained beyond it goes beyond the cutoff at which a thin sample has
        no blur left.
        """
        network = self.identification
        trained = 0.0 if network is None else network.cutoff_range[1]
        return max(NOTHING_LEFT_ABOVE, trained)

    @model_validator(mode="after")
    def _prior_has_one_blur(self) -> ModelCard:
        if self.spectral_prior is not None and self.family.varies:
            raise ValueError("a blur that varies over the field is not refined by one spectrum")
        return self

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
