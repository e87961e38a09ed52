"""Section PSF: the calibration, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_deepblur.widgets.calibrate.result_panel import CalibrationPanel
from napari_deepblur.widgets.calibrate.view import CalibrationSummary
from napari_deepblur.widgets.parts.text import literal

__all__ = ["CalibrationSection"]


class CalibrationSection(QWidget):
    """Shows a calibration, saves and loads it, and hands it to the other docks.

    Parameters
    ----------
    parent
        Parent widget.
    """

    useClicked = Signal()  # noqa: N815
    inspectClicked = Signal()  # noqa: N815
    #: Folder, and whether what is in it may be replaced.
    saveChosen = Signal(str, bool)  # noqa: N815
    loadChosen = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: Path | None = None
        self._busy = False
        self.panel = CalibrationPanel()
        self.use_button = _button(
            "Use to deblur", "Open the dock Deep-Blur with this calibration as its PSF"
        )
        self.inspect_button = _button(
            "Inspect", "Open the PSF inspector with this calibration: profiles, OTF, energy"
        )
        self.save_button = _button(
            "Save…", "Write the family of blurs, the table of beads and a report into a folder"
        )
        self.load_button = _button("Load…", "Show a calibration that was saved, and use it")
        self.report_button = _button("Report", "Show the saved report in the browser")
        self._arrange()
        self._connect()
        self.show_result(None)

    def show_result(self, summary: CalibrationSummary | None) -> None:
        """Show a calibration, or that there is none."""
        self.panel.setValue(summary)
        self._set_state()

    def show_report(self, report: Path | None) -> None:
        """Offer the saved report to be opened, or none."""
        self._report = report
        self._set_state()

    def show_busy(self, *, busy: bool) -> None:
        """Lock what would start another task."""
        self._busy = busy
        self._set_state()

    def _arrange(self) -> None:
        buttons = QGridLayout()
        for column, button in enumerate((self.use_button, self.inspect_button)):
            buttons.addWidget(button, 0, 3 * column, 1, 3)
        for column, button in enumerate((self.save_button, self.load_button, self.report_button)):
            buttons.addWidget(button, 1, 2 * column, 1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.addWidget(self.panel)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.use_button.clicked.connect(lambda _checked: self.useClicked.emit())
        self.inspect_button.clicked.connect(lambda _checked: self.inspectClicked.emit())
        self.save_button.clicked.connect(lambda _checked: self._save())
        self.load_button.clicked.connect(lambda _checked: self._load())
        self.report_button.clicked.connect(lambda _checked: self._open_report())

    def _set_state(self) -> None:
        there = self.panel.value() is not None
        for button in (self.use_button, self.inspect_button):
            button.setVisible(there)
        self.save_button.setEnabled(there and not self._busy)
        self.load_button.setEnabled(not self._busy)
        self.report_button.setEnabled(self._report is not None)

    def _save(self) -> None:
        options = QFileDialog.Option.DontConfirmOverwrite
        name, _ = QFileDialog.getSaveFileName(
            self, "Folder for the calibration", "calibration", options=options
        )
        if not name:
            return
        folder = Path(name)
        holds_something = folder.is_dir() and any(folder.iterdir())
        if not holds_something or self._may_replace(folder):
            self.saveChosen.emit(name, holds_something)

    def _may_replace(self, folder: Path) -> bool:
        answer = QMessageBox.question(
            self,
            "The folder is not empty",
            literal(
                f"“{folder.name}” is not empty. Replace the calibration in it? Other files stay."
            ),
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _load(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose the folder of a calibration")
        if folder:
            self.loadChosen.emit(folder)

    def _open_report(self) -> None:
        if self._report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._report)))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
