"""Calibration of a microscope: from images of beads to eigen-PSFs and a family of blurs."""

from napari_deepblur.calibration.files import load_calibration, save_calibration
from napari_deepblur.calibration.result import CalibrationResult

__all__ = ["CalibrationResult", "load_calibration", "save_calibration"]

CalibrationResult.save = save_calibration
