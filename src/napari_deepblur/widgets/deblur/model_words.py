"""A model in words: its entry in the list, and its card in the tooltip."""

from __future__ import annotations

from napari_deepblur.engine.model_card import ModelCard

__all__ = ["describe_model", "title_of_model"]


def title_of_model(model: str, card: ModelCard) -> str:
    """Name a model for a list, with its status where it is not a finished one."""
    kinds = [card.status if card.status != "stable" else "", "folder" if model != card.name else ""]
    kind = ", ".join(filter(None, kinds))
    return f"{card.name} ({kind})" if kind else card.name


def describe_model(model: str, card: ModelCard | None) -> str:
    """Say what a model is made for and how accurate it is."""
    if card is None:
        return "The trained model"
    place = "" if model == card.name else model
    parts = [title_of_model(model, card), place, card.description]
    for network in (card.identification, card.deblurring):
        measured = network.main_figures if network is not None else {}
        parts += [f"{what}: {value:.1f} dB" for what, value in measured.items()]
    return "\n".join(part for part in parts if part)
