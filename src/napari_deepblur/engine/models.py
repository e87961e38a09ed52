"""Trained models: what one is, where the bundled ones lie, how one is opened.

A model is a folder with `model.json`, `identification.safetensors`, `deblurring.safetensors`, a
`README.md` (the model card), and `family.npz` where the blur varies over the field. Nothing in
it is ever executed.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from napari_deepblur.engine.devices import multiplies_bfloat16
from napari_deepblur.engine.model_card import Kind, ModelCard
from napari_deepblur.engine.model_files import (
    CARD,
    RESNET,
    other_network,
    read_card,
    read_spectral_prior,
    read_weights,
    require_weights,
)
from napari_deepblur.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from napari_deepblur.engine.network_cards import NetworkCard
    from napari_deepblur.likelihood.spectral_prior import SpectralPrior
    from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
    from napari_deepblur.networks.identification import IdentificationNetwork
    from napari_deepblur.networks.unrolled import Unrolled
    from napari_deepblur.operators import OperatorFamily

__all__ = ["DEFAULT_MODEL", "Model", "available_models", "load_model"]

DEFAULT_MODEL = "widefield"

_BUNDLED = Path(__file__).parent.parent / "models"


@dataclass(frozen=True)
class Model:
    """A trained model; its networks are read when they are first used."""

    folder: Path
    card: ModelCard

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def reference(self) -> str:
        """Bundled name, or else the folder, by which `load_model` finds this model."""
        return self.name if self.folder.parent == _BUNDLED else str(self.folder)

    @property
    def varies(self) -> bool:
        """True if the blurs vary over the field."""
        return self.card.family.varies

    @property
    def coarsest_cutoff(self) -> float:
        """Largest cutoff at which the model reads blurs, cycles per pixel."""
        return self.card.coarsest_cutoff

    @cached_property
    def family(self) -> OperatorFamily:
        """The family of blurs, at the canonical cutoff."""
        return self.card.family.read(self.folder)

    def network(self, kind: Kind, device: torch.device) -> Any:
        """Get a network on a device, in eval mode: one copy for each device, which never moves.

        Threads may share it. The deblurring network does without the units that never fire, and
        computes in bfloat16 on processors made for it.

        Raises
        ------
        ModelError
            If the model has no such network, or its file is damaged.
        """
        if (kind, device) not in self._networks:
            network: Any = getattr(self, kind)
            if kind == "deblurring" and self.card.deblurring is not None:
                network = self.card.deblurring.without_dead_units(network)
                if multiplies_bfloat16(device):
                    network.in_bfloat16()
            elif device.type != "cpu":
                network = deepcopy(network)
            # Of two threads that arrive here together the first one's copy is kept.
            self._networks.setdefault((kind, device), network.to(device))
        return self._networks[kind, device]

    @cached_property
    def _networks(self) -> dict[tuple[Kind, torch.device], nn.Module]:
        return {}

    @cached_property
    def identification(self) -> IdentificationNetwork | FieldIdentificationNetwork:
        """The identification network, in eval mode on the CPU."""
        network: IdentificationNetwork | FieldIdentificationNetwork = self._read("identification")
        return network

    @cached_property
    def deblurring(self) -> Unrolled:
        """The deblurring network, in eval mode on the CPU."""
        network: Unrolled = self._read("deblurring")
        return network

    @cached_property
    def spectral_prior(self) -> SpectralPrior | None:
        """Prior by which estimates are refined; None if the model has none.

        Raises
        ------
        ModelError
            If its file is missing or damaged.
        """
        card = self.card.spectral_prior
        if card is None:
            return None
        return read_spectral_prior(self.folder_of(card.weights_of), card.sha256)

    def folder_of(self, bundled: str | None) -> Path:
        """Folder of a file: this model's, or that of the bundled model that shares it.

        Raises
        ------
        ModelError
            If there is no such bundled model.
        """
        if bundled is None:
            return self.folder
        if bundled not in available_models():
            raise ModelError(
                f"model {self.name!r} uses files of {bundled!r}, which is no bundled model: "
                "get the model folder again"
            )
        return _BUNDLED / bundled

    def _network_card(self, kind: Kind) -> NetworkCard:
        card: NetworkCard | None = getattr(self.card, kind)
        if card is None:
            raise ModelError(
                f"model {self.name!r} has no {kind} network: train one with "
                f"`deepblur train {kind}` or choose another model"
            )
        return card

    def _read(self, kind: Kind) -> Any:
        card = self._network_card(kind)
        folder = self.folder_of(card.weights_of)
        weights = read_weights(folder, kind, card.sha256) | self._shared_resnet(card)
        try:
            network = card.build(self.family)
            network.load_state_dict(weights)
        except (RuntimeError, ValueError) as error:
            raise other_network(folder, kind) from error
        return network.eval()

    def _shared_resnet(self, card: NetworkCard) -> dict[str, Tensor]:
        """Weights of the ResNet of a bundled model, if the card names one."""
        if card.resnet_of is None:
            return {}
        base = available_models().get(card.resnet_of)
        if base is None or base.identification is None or base.identification.resnet_of:
            raise ModelError(
                f"model {self.name!r} uses the ResNet of {card.resnet_of!r}, which is no bundled "
                "model with a ResNet of its own: get the model folder again"
            )
        if base.identification.sha256 != card.resnet_sha256:
            raise ModelError(
                f"model {self.name!r} was trained with another version of {base.name!r}, whose "
                "ResNet it uses: train it again, or use the version of this program it came with"
            )
        weights = read_weights(
            _BUNDLED / card.resnet_of, "identification", base.identification.sha256
        )
        return {name: value for name, value in weights.items() if name.startswith(RESNET)}


def available_models() -> dict[str, ModelCard]:
    """Cards of the bundled models by name."""
    folders = sorted(path.parent for path in _BUNDLED.glob(f"*/{CARD}"))
    return {folder.name: read_card(folder) for folder in folders}


def load_model(model: str | Path | Model = DEFAULT_MODEL) -> Model:
    """Open a model by its bundled name or its folder.

    Raises
    ------
    ModelError
        If there is none, its description is not valid, or a file is missing.
    """
    if isinstance(model, Model):
        return model
    bundled = _BUNDLED / str(model)
    folder = bundled if (bundled / CARD).is_file() else Path(model).expanduser()
    if not (folder / CARD).is_file():
        names = ", ".join(available_models()) or "none"
        raise ModelError(
            f"no model {str(model)!r}: give a bundled name ({names}) or a folder with a {CARD}"
        )
    folder = folder.resolve()
    return _open(folder, (folder / CARD).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _open(folder: Path, _written_ns: int) -> Model:
    model = Model(folder, read_card(folder))
    for kind in get_args(Kind):
        card: NetworkCard | None = getattr(model.card, kind)
        if card is not None:
            require_weights(model.folder_of(card.weights_of), kind)
    return model
