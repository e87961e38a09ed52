"""Pupil, Zernike modes and point-spread functions: pure mathematics."""

from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics

__all__ = ["CANONICAL_CUTOFF", "Optics"]
