"""Pixels of a camera or of a processed image that hold no data."""

from napari_deepblur.pixels.no_data import has_data

__all__ = ["has_data"]
