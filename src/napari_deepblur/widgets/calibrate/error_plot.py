"""Error of predicted PSFs by the number of eigen-PSFs, with the number that was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_deepblur.widgets.calibrate.view import EigenPsfPictures
from napari_deepblur.widgets.parts.plot import make_plot

__all__ = ["ErrorPlot", "percent_of"]

_HEIGHT = 120
_CURVE, _CHOSEN = "#56b4e9", "#e69f00"


class ErrorPlot(QWidget):
    """Draws the cross-validated error; the plotting library is loaded when there is one.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: EigenPsfPictures | None = None
        self._plot: Any = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setAccessibleName("Error by the number of eigen-PSFs")
        self.setToolTip(
            "How far PSFs predicted from the other beads are off, by the number of eigen-PSFs; the "
            "noise of the beads is taken off. The large point is the number that was chosen: more "
            "would fit the noise, fewer would miss how the PSF varies"
        )

    def value(self) -> EigenPsfPictures | None:
        """Return what is drawn."""
        return self._value

    def setValue(self, value: EigenPsfPictures | None) -> None:  # noqa: N802
        """Draw another curve, or none."""
        self._value = value
        self.setVisible(value is not None and len(value.errors_db) > 0)
        if value is None or self.isHidden():
            return
        if self._plot is None:
            self._plot = make_plot(self, height=_HEIGHT, bottom="eigen-PSFs", left="error (%)")
            self._plot.showGrid(y=True, alpha=0.3)
            self.layout().addWidget(self._plot)
        numbers = np.arange(1, len(value.errors_db) + 1)
        errors = percent_of(value.errors_db)
        chosen = min(len(value.eigen_psfs), len(numbers)) - 1
        self._plot.clear()
        for part, size, colour in (
            (slice(None), 5, _CURVE),
            (slice(chosen, chosen + 1), 11, _CHOSEN),
        ):
            look = {"symbolPen": colour, "symbolBrush": colour, "symbolSize": size}
            self._plot.plot(numbers[part], errors[part], pen=colour, symbol="o", **look)
        self._plot.getAxis("bottom").setTicks([[(n, str(n)) for n in numbers.tolist()]])
        self._plot.setYRange(0, float(errors.max()), padding=0.05)


def percent_of(error_db: Any) -> Any:
    """Return relative errors in dB as percentages: −20 dB is 10 %."""
    return 100 * 10 ** (np.asarray(error_db) / 20)
