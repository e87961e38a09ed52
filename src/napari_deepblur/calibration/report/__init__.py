"""Report of a calibration, one HTML page for people."""

from napari_deepblur.calibration.report.page import report_html

__all__ = ["report_html"]
