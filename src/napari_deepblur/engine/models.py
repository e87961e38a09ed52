"""Model folders: what a trained model is, where it lies, how it is read and written.

A folder holds `model.json`, `identification.safetensors`, `deblurring.safetensors`, a
`README.md` (the model card), and `family.npz` where the blur varies over the field. Nothing in
it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import math
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import ValidationError

from napari_deepblur.engine.model_card import (
    FamilySettings,
    ModelCard,
    NetworkCard,
    ProductConvolutionSettings,
    ZernikeSettings,
)
from napari_deepblur.errors import ModelError, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

    from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
    from napari_deepblur.networks.identification import IdentificationNetwork
    from napari_deepblur.networks.unrolled import DeblurringNetwork
    from napari_deepblur.operators import (
        EigenPsfSpace,
        OperatorFamily,
        ProductConvolutionFamily,
        ZernikeFamily,
    )

    Network = TypeVar("Network", bound=nn.Module)

__all__ = [
    "DEFAULT_MODEL",
    "FamilySettings",
    "Model",
    "ModelCard",
    "NetworkCard",
    "ProductConvolutionSettings",
    "ZernikeSettings",
    "available_models",
    "load_model",
    "save_card",
    "write_network",
]

DEFAULT_MODEL = "widefield-zernike"

_BUNDLED = Path(__file__).parent.parent / "models"

Kind = Literal["identification", "deblurring"]

# The space in which the identification network answers lies beside its weights: computed
# anew, it would turn with every change of the decomposition.
_SPACE = "space."
_FAMILY_FILE = "family.npz"
_RESNET = "resnet."
_SPACE_PARTS = ("mean", "eigen_psfs", "scale")


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
        """What `load_model` finds this model by: a bundled name, or else the folder."""
        return self.name if self.folder.parent == _BUNDLED else str(self.folder)

    @property
    def varies(self) -> bool:
        """Whether its blurs vary over the field."""
        return isinstance(self.card.family, ProductConvolutionSettings)

    @cached_property
    def family(self) -> ZernikeFamily | ProductConvolutionFamily:
        """The family of blurs, at the canonical cutoff."""
        from napari_deepblur.operators import ZernikeFamily
        from napari_deepblur.operators.family_file import read_family

        settings = self.card.family
        if isinstance(settings, ProductConvolutionSettings):
            return read_family(self.folder / _FAMILY_FILE)
        return ZernikeFamily(settings.noll_indices, limit_waves=settings.limit_waves)

    @cached_property
    def space(self) -> EigenPsfSpace:
        """The eigen-PSF space in which the network of a stationary family answers."""
        from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily

        family = self.family
        if not isinstance(family, ZernikeFamily):
            raise TypeError(
                f"the blurs of model {self.name!r} vary over the field: it has no space"
            )
        weights = self._weights("identification")
        mean, eigen_psfs, scale = (weights[_SPACE + name] for name in _SPACE_PARTS)
        return EigenPsfSpace(family, mean, eigen_psfs, scale)

    @property
    def eigen_psfs(self) -> Tensor:
        """Eigen-PSFs at the canonical cutoff, shape (K, h, w)."""
        from napari_deepblur.operators import ProductConvolutionFamily

        if isinstance(self.family, ProductConvolutionFamily):
            return self.family.eigen_psfs
        return self.space.eigen_psfs

    @property
    def usual_std(self) -> float:
        """Standard deviation of a coefficient of which one knows the family only."""
        from napari_deepblur.networks.field_identification import FieldIdentificationNetwork

        settings, network = self.card.family, self.identification
        if isinstance(settings, ZernikeSettings):
            return settings.limit_waves / math.sqrt(3)
        assert isinstance(network, FieldIdentificationNetwork)
        return float(network.head.space.factors.norm(dim=0).mean())

    def coefficients(self, coordinates: Tensor) -> Tensor:
        """γ in the admissible set of what the identification network answered, row by row."""
        if self.varies:
            return self.family.admissible_set.project(coordinates)
        return self.space.fit(coordinates)

    def network(self, kind: Kind, device: torch.device) -> Any:
        """A network on a device, in eval mode: one copy for each device, which never moves.

        Threads may share it.

        Raises
        ------
        ModelError
            If the model has no such network, or its file is damaged.
        """
        if (kind, device) not in self._networks:
            # Of two threads that arrive here together the first one's copy is kept.
            on_cpu: nn.Module = getattr(self, kind)
            is_cpu = device.type == "cpu"
            self._networks.setdefault(
                (kind, device), on_cpu if is_cpu else deepcopy(on_cpu).to(device)
            )
        return self._networks[kind, device]

    @cached_property
    def _networks(self) -> dict[tuple[Kind, torch.device], nn.Module]:
        return {}

    @cached_property
    def identification(self) -> IdentificationNetwork | FieldIdentificationNetwork:
        """The identification network, in eval mode on the CPU."""
        from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
        from napari_deepblur.networks.identification import IdentificationNetwork

        if self.varies:
            return self._fill("identification", FieldIdentificationNetwork)
        return self._fill("identification", IdentificationNetwork)

    @cached_property
    def deblurring(self) -> DeblurringNetwork:
        """The deblurring network, in eval mode on the CPU."""
        from napari_deepblur.networks.unrolled import DeblurringNetwork

        return self._fill("deblurring", DeblurringNetwork)

    def _network_card(self, kind: Kind) -> NetworkCard:
        card: NetworkCard | None = getattr(self.card, kind)
        if card is None:
            raise ModelError(
                f"model {self.name!r} has no {kind} network: train one with "
                f"`deepblur train {kind}` or choose another model"
            )
        return card

    def _fill(self, kind: Kind, network_type: Callable[..., Network]) -> Network:
        weights = self._weights(kind)
        try:
            network = network_type(**self._network_card(kind).arguments)
            network.load_state_dict(
                {name: value for name, value in weights.items() if not name.startswith(_SPACE)}
            )
        except (RuntimeError, TypeError) as error:
            raise self._foreign(kind) from error
        return network.eval()

    def _weights(self, kind: Kind) -> dict[str, Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        self._network_card(kind)
        try:
            mapped = load_file(self.folder / f"{kind}.safetensors")
            # Copies: the tensors of an opened file change when the file is written anew.
            weights = {name: value.clone() for name, value in mapped.items()}
        except SafetensorError as error:
            raise self._foreign(kind) from error
        weights |= self._lent(self._network_card(kind))
        if kind == "identification" and not self.varies:
            expected = {_SPACE + name for name in _SPACE_PARTS}
            if not expected <= set(weights):
                raise self._foreign(kind)
        return weights

    def _lent(self, card: NetworkCard) -> dict[str, Tensor]:
        """Weights of the ResNet that another model lends, if one does."""
        if card.resnet_of is None:
            return {}
        lender = load_model(card.resnet_of)
        if _digest_of_identification(lender) != card.resnet_sha256:
            raise ModelError(
                f"model {self.name!r} was trained with another version of {lender.name!r}, whose "
                "ResNet it uses: train it again, or use the version of this program it came with"
            )
        weights = lender._weights("identification")  # noqa: SLF001
        return {name: value for name, value in weights.items() if name.startswith(_RESNET)}

    def _foreign(self, kind: Kind) -> ModelError:
        return ModelError(
            f"{self.folder / kind}.safetensors is not the network that model.json "
            "describes: get the model folder again"
        )


def available_models() -> dict[str, ModelCard]:
    """Cards of the bundled models by name."""
    folders = sorted(path.parent for path in _BUNDLED.glob("*/model.json"))
    return {folder.name: _read_card(folder) for folder in folders}


def load_model(model: str | Path | Model = DEFAULT_MODEL) -> Model:
    """Open a model by its bundled name or its folder.

    Raises
    ------
    ModelError
        If there is none, or a file is missing, truncated or foreign.
    """
    if isinstance(model, Model):
        return model
    bundled = _BUNDLED / str(model)
    folder = bundled if (bundled / "model.json").is_file() else Path(model).expanduser()
    if not (folder / "model.json").is_file():
        names = ", ".join(available_models()) or "none"
        raise ModelError(
            f"no model {str(model)!r}: give a bundled name ({names}) or a folder with a model.json"
        )
    folder = folder.resolve()
    return _open(folder, (folder / "model.json").stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _open(folder: Path, _written_ns: int) -> Model:
    card = _read_card(folder)
    for kind in ("identification", "deblurring"):
        network = getattr(card, kind)
        if network is not None:
            _check_file(folder / f"{kind}.safetensors", network.sha256)
    if isinstance(card.family, ProductConvolutionSettings):
        _check_file(folder / _FAMILY_FILE, card.family.sha256)
    return Model(folder, card)


def _read_card(folder: Path) -> ModelCard:
    path = folder / "model.json"
    try:
        return ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not a model description: {describe(error)}") from error


def _check_file(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise ModelError(f"{path.name} is missing from the model folder {path.parent}")
    if _digest(path) != sha256:
        raise ModelError(
            f"{path} is truncated or not the file that model.json describes: "
            "get the model folder again"
        )


def _digest_of_identification(model: Model) -> str | None:
    card = model.card.identification
    return card.sha256 if card is not None else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_network(
    folder: Path,
    kind: Kind,
    network: nn.Module,
    *,
    family: OperatorFamily,
    card: dict[str, Any],
    space: EigenPsfSpace | None = None,
) -> ModelCard:
    """Put a trained network into a model folder, its weights in half precision.

    The folder is made where there is none; its other network stays as it is.

    Parameters
    ----------
    folder
        Model folder; its name becomes the model's name.
    kind
        ``identification`` or ``deblurring``.
    network
        With trained weights.
    family
        The family it was trained for, at the canonical cutoff.
    card
        Fields of `NetworkCard` but the digest.
    space
        In which an identification network answers.

    Raises
    ------
    ModelError
        If the folder holds a model of another family.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    old = _read_card(folder) if (folder / "model.json").exists() else None
    settings = _settings_of(family, folder)
    if old is not None and old.family != settings:
        raise ModelError(f"{folder} holds a model of another family: choose another folder")
    path = folder / f"{kind}.safetensors"
    learned = {name for name, value in network.named_parameters() if value.ndim > 1}
    weights = {
        # Statistics and biases are few, and some of them too small for half precision.
        name: (value.half() if name in learned else value).contiguous()
        for name, value in network.state_dict().items()
    }
    if card.get("resnet_of") is not None:
        card = card | {"resnet_sha256": _digest_of_identification(load_model(card["resnet_of"]))}
        weights = {name: value for name, value in weights.items() if not name.startswith(_RESNET)}
    if space is not None:
        weights |= {_SPACE + name: getattr(space, name).contiguous() for name in _SPACE_PARTS}
    # Written aside first: whoever has the old file open keeps it.
    partial = path.with_suffix(".partial")
    partial.write_bytes(save(weights))
    partial.replace(path)
    part = NetworkCard(sha256=_digest(path), **card)
    base = old or ModelCard(name=folder.name, family=settings)
    return save_card(folder, base.model_copy(update={kind: part}))


def _settings_of(family: OperatorFamily, folder: Path) -> FamilySettings:
    """Description of a family, whose own file is written where the folder has none."""
    from napari_deepblur.operators import ProductConvolutionFamily, ZernikeFamily
    from napari_deepblur.operators.family_file import write_family

    if isinstance(family, ZernikeFamily):
        indices = family.pupil.noll_indices
        return ZernikeSettings(noll_indices=indices, limit_waves=family.limit_waves)
    assert isinstance(family, ProductConvolutionFamily)
    path = folder / _FAMILY_FILE
    fresh = path.with_suffix(".new")
    write_family(fresh, family)
    settings = ProductConvolutionSettings(
        n_coefficients=family.n_coefficients,
        n_eigen_psfs=len(family.eigen_psfs),
        sha256=_digest(fresh),
    )
    if (folder / "model.json").exists():  # then it is that model's, and the caller compares
        fresh.unlink()
        return settings
    if path.exists() and _digest(path) != settings.sha256:
        fresh.unlink()
        raise ModelError(f"{path} holds another family, or at other pixels: choose another folder")
    fresh.replace(path)
    return settings


def save_card(folder: Path, card: ModelCard) -> ModelCard:
    """Write `model.json`."""
    (folder / "model.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card
