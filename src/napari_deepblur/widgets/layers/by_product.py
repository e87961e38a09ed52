"""Layers that the docks made and that show no sample."""

from __future__ import annotations

from typing import Any

__all__ = ["is_by_product"]

_BY_PRODUCTS = ("psf", "psf-field", "eigen-psfs", "weight-maps", "residual")


def is_by_product(layer: Any) -> bool:
    """Tell whether a layer is one of ours that shows no sample: PSFs or a residual."""
    own = layer.metadata.get("deepblur")
    return isinstance(own, dict) and own.get("kind") in _BY_PRODUCTS
