"""Figures of a calibration, with the notes on it."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_deepblur.widgets.calibrate.drift_plot import DriftPlot
from napari_deepblur.widgets.calibrate.view import CalibrationSummary
from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["CalibrationPanel"]


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    meaning: str


_ROWS = {
    "beads": _Row("Beads used", "Beads that the calibration rests on, of those looked at"),
    "eigen_psfs": _Row(
        "Eigen-PSFs",
        "Number K of pictures that every PSF of the field is put together from, and what they "
        "hold of that in which the PSFs differ from their mean",
    ),
    "error": _Row(
        "Cross-validation",
        "Error of PSFs that were predicted from the other beads, by the beads' own "
        "energy: -20 dB is 1 %, the more negative the better. Noise of the beads is taken off",
    ),
    "fwhm": _Row("FWHM", "Full width at half maximum of the PSF: least and largest over the field"),
    "window": _Row("Window", "Side of the PSFs"),
}


class CalibrationPanel(QWidget):
    """Shows a calibration, or that there is none.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: CalibrationSummary | None = None
        self.title = plain_label(wrap=True)
        self.numbers = {name: plain_label(wrap=True) for name in _ROWS}
        self.notes = plain_label(wrap=True, selectable=True)
        self.drift = DriftPlot()
        self._table = QWidget()
        form = QFormLayout(self._table)
        form.setContentsMargins(0, 0, 0, 0)
        for name, row in _ROWS.items():
            label = plain_label(row.name)
            for widget in (label, self.numbers[name]):
                widget.setToolTip(row.meaning)
            form.addRow(label, self.numbers[name])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.title, self._table, self.drift, self.notes):
            layout.addWidget(widget)
        self.setValue(None)

    def value(self) -> CalibrationSummary | None:
        """Return the calibration that is shown."""
        return self._value

    def setValue(self, value: CalibrationSummary | None) -> None:  # noqa: N802
        """Show a calibration; None clears."""
        self._value = value
        self._table.setVisible(value is not None)
        self.title.setText(_title(value))
        self.notes.setVisible(value is not None and bool(value.notes))
        drifts = value is not None and value.drift is not None and value.drift.names
        self.drift.setValue(value.drift if value is not None and drifts else None)
        if value is not None:
            self.notes.setText("\n".join(f"⚠ {note}." for note in value.notes))
            for name, text in _texts(value).items():
                self.numbers[name].setText(text)


def _title(value: CalibrationSummary | None) -> str:
    if value is None:
        return "No calibration yet."
    if value.drift is not None and not value.drift.names:
        return f"From {value.title}. The blur does not change between the acquisitions."
    return f"From {value.title}"


def _texts(value: CalibrationSummary) -> dict[str, str]:
    error = "unknown: too few beads" if value.error_db is None else f"{value.error_db:.1f} dB"
    widths = dict.fromkeys(f"{width:#.3g}" for width in value.fwhm_um)
    return {
        "beads": f"{value.n_used} of {value.n_beads}",
        "eigen_psfs": (
            "1, the mean PSF"
            if value.n_eigen_psfs == 1
            else f"{value.n_eigen_psfs}, with {value.varying_energy:.1%} of what varies"
        ),
        "error": error,
        "fwhm": f"{' to '.join(widths)} µm",
        "window": f"{value.window} × {value.window} pixels",
    }
