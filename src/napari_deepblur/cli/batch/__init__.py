"""`deepblur batch`: many images by the same settings, one report."""

from napari_deepblur.cli.batch.command import batch

__all__ = ["batch"]
