"""Section Deblur: how the image is restored, and how well that fits."""

from __future__ import annotations

from typing import get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_deepblur.engine.devices import Device
from napari_deepblur.widgets.deblur.check_panel import CheckPanel
from napari_deepblur.widgets.deblur.compare.row import CompareRow
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.view import CheckTable
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.file_choice import choose_new_file
from napari_deepblur.widgets.parts.form_row import add_row, set_note
from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["DeblurSection"]


class DeblurSection(QWidget):
    """Chooses how to deblur, and shows the check of the result.

    Parameters
    ----------
    parent
        Parent widget.
    """

    #: Name of a setting, and its new value.
    settingEdited = Signal(str, object)  # noqa: N815
    pythonClicked = Signal()  # noqa: N815
    commandClicked = Signal()  # noqa: N815
    #: Path of a settings file to write.
    batchChosen = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.device_box = ChoiceBox()
        self.device_box.setChoices([(name, name) for name in get_args(Device)])
        self.device_box.setToolTip("Where to compute; auto takes a graphics card if there is one")
        self.residual = QCheckBox("Residual layer")
        self.residual.setToolTip(
            "Also add a layer, beneath the deblurred one, of what the deblurred image does not "
            "explain: the image minus the deblurred one blurred again, in units of the noise. "
            "Where all is well it looks like noise alone"
        )
        self.colours = plain_label(
            "Residual: green is light that the deblurred image misses, pink is light too much.",
            tip="In units of the noise. Green and pink in fine grain all over is noise, as it "
            "should be; patches and outlines of the sample are what the PSF does not explain",
            wrap=True,
        )
        self.check_panel, self.compare = CheckPanel(), CompareRow()
        self._form = form = QFormLayout()
        add_row(form, "Device", self.device_box)
        form.addRow(self.residual)
        form.addRow(self.colours)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.addLayout(form)
        layout.addWidget(self.compare)
        layout.addWidget(self.check_panel)
        layout.addLayout(self._copy_buttons())
        layout.addWidget(self.batch)
        self.check_panel.hide()
        self.device_box.valueChanged.connect(lambda value: self.settingEdited.emit("device", value))
        # Clicked, not toggled: only the user's own edits are wishes.
        self.residual.clicked.connect(lambda on: self.settingEdited.emit("residual_layer", on))

    def _copy_buttons(self) -> QHBoxLayout:
        self.python, self.command = QPushButton("Copy as Python"), QPushButton("Copy as command")
        self.python.setToolTip(
            "Copy the call that repeats a click on Deblur, for scripts and napari's console"
        )
        self.command.setToolTip(
            "Copy the command that repeats a click on Deblur, for a terminal or many images"
        )
        self.batch = QPushButton("Save for a batch…")
        self.batch.setToolTip(
            "Write what a click on Deblur does into a settings file, and copy the command that "
            "deblurs a folder of images with it"
        )
        self.batch.clicked.connect(lambda _checked: self._save_for_batch())
        row = QHBoxLayout()
        row.addWidget(self.python)
        row.addWidget(self.command)
        self.python.clicked.connect(lambda _checked: self.pythonClicked.emit())
        self.command.clicked.connect(lambda _checked: self.commandClicked.emit())
        return row

    def _save_for_batch(self) -> None:
        kinds = "Settings (*.yaml *.yml)"
        path = choose_new_file(self, "Save for a batch", "settings.yaml", kinds)
        if path:
            self.batchChosen.emit(path)

    def show_resolved(self, resolved: Resolved) -> None:
        """Show how the image would be deblurred now."""
        self.device_box.setValue(resolved.device)
        set_note(self._form, self.device_box, resolved.note_of("device"))
        # No network runs in 3-D, and there is no choice yet.
        self._form.setRowVisible(self.device_box, resolved.per != "volume")
        self.residual.setChecked(resolved.residual_layer)
        self._form.setRowVisible(self.colours, resolved.residual_layer)

    def show_busy(self, *, busy: bool) -> None:
        """Lock the choices while a task runs; what is shown can still be looked at."""
        for widget in (self.device_box, self.residual):
            widget.setEnabled(not busy)

    def show_check(self, table: CheckTable | None) -> None:
        """Show how the deblurred current plane fits the observed one, or nothing."""
        self.check_panel.setValue(table)
        self.check_panel.setVisible(table is not None)
