"""Section Images: the images of beads, and what is known of their microscope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_deepblur.widgets.calibrate.readiness import CalibrationPlan, Readiness
from napari_deepblur.widgets.parts.check_list import CheckList
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.form_row import add_row
from napari_deepblur.widgets.parts.number_edit import NumberEdit
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.section import Section
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["ImagesSection"]

_TONES = {
    Readiness.READY: Tone.GOOD,
    Readiness.MISSING: Tone.INFO,
    Readiness.NO_LAYER: Tone.INFO,
}
_OPTIONAL = dict.fromkeys(("numerical_aperture", "wavelength_um", "refractive_index"), "optional")
_PLANES = {
    "sharpest": "sharpest plane",
    "current": "plane of the slider",
    "sum": "sum of planes",
}

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
}
_SUM = {
    "first_plane": ("First plane", "First plane of the sum of planes, counted from 0"),
    "last_plane": ("Last plane", "Last plane of the sum of planes, counted from 0"),
}


class ImagesSection(QWidget):
    """Chooses images of beads, and asks for what is not known of them.

    Parameters
    ----------
    parent
        Parent widget.
    """

    layersChosen = Signal(list)  # noqa: N815
    #: Name of a setting, and its new value.
    settingEdited = Signal(str, object)  # noqa: N815
    scaleAccepted = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer_list = CheckList()
        self.layer_list.setAccessibleName("Images of beads")
        self.layer_list.setToolTip(
            "Images of beads. Several are acquisitions of one field, at other times, temperatures "
            "or of other slides, from the top down; so are the time points of a series"
        )
        self.plane_box = ChoiceBox()
        self.plane_box.setChoices([(text, plane) for plane, text in _PLANES.items()])
        self.plane_box.setToolTip(
            "Plane of a stack: the sharpest of each, the one that the slider stands at, or the "
            "sum of some"
        )
        self.optics_form = OpticsForm(optional=_OPTIONAL)
        self.verdict = plain_label(
            tip="Whether the beads can be looked for", wrap=True, selectable=True
        )
        self.edits = {name: NumberEdit() for name in (*_SUM, *_ADVANCED)}
        self._arrange()
        self._connect()

    def show_layers(self, layers: Sequence[Image], chosen: Sequence[Image]) -> None:
        """Offer layers to choose from."""
        self.layer_list.setChoices([(layer.name, layer) for layer in layers])
        self.layer_list.setValue(chosen)

    def show_plan(self, plan: CalibrationPlan) -> None:
        """Show optical values, their sources and whether all is ready."""
        self.optics_form.setValue(plan.fields)
        self.optics_form.offer_scale(plan.bare_scale)
        self._form.setRowVisible(self.plane_box, plan.has_stacks)
        self.plane_box.setValue(plan.plane)
        for name in _SUM:
            self._form.setRowVisible(self.edits[name], plan.has_stacks and plan.plane == "sum")
        self.verdict.setText(_TONES.get(plan.readiness, Tone.ERROR).marked(plan.message))

    def _arrange(self) -> None:
        self._form = form = QFormLayout()
        add_row(form, "Of stacks", self.plane_box)
        for name, (title, meaning) in _SUM.items():
            self.edits[name].setToolTip(meaning)
            add_row(form, title, self.edits[name])
        box = QWidget()
        advanced = QFormLayout(box)
        advanced.setContentsMargins(8, 0, 0, 0)
        for name, (title, meaning) in _ADVANCED.items():
            edit = self.edits[name]
            edit.setPlaceholderText("auto")
            edit.setToolTip(meaning)
            add_row(advanced, title, edit)
        self.advanced = Section("Advanced", box)
        self.advanced.setSummary("found by itself")
        self.advanced.setOpen(is_open=False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.addWidget(self.layer_list)
        layout.addLayout(form)
        for widget in (self.optics_form, self.verdict, self.advanced):
            layout.addWidget(widget)

    def _connect(self) -> None:
        edited = self.settingEdited
        self.layer_list.valueChanged.connect(self.layersChosen.emit)
        self.plane_box.valueChanged.connect(lambda value: edited.emit("plane", value))
        self.optics_form.valueChanged.connect(edited.emit)
        self.optics_form.scaleAccepted.connect(self.scaleAccepted.emit)
        for name, edit in self.edits.items():
            edit.valueChanged.connect(lambda value, name=name: edited.emit(name, value))
