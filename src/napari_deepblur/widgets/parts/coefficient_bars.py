"""Coefficients of a blur as bars, each with its standard error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_deepblur.widgets.parts.plot import make_plot
from napari_deepblur.widgets.parts.psf_picture import round_length
from napari_deepblur.widgets.parts.text import literal

__all__ = ["CoefficientBars", "Coefficients"]

_NOLL = re.compile(r"^Z\d+ (?!mode)")
_ROW = 19
_AXIS = 44
_NAMES_WIDTH = 142
_BAR = "#56b4e9"
_DOUBTFUL = "#888888"
_ERROR = "#e69f00"
_MEANING = (
    "Bars are the coefficients, the lines on them ± twice the standard error, within which 95 % of "
    "the true coefficients are meant to lie. This does not hold where there is a warning, or of "
    "images unlike those that a network was trained with"
)
_WAVES = (
    "Waves RMS: how far a mode bends the wavefront, as the root mean square over the pupil, in "
    "wavelengths"
)


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Coefficients to be drawn.

    Attributes
    ----------
    names
        Names of the P modes.
    values, std
        Coefficients and their standard errors, shape (P,).
    unit
        Their unit; empty for numbers without one.
    wavelength_um
        Wavelength, µm, by which waves become nanometres; None for other units.
    doubtful
        Whether something speaks against them.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    std: NDArray[np.float32]
    unit: str = "waves RMS"
    wavelength_um: float | None = None
    doubtful: bool = False

    def sentence(self, index: int) -> str:
        """Say one coefficient in words, in nanometres too where it is in waves."""
        value, error = float(self.values[index]), 2 * float(self.std[index])
        text = f"{self.names[index]}: {value:+.3g} ± {error:.2g} {self.unit}".rstrip()
        if self.wavelength_um is None:
            return text
        nm = 1000 * self.wavelength_um
        return f"{text} = {value * nm:+.0f} ± {error * nm:.0f} nm"


class CoefficientBars(QWidget):
    """Draws a bar for each coefficient and a line over ± twice its standard error.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: Coefficients | None = None
        self._plot: Any = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setAccessibleName("Coefficients")

    def value(self) -> Coefficients | None:
        """Return the coefficients that are drawn."""
        return self._value

    def setValue(self, value: Coefficients | None) -> None:  # noqa: N802
        """Draw other coefficients, or none."""
        self._value = value
        self.setVisible(value is not None)
        if value is None:
            return
        if self._plot is None:
            self._plot = make_plot(self, height=_AXIS)
            self._plot.getAxis("left").setWidth(_NAMES_WIDTH)
            font = self.font()
            font.setPixelSize(11)
            self._plot.getAxis("left").setStyle(tickFont=font)
            self._plot.invertY(True)
            self.layout().addWidget(self._plot)
        self._draw(value)
        sentences = [value.sentence(index) for index in range(len(value.names))]
        waves = [_WAVES] if value.unit.startswith("waves") else []
        self.setToolTip(literal("\n".join([*sentences, _MEANING, *waves])))

    def _draw(self, value: Coefficients) -> None:
        import pyqtgraph

        n = len(value.names)
        rows = np.arange(n)
        colour = _DOUBTFUL if value.doubtful else _BAR
        bars = pyqtgraph.BarGraphItem(
            x0=np.zeros(n), y=rows, width=value.values, height=0.6, brush=colour, pen=None
        )
        errors = pyqtgraph.ErrorBarItem(
            x=value.values,
            y=rows,
            left=2 * value.std,
            right=2 * value.std,
            beam=0.35,
            pen={"color": _ERROR, "width": 2},
        )
        self._plot.clear()
        self._plot.addItem(bars)
        self._plot.addItem(errors)
        self._plot.addItem(pyqtgraph.InfiniteLine(0, angle=90, pen=_DOUBTFUL))
        limit = float(np.max(np.abs(value.values) + 2 * value.std, initial=1e-6))
        self._plot.setXRange(-limit, limit, padding=0.05)
        self._plot.setYRange(-0.6, n - 0.4, padding=0)
        self._plot.getAxis("left").setTicks([list(enumerate(map(_in_words, value.names)))])
        self._plot.getAxis("bottom").setLabel(value.unit or "without unit")
        # In a narrow dock there is no room for more, and pyqtgraph would write the zero alone.
        tick = round_length(limit)
        self._plot.getAxis("bottom").setTicks([[(x, f"{x:g}") for x in (-tick, 0, tick)]])
        self._plot.setFixedHeight(_AXIS + _ROW * n)


def _in_words(name: str) -> str:
    """Leave out the Noll index, which only the tooltip has room for, and be short."""
    return _NOLL.sub("", name).replace("secondary", "2nd")
