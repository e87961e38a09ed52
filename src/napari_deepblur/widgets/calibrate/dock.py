"""The dock "Calibrate from beads": small widgets put together, and wired to the controller."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.calibrate.bead_legend import BeadLegend
from napari_deepblur.widgets.calibrate.bead_points import BeadCounts
from napari_deepblur.widgets.calibrate.controller import CalibrateController
from napari_deepblur.widgets.calibrate.readiness import CalibrationPlan, Readiness
from napari_deepblur.widgets.calibrate.result_panel import CalibrationPanel
from napari_deepblur.widgets.calibrate.view import CalibrationSummary
from napari_deepblur.widgets.calibrate.wishes import CalibrationWishes
from napari_deepblur.widgets.parts.check_list import CheckList
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.dock_widget import DockWidget
from napari_deepblur.widgets.parts.number_edit import NumberEdit
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.progress_row import ProgressRow
from napari_deepblur.widgets.parts.text import literal, plain_label
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea
from napari_deepblur.widgets.tasks.worker import start_task

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["CalibrateDock"]

_TONES = {
    Readiness.READY: Tone.GOOD,
    Readiness.MISSING: Tone.INFO,
    Readiness.NO_LAYER: Tone.INFO,
}
_OPTIONAL = dict.fromkeys(("numerical_aperture", "wavelength_um", "refractive_index"), "optional")

#: Settings that are found where they are not typed: their names and what they are.
_ADVANCED = {
    "window": (
        "Window (px)",
        "Side of the PSFs in pixels, odd. By default as large as beads and their density allow",
    ),
    "n_eigen_psfs": (
        "Eigen-PSFs",
        "Their number K. By default as few as predict other beads as well as any number does",
    ),
    "saturation": (
        "Saturation (counts)",
        "Counts at and above which pixels are saturated. By default read off each image",
    ),
    "inflation": (
        "Inflation",
        "Factor by which the family reaches beyond the acquisitions' own blurs. By default 1.1",
    ),
    "first_plane": ("Sum from plane", "First plane of the sum of planes, counted from 0"),
    "last_plane": ("Sum to plane", "Last plane of the sum of planes, counted from 0"),
}


class CalibrateDock(DockWidget):
    """Learns a microscope's blurs from image layers of beads.

    Parameters
    ----------
    napari_viewer
        napari viewer to read layers from and add results to.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._busy = False
        self._can_run = False
        self._report: Path | None = None
        self._make_widgets()
        self._arrange()
        self.controller = CalibrateController(
            napari_viewer, self, CalibrationWishes(), start=start_task
        )
        self._connect()

    # What the controller asks for

    def show_layers(self, layers: Sequence[Image], chosen: Sequence[Image]) -> None:
        """Offer layers to choose from."""
        self.layer_list.setChoices([(layer.name, layer) for layer in layers])
        self.layer_list.setValue(chosen)

    def show_plan(self, plan: CalibrationPlan) -> None:
        """Show optical values, their sources and whether all is ready."""
        self.optics_form.setValue(plan.fields)
        self._plane_row(visible=plan.has_stacks)
        self.verdict.setText(_marked(_TONES.get(plan.readiness, Tone.ERROR), plan.message))
        self._can_run = plan.can_run
        self._set_state()

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""
        self._busy = busy
        self.progress.set_busy(busy=busy)
        self._set_state()

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is."""
        self.progress.setValue(progress)

    def show_message(self, tone: Tone, text: str) -> None:
        """Show one message in place of the former one."""
        self.message.setText(_marked(tone, text))
        self.message.setVisible(bool(text))

    def show_beads(self, counts: BeadCounts | None) -> None:
        """Show how many beads of each status there are; None where none were looked for."""
        self.legend.setValue(counts)

    def show_result(self, summary: CalibrationSummary | None) -> None:
        """Show a calibration's figures, or that there is none."""
        self.panel.setValue(summary)
        self._set_state()

    def show_report(self, report: Path | None) -> None:
        """Offer the saved report to be opened, or none."""
        self._report = report
        self._set_state()

    # Building

    def _make_widgets(self) -> None:
        self.layer_list = CheckList()
        self.layer_list.setToolTip(
            "Images of beads. Several are acquisitions of one field, at other times, temperatures "
            "or of other slides, from the top down; so are the time points of a series"
        )
        self.plane_box = ChoiceBox()
        self.plane_box.setChoices(
            [
                ("sharpest plane", "sharpest"),
                ("current plane", "current"),
                ("sum of planes", "sum"),
            ]
        )
        self.plane_box.setToolTip(
            "Plane of a stack: the sharpest of each, the one that the slider stands at, or the "
            "sum of the planes that are named under Advanced"
        )
        self.optics_form = OpticsForm(optional=_OPTIONAL)
        self.verdict = plain_label(
            tip="Whether the beads can be looked for", wrap=True, selectable=True
        )
        self.advanced = {name: NumberEdit() for name in _ADVANCED}
        self.find_button = QPushButton("Find beads")
        self.find_button.setToolTip("Mark the beads with points that you can delete and add to")
        self.calibrate_button = QPushButton("Calibrate")
        self.calibrate_button.setToolTip(
            "Learn the PSF over the field from the points marked as used or added; finds the "
            "beads first where that was not done"
        )
        self.progress = ProgressRow()
        self.message = plain_label(tip="How the last task ended", wrap=True, selectable=True)
        self.message.hide()
        self.legend = BeadLegend()
        self.panel = CalibrationPanel()
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip(
            "Write the family of blurs, the table of beads and a report into a folder"
        )
        self.report_button = QPushButton("Open report")
        self.report_button.setToolTip("Show the saved report in the browser")

    def _arrange(self) -> None:
        image = QGroupBox("Images of beads")
        QVBoxLayout(image).addWidget(self.layer_list)
        self._plane_label = plain_label("Stacks")
        row = QHBoxLayout()
        row.addWidget(self._plane_label)
        row.addWidget(self.plane_box, 1)
        image.layout().addLayout(row)
        optics = QGroupBox("Microscope")
        QVBoxLayout(optics).addWidget(self.optics_form)
        optics.layout().addWidget(self.verdict)
        advanced = self._make_advanced()
        beads = QGroupBox("Beads")
        QVBoxLayout(beads).addWidget(self.legend)
        result = QGroupBox("Calibration")
        QVBoxLayout(result).addWidget(self.panel)
        result.layout().addLayout(_side_by_side(self.save_button, self.report_button))
        content = QWidget()
        column = QVBoxLayout(content)
        for widget in (image, optics, advanced):
            column.addWidget(widget)
        column.addLayout(_side_by_side(self.find_button, self.calibrate_button))
        for widget in (self.progress, self.message, beads, result):
            column.addWidget(widget)
        column.addStretch(1)
        self._inputs = (image, optics, advanced)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScrollArea(content))

    def _make_advanced(self) -> QCollapsible:
        box = QWidget()
        form = QFormLayout(box)
        form.setContentsMargins(0, 0, 0, 0)
        for name, (title, meaning) in _ADVANCED.items():
            edit, label = self.advanced[name], plain_label(title)
            edit.setPlaceholderText("auto")
            for widget in (label, edit):
                widget.setToolTip(meaning)
            form.addRow(label, edit)
        collapsible = QCollapsible("Advanced")
        collapsible.addWidget(box)
        return collapsible

    def _connect(self) -> None:
        controller = self.controller
        settings = controller.settings
        self.layer_list.valueChanged.connect(controller.select)
        self.plane_box.setValue(settings.plane)
        self.plane_box.valueChanged.connect(lambda value: setattr(settings, "plane", value))
        self.optics_form.valueChanged.connect(lambda name, value: setattr(settings, name, value))
        for name, edit in self.advanced.items():
            edit.valueChanged.connect(lambda value, name=name: setattr(settings, name, value))
        self.find_button.clicked.connect(lambda _checked: controller.find())
        self.calibrate_button.clicked.connect(lambda _checked: controller.calibrate())
        self.progress.cancelClicked.connect(controller.cancel)
        self.save_button.clicked.connect(lambda _checked: self._save())
        self.report_button.clicked.connect(lambda _checked: self._open_report())
        self.closed.connect(self._on_closed)
        # Closing the window destroys the dock without taking it out first.
        self.destroyed.connect(controller.close)

    def _on_closed(self) -> None:
        if self.controller.busy:
            show_warning("Deep-Blur: the dock was closed, and with it the work was stopped")
        self.controller.close()

    def _set_state(self) -> None:
        for widget in self._inputs:
            widget.setEnabled(not self._busy)
        for button in (self.find_button, self.calibrate_button):
            button.setEnabled(self._can_run and not self._busy)
        self.save_button.setEnabled(self.panel.value() is not None and not self._busy)
        self.report_button.setEnabled(self._report is not None)

    def _plane_row(self, *, visible: bool) -> None:
        for widget in (self._plane_label, self.plane_box):
            widget.setVisible(visible)

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
            self.controller.save(folder, overwrite=holds_something)

    def _may_replace(self, folder: Path) -> bool:
        answer = QMessageBox.question(
            self,
            "The folder is not empty",
            literal(
                f"“{folder.name}” is not empty. Replace the calibration in it? Other files stay."
            ),
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _open_report(self) -> None:
        if self._report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._report)))


def _side_by_side(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row


def _marked(tone: Tone, text: str) -> str:
    return f"{tone.value} {text}".strip()
