"""Beads of an image: found, measured, screened, and cut out as samples of the PSF."""

from napari_deepblur.calibration.beads.scene import BeadScene
from napari_deepblur.calibration.beads.search import choose_window, find_beads
from napari_deepblur.calibration.beads.status import BeadStatus

__all__ = ["BeadScene", "BeadStatus", "choose_window", "find_beads"]
