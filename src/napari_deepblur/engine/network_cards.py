"""Description of a network in `model.json`: its sizes, file, training and accuracy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from napari_deepblur.engine.card import Card, Count, Name, Sha256

if TYPE_CHECKING:
    from torch import nn

    from napari_deepblur.networks.unrolled import Unrolled
    from napari_deepblur.operators import OperatorFamily, ZernikeFamily

__all__ = [
    "AnyIdentificationCard",
    "DeblurringCard",
    "DeblurringSizes",
    "FieldIdentificationCard",
    "FistaSizes",
    "HalfQuadraticSizes",
    "IdentificationCard",
    "NetworkCard",
    "PartialIdentificationCard",
]

#: Channels of deblurring networks, squared, over all their layers.
_MOST_CHANNEL_PAIRS = 4_000_000

# Limits that no sensible network meets, and within which none takes more than some 100 MB.
_Width = Annotated[int, Field(ge=1, le=2048)]
_FewCoefficients = Annotated[int, Field(ge=1, le=256)]
_FewEigenPsfs = Annotated[int, Field(ge=1, le=64)]
_Iterations = Annotated[int, Field(ge=1, le=100)]
_Channels = Annotated[int, Field(ge=1, le=256)]
_Side = Annotated[int, Field(ge=1, le=8)]
_Exponent = Annotated[float, Field(ge=0, le=4)]


class NetworkCard(Card, ABC):
    """One network of a model: the digest of its file, how it was trained, how good it is."""

    sha256: Sha256
    #: Bundled model whose file holds the weights; by default this model's own.
    weights_of: Name | None = None
    #: Bundled model whose ResNet this one uses; its 22 MB are not stored twice.
    resnet_of: Name | None = None
    #: Digest of that model's identification network, which must stay the same.
    resnet_sha256: Sha256 | None = None
    trained_on: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    n_training_crops: Count = 0
    #: Larger images, of which only the descriptions were learned from.
    n_described_images: Count = 0
    #: Factor by which the learned standard errors were scaled for 95 % within two of them.
    std_factor: Annotated[float, Field(gt=0)] | None = None
    cutoff_range: tuple[float, float] = (0.25, 0.25)
    highest_noise: float = 0.1
    accuracy: Annotated[dict[Name, float], Field(max_length=2000, default_factory=dict)]

    @model_validator(mode="after")
    def _shared_resnet_has_a_digest(self) -> Self:
        if (self.resnet_of is None) != (self.resnet_sha256 is None):
            raise ValueError("resnet_of and resnet_sha256 belong together")
        return self

    @abstractmethod
    def build(self, family: OperatorFamily) -> nn.Module:
        """Make the network with random weights.

        Raises
        ------
        ValueError
            If it does not fit the family.
        """

    @property
    def main_figures(self) -> dict[str, float]:
        """Accuracy figures that are shown where models are listed, in dB."""
        names = (
            " psf_snr", " psnr_observed", " psnr_estimated_operator", " psf_field_snr",
            " floor_mean_operator", ", network, estimated operator: psnr_db",
        )  # fmt: skip
        return {name: value for name, value in self.accuracy.items() if name.endswith(names)}


class _IdentificationSizes(Card):
    n_outputs: Annotated[int, Field(ge=1, le=961)]
    n_coefficients: _FewCoefficients = 7
    n_hidden: _Width = 1024
    whitening_exponent: _Exponent = 1.0


class IdentificationCard(NetworkCard):
    """Identification network of a family whose blur is the same over the whole field."""

    arguments: _IdentificationSizes

    def build(self, family: OperatorFamily) -> nn.Module:
        """Make the network with random weights."""
        from napari_deepblur.operators import ZernikeFamily

        assert isinstance(family, ZernikeFamily)
        return _identification_network(family, self.arguments)


class _PartialIdentificationSizes(_IdentificationSizes):
    #: Coefficients that the network reads: the family's first ones.
    n_read: _FewCoefficients


class PartialIdentificationCard(NetworkCard):
    """Identification network that reads the first modes of a family; their prior tells the others.

    It was trained for the family of those modes.
    """

    arguments: _PartialIdentificationSizes

    def build(self, family: OperatorFamily) -> nn.Module:
        """Make the network with random weights."""
        from napari_deepblur.operators import ZernikeFamily

        assert isinstance(family, ZernikeFamily)
        modes = family.noll_indices[: self.arguments.n_read]
        return _identification_network(
            ZernikeFamily(modes, limit_waves=family.limit_waves), self.arguments
        )


class _FieldIdentificationSizes(Card):
    n_coefficients: _FewCoefficients
    n_factors: _FewCoefficients
    n_local: _FewEigenPsfs
    n_eigen_psfs: _FewEigenPsfs
    n_nodes: Annotated[int, Field(ge=2, le=32)]
    n_hidden: _Width = 1024
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    whitening_exponent: _Exponent = 1.0


class FieldIdentificationCard(NetworkCard):
    """Identification network of a family whose blur varies over the field."""

    arguments: _FieldIdentificationSizes

    def build(self, family: OperatorFamily) -> nn.Module:
        """Make the network with random weights."""
        from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
        from napari_deepblur.operators import ProductConvolutionFamily
        from napari_deepblur.operators.field_space import FieldSpace

        assert isinstance(family, ProductConvolutionFamily)
        sizes = self.arguments
        of_space = {"n_coefficients", "n_factors", "n_local", "n_eigen_psfs", "n_nodes"}
        return FieldIdentificationNetwork(
            family,
            FieldSpace.empty(**sizes.model_dump(include=of_space)),
            **sizes.model_dump(exclude=of_space),
        )


class FistaSizes(Card):
    """Sizes of a deblurring network that unrolls FISTA."""

    method: Literal["fista"] = "fista"
    n_iterations: _Iterations = 15
    n_channels: _Channels = 32
    n_layers: Annotated[int, Field(ge=2, le=16)] = 4
    unshuffle: _Side = 2

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if self.n_iterations * self.n_layers * self.n_channels**2 > _MOST_CHANNEL_PAIRS:
            raise ValueError(
                f"{self.n_iterations} iterations of {self.n_layers} layers of {self.n_channels} "
                "channels are more than any laptop can run"
            )
        return self

    def build(self) -> Unrolled:
        """Make the network with random weights."""
        from napari_deepblur.networks.unrolled import DeblurringNetwork

        return DeblurringNetwork(**self.model_dump(exclude={"method"}))


class HalfQuadraticSizes(Card):
    """Sizes of a deblurring network that unrolls half-quadratic splitting."""

    method: Literal["half-quadratic"]
    n_iterations: _Iterations = 6
    n_channels: _Channels = 32
    n_scales: Annotated[int, Field(ge=1, le=5)] = 3
    n_blocks: Annotated[int, Field(ge=1, le=8)] = 1
    unshuffle: _Side = 2

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        # Each coarser scale has twice the channels, and a quarter of the pixels.
        layers, coarsest = 4 * self.n_blocks * self.n_scales, 4 ** (self.n_scales - 1)
        pairs = self.n_channels**2 * max(self.n_iterations * layers, 4 * self.n_blocks * coarsest)
        if pairs > _MOST_CHANNEL_PAIRS:
            raise ValueError(
                f"{self.n_iterations} iterations of a denoiser with {self.n_channels} channels, "
                f"{self.n_scales} scales and {self.n_blocks} blocks are more than any laptop can "
                "run"
            )
        return self

    def build(self) -> Unrolled:
        """Make the network with random weights."""
        from napari_deepblur.networks.half_quadratic import HalfQuadraticNetwork

        return HalfQuadraticNetwork(**self.model_dump(exclude={"method"}))


def _method(sizes: Any) -> str:
    """Tag of a deblurring network's sizes; without a name they are those of FISTA."""
    name = sizes.get("method") if isinstance(sizes, dict) else getattr(sizes, "method", None)
    return name if isinstance(name, str) else "fista"


