"""The files of a model folder: read within limits and checked, written whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_deepblur.atomic import replacing
from napari_deepblur.engine.families import card_of
from napari_deepblur.engine.model_card import Kind, ModelCard
from napari_deepblur.errors import ModelError, describe
from napari_deepblur.untrusted import read_bounded, sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_deepblur.likelihood.spectral_prior import SpectralPrior
    from napari_deepblur.operators import OperatorFamily

__all__ = [
    "CARD",
    "RESNET",
    "other_network",
    "read_card",
    "read_spectral_prior",
    "read_weights",
    "require_weights",
    "save_card",
    "write_network",
    "write_spectral_prior",
]

CARD = "model.json"

#: Beginning of the names of the ResNet's weights.
RESNET = "resnet."

#: Largest files that are read, bytes.
_LARGEST_CARD, _LARGEST_WEIGHTS, _LARGEST_PRIOR = 2_000_000, 200_000_000, 20_000_000

_PRIOR = "spectral_prior.safetensors"


def read_card(folder: Path) -> ModelCard:
    """Read `model.json`.

    Raises
    ------
    ModelError
        If it is missing or no valid description.
    """
    path = folder / CARD
    try:
        return ModelCard.model_validate_json(read_bounded(path, limit=_LARGEST_CARD))
    except (OSError, ValidationError) as error:
        raise ModelError(f"{path} is not a model description: {describe(error)}") from error
    except ValueError as error:
        raise ModelError(str(error)) from error


def require_weights(folder: Path, kind: Kind) -> None:
    """Check that a folder has the weights of a network.

    Raises
    ------
    ModelError
        If the file is missing.
    """
    path = _weights_file(folder, kind)
    if not path.is_file() and not _fresh(path).is_file():
        raise ModelError(f"{path.name} is missing from the model folder {folder}")


def read_weights(folder: Path, kind: Kind, sha256: str) -> dict[str, Tensor]:
    """Read the weights of a network.

    Parameters
    ----------
    folder
        Model folder.
    kind
        ``identification`` or ``deblurring``.
    sha256
        Digest of the file.

    Raises
    ------
    ModelError
        If the file is missing, truncated, another one, or holds NaN or infinity.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    require_weights(folder, kind)
    try:
        weights: dict[str, Tensor] = load(_content(_weights_file(folder, kind), sha256))
        finite = all(bool(value.isfinite().all()) for value in weights.values())
    except (SafetensorError, RuntimeError) as error:  # the last of number types without it
        raise other_network(folder, kind) from error
    except (OSError, ValueError) as error:
        raise ModelError(describe(error)) from error
    if not finite:
        raise ModelError(f"{_weights_file(folder, kind)} holds NaN or infinity")
    return weights


def read_spectral_prior(folder: Path, sha256: str) -> SpectralPrior:
    """Read the prior of sharp images' power spectra.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or another one.
    """
    from napari_deepblur.likelihood.spectral_prior import SpectralPrior

    path = folder / _PRIOR
    try:
        return SpectralPrior.of_bytes(read_bounded(path, limit=_LARGEST_PRIOR, sha256=sha256))
    except FileNotFoundError as error:
        raise ModelError(f"{_PRIOR} is missing from the model folder {folder}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be used: {describe(error)}") from error


def write_spectral_prior(folder: Path, prior: SpectralPrior, card: dict[str, Any]) -> ModelCard:
    """Put a prior of power spectra into the folder of a model.

    Parameters
    ----------
    folder
        Folder of a model.
    prior
        Prior to write.
    card
        Fields of its card but the digest.

    Raises
    ------
    ModelError
        If the folder holds no model, or one that no spectrum refines.
    """
    content = prior.to_bytes()
    facts = read_card(folder).model_dump()
    try:
        new = ModelCard.model_validate(
            facts | {"spectral_prior": card | {"sha256": sha256_of(content)}}
        )
    except ValidationError as error:
        raise ModelError(f"{folder} cannot be written: {describe(error)}") from error
    with replacing(folder / _PRIOR) as aside:
        aside.write_bytes(content)
    save_card(folder, new)
    return new


def other_network(folder: Path, kind: Kind) -> ModelError:
    """Error of weights that are not those of the network described."""
    return ModelError(
        f"{_weights_file(folder, kind)} is not the network that model.json describes: "
        "get the model folder again"
    )


def write_network(
    folder: Path,
    kind: Kind,
    network: nn.Module,
    *,
    family: OperatorFamily,
    card: dict[str, Any],
) -> ModelCard:
    """Put a trained network into a model folder, its weights in half precision.

    The folder is made where there is none; its other network stays as it is. Whenever this is
    interrupted, the folder holds a whole model: the old one or the new one.

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
        Fields of the network's card but the digest.

    Raises
    ------
    ModelError
        If the folder holds a model of another family, or the card does not fit the network.
    """
    from safetensors.torch import save

    old = read_card(folder) if (folder / CARD).exists() else None
    described = card_of(family)
    if old is not None and old.family != described:
        raise ModelError(f"{folder} holds a model of another family: choose another folder")
    leave_out = RESNET if card.get("resnet_of") is not None else ()
    content = save(_halved(network, leave_out))
    new = old or ModelCard(name=folder.name, family=described)
    facts = new.model_dump() | {kind: card | {"sha256": sha256_of(content)}}
    try:
        new = ModelCard.model_validate(facts)
    except ValidationError as error:
        raise ModelError(f"{folder} cannot be written: {describe(error)}") from error

    folder.mkdir(parents=True, exist_ok=True)
    if old is None:
        described.write(family, folder)
    path = _weights_file(folder, kind)
    with replacing(_fresh(path)) as aside:
        aside.write_bytes(content)
    # From here on the new weights count, wherever they lie.
    save_card(folder, new)
    _fresh(path).replace(path)
    return new


def save_card(folder: Path, card: ModelCard) -> None:
    """Write `model.json`."""
    with replacing(folder / CARD) as aside:
        aside.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _halved(network: nn.Module, leave_out: str | tuple[()]) -> dict[str, Tensor]:
    """Weights by name, without those whose names begin so; matrices in half precision.

    Statistics and biases are few, and some of them too small for half precision.
    """
    learned = {name for name, value in network.named_parameters() if value.ndim > 1}
    return {
        name: (value.half() if name in learned else value).contiguous()
        for name, value in network.state_dict().items()
        if not name.startswith(leave_out)
    }


def _weights_file(folder: Path, kind: Kind) -> Path:
    return folder / f"{kind}.safetensors"


def _fresh(path: Path) -> Path:
    """Path at which new weights wait until `model.json` describes them."""
    return path.with_suffix(".new")


def _content(path: Path, sha256: str) -> bytes:
    fresh = _fresh(path)
    if fresh.is_file():  # whoever wrote it was stopped, before or after `model.json`
        with suppress(OSError, ValueError):
            return read_bounded(fresh, limit=_LARGEST_WEIGHTS, sha256=sha256)
    return read_bounded(path, limit=_LARGEST_WEIGHTS, sha256=sha256)
