"""Beads in an image: found, measured, judged, and cut out as PSFs."""

from napari_deepblur.calibration.beads.search import choose_window, find_beads

__all__ = ["choose_window", "find_beads"]
