"""Layers that the docks made: results, which are no observed images."""

from __future__ import annotations

from typing import Any

__all__ = ["is_by_product", "kind_of"]

_BY_PRODUCTS = (
    "psf",
    "psf-field",
    "eigen-psfs",
    "weight-maps",
    "residual",
    "deblurred",
    "preview",
    "deblurred-part",
    "comparison",
)


def kind_of(layer: Any) -> str:
    """Kind of result that a layer is, as its metadata say; empty where it is none of ours."""
    own = layer.metadata.get("deepblur")
    kind = own.get("kind") if isinstance(own, dict) else None
    return kind if isinstance(kind, str) else ""


def is_by_product(layer: Any) -> bool:
    """Tell whether a layer is a result of ours and not an image to estimate a blur of."""
    return kind_of(layer) in _BY_PRODUCTS
