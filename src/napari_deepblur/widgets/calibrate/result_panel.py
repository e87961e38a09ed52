"""A calibration in pictures: its PSFs, their width over the field, their eigen-PSFs."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_deepblur.calibration.trust import Trust
from napari_deepblur.widgets.calibrate.drift_plot import DriftPlot
from napari_deepblur.widgets.calibrate.eigen_picture import EigenPicture
from napari_deepblur.widgets.calibrate.error_plot import ErrorPlot, percent_of
from napari_deepblur.widgets.calibrate.field_picture import FieldPicture
from napari_deepblur.widgets.calibrate.view import CalibrationSummary
from napari_deepblur.widgets.parts.psf_picture import PsfPicture
from napari_deepblur.widgets.parts.section import Section
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["CalibrationPanel"]

_VERDICT_TIP = (
    "Each bead is predicted from the others: by so much that is off, relative to the PSF itself. "
    "Up to 13 % the PSF is good enough to deblur with, beyond 32 % it is a rough guide only"
)
_WIDTH_TIP = (
    "Full width at half maximum of the PSF, in all acquisitions: least and largest over the field"
)


class CalibrationPanel(QWidget):
    """Shows a calibration, or that there is none.

    Parameters
    ----------
    parent
        Parent widget.
    """

    #: Eigen-PSFs and weight maps are wanted as layers.
    layersClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: CalibrationSummary | None = None
        self.title = plain_label(wrap=True, selectable=True)
        self.verdict = plain_label(tip=_VERDICT_TIP, wrap=True, selectable=True)
        self.sharpest, self.widest = PsfPicture("sharpest"), PsfPicture("widest")
        self.width = plain_label(tip=_WIDTH_TIP, wrap=True, selectable=True)
        self.field = FieldPicture()
        self.notes = plain_label(tip="Read before you trust it", wrap=True, selectable=True)
        self.drift = DriftPlot()
        self.eigen_psfs, self.errors = EigenPicture(), ErrorPlot()
        self.layers_button = QPushButton("Show as layers")
        self.layers_button.setToolTip("Add eigen-PSFs and weight maps as layers beside the image")
        self.layers_button.clicked.connect(lambda _checked: self.layersClicked.emit())
        self._arrange()
        self.setValue(None)

    def value(self) -> CalibrationSummary | None:
        """Return the calibration that is shown."""
        return self._value

    def setValue(self, value: CalibrationSummary | None) -> None:  # noqa: N802
        """Show a calibration; None clears."""
        self._value = value
        self._body.setVisible(value is not None)
        if value is None:
            self.title.setText("No calibration yet. Calibrate, or load one that was saved.")
            return
        self.title.setText(f"From {value.title}: {value.n_used} of {value.n_beads} beads")
        tone = Tone.GOOD if value.trust is Trust.GOOD else Tone.WARNING
        self.verdict.setText(tone.marked(_verdict(value)))
        self.sharpest.setValue(value.sharpest)
        self.widest.setValue(value.widest)
        self.widest.setVisible(value.over_field is not None)
        self.sharpest.setTitle("PSF" if value.over_field is None else "sharpest")
        self.width.setText(_width(value))
        self.field.setValue(value.over_field)
        self.notes.setVisible(bool(_notes(value)))
        self.notes.setText("\n".join(_notes(value)))
        self.drift.setValue(value.drift if value.drift is not None and value.drift.names else None)
        self.eigen_psfs.setValue(value.parts)
        self.errors.setValue(value.parts)
        self.parts.setSummary(_parts(value))

    def _arrange(self) -> None:
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(8, 0, 0, 0)
        for widget in (self.eigen_psfs, self.errors, self.layers_button):
            inside.addWidget(widget)
        self.parts = Section("Eigen-PSFs", content)
        self.parts.setOpen(is_open=False)
        pictures = QHBoxLayout()
        pictures.addWidget(self.sharpest)
        pictures.addWidget(self.widest)
        pictures.addStretch()
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.addLayout(pictures)
        below = (self.width, self.field, self.verdict, self.notes, self.drift, self.parts)
        for widget in below:
            body.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.title)
        layout.addWidget(self._body)


def _verdict(value: CalibrationSummary) -> str:
    trust = f"{value.trust.value[0].upper()}{value.trust.value[1:]}"
    if value.error_db is None:
        return f"{trust}."
    percent = percent_of(value.error_db)
    return f"{trust}. A PSF predicted from the other beads is off by {percent:.2g} %."


def _width(value: CalibrationSummary) -> str:
    low, high = (f"{width:#.3g}" for width in value.fwhm_um)
    if value.over_field is None:
        return f"{high} µm wide, taken to be the same all over the field."
    if low == high:
        return f"{low} µm wide all over the field; dots are beads:"
    return f"{low} µm (dark) to {high} µm (bright) wide; dots are beads:"


def _notes(value: CalibrationSummary) -> list[str]:
    notes = [Tone.WARNING.marked(f"{note}.") for note in value.notes]
    if value.drift is not None and not value.drift.names:
        notes.append("The PSF does not change between the acquisitions.")
    return notes


def _parts(value: CalibrationSummary) -> str:
    n = len(value.parts.eigen_psfs)
    if n == 1:
        return "1, the mean PSF"
    return f"{n} hold {100 * value.parts.varying_energy:.0f} % of what varies"