#: Sizes of a deblurring network, told apart by their method.
DeblurringSizes = Annotated[
    Annotated[FistaSizes, Tag("fista")] | Annotated[HalfQuadraticSizes, Tag("half-quadratic")],
    Discriminator(_method),
]


#: One character for each unit of a layer: 1 if it is live.
_Units = Annotated[str, Field(pattern="^[01]*1[01]*$", max_length=256)]


class DeblurringCard(NetworkCard):
    """Deblurring network."""

    arguments: DeblurringSizes
    #: Units of the hidden layers of each iteration that ever fire, or matter where they do; by
    #: default all.
    live_units: tuple[tuple[_Units, ...], ...] | None = None

    @model_validator(mode="after")
    def _as_many_units_as_the_network(self) -> Self:
        if self.live_units is None:
            return self
        sizes = self.arguments
        if sizes.method != "fista":
            raise ValueError(f"live_units belong to FISTA, not to {sizes.method}")
        layers = ("0" * sizes.n_channels,) * (sizes.n_layers - 1)
        found = [tuple("0" * len(units) for units in layers) for layers in self.live_units]
        if found != [layers] * sizes.n_iterations:
            raise ValueError(
                f"live_units must name {sizes.n_channels} units in each of {sizes.n_layers - 1} "
                f"layers of {sizes.n_iterations} iterations"
            )
        return self

    def without_dead_units(self, network: Unrolled) -> Unrolled:
        """Make a copy of the network that leaves out the units that are not live."""
        from napari_deepblur.networks.unrolled import DeblurringNetwork

        network = deepcopy(network)
        if self.live_units is not None:
            assert isinstance(network, DeblurringNetwork)
            network.keep_units(
                [
                    [[number for number, live in enumerate(units) if live == "1"] for units in one]
                    for one in self.live_units
                ]
            )
        return network

    def build(self, family: OperatorFamily) -> nn.Module:  # noqa: ARG002 - it serves any
        """Make the network with random weights."""
        return self.arguments.build()


def _identification_network(family: ZernikeFamily, sizes: _IdentificationSizes) -> nn.Module:
    from napari_deepblur.networks.identification import IdentificationNetwork
    from napari_deepblur.operators import EigenPsfSpace

    return IdentificationNetwork(
        EigenPsfSpace.empty(family, n_eigen_psfs=sizes.n_outputs),
        n_hidden=sizes.n_hidden,
        whitening_exponent=sizes.whitening_exponent,
    )


def _kind_of(card: Any) -> str:
    """Tag of an identification network's card, or of its content."""
    if isinstance(card, NetworkCard):
        card = card.model_dump(include={"arguments"})
    arguments = card.get("arguments") if isinstance(card, dict) else None
    names = arguments if isinstance(arguments, dict) else {}
    if "n_factors" in names:
        return "field"
    return "partial" if "n_read" in names else "stationary"


AnyIdentificationCard = Annotated[
    Annotated[IdentificationCard, Tag("stationary")]
    | Annotated[PartialIdentificationCard, Tag("partial")]
    | Annotated[FieldIdentificationCard, Tag("field")],
    Discriminator(_kind_of),
]
