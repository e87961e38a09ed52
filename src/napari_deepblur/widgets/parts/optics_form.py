"""Form for the optics of the microscope, each value with its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from napari_deepblur.engine.known_optics import Known
from napari_deepblur.widgets.layers.optics_fields import AS_LAST_TIME, LABELS, OPTICS_FIELDS
from napari_deepblur.widgets.parts.number_edit import LengthEdit, NumberEdit
from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["OpticsForm"]

_TOOLTIPS = {
    "numerical_aperture": "NA of the detection objective, as printed on it, e.g. 1.4",
    "wavelength_um": "Wavelength of the detected light in µm: the emission, not the excitation, "
    "e.g. 0.52 for GFP",
    "refractive_index": "Of the immersion medium: air 1.0, water 1.33, glycerol 1.47, oil 1.518",
    "pixel_size_um": "Side of one pixel in the sample in µm: camera pixel / magnification. "
    "Taken from the layer's scale and units where they are lengths; never guessed",
    "z_step_um": "Distance from one plane of the stack to the next in µm. Taken from the layer's "
    "scale or its file where they state it; never guessed. A 3-D blur needs it",
    "light_sheet_fwhm_um": "Thickness of the light sheet in µm, as its full width at half maximum. "
    "Leave it empty for a widefield microscope",
}


_SOURCES = (
    "Where this value comes from: typed here, the layer's scale and units, the layer's "
    "metadata (its own or OME), or a default. Empty a field to go back to what the layer says"
)


# Translucent, so that the theme's own text colour is readable on it, be it dark or light.
_REMEMBERED = "QLabel { background: rgba(230, 150, 0, 60); padding: 1px; }"

_ACCEPT_SCALE = (
    "The layer has a scale and no unit of length. If its reader meant µm, press this: the layer's "
    "unit becomes µm along Z, Y and X, and pixel size and distance of planes are known"
)


class OpticsForm(QWidget):
    """Edits optical values; emptying a field goes back to what the layer says.

    Parameters
    ----------
    parent
        Parent widget.
    fields
        Names of the fields, in their order.
    optional
        Fields that may stay empty, and what stands beside them then.
    """

    valueChanged = Signal(str, object)  # noqa: N815
    scaleAccepted = Signal()  # noqa: N815

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        fields: Iterable[str] = OPTICS_FIELDS,
        optional: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(parent)
        self._optional = optional
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        # Labels may take two lines, so that a narrow dock is possible.
        for column, stretch in enumerate((3, 2, 2)):
            layout.setColumnStretch(column, stretch)
        self._edits: dict[str, NumberEdit] = {}
        self._labels: dict[str, QLabel] = {}
        self._sources: dict[str, QLabel] = {}
        for row, name in enumerate(fields):
            text = LABELS[name]
            edit = LengthEdit() if name.endswith("_um") else NumberEdit()
            edit.setPlaceholderText("" if name in optional else "?")
            source, label = plain_label(tip=_SOURCES, wrap=True), plain_label(text, wrap=True)
            label.setBuddy(edit)
            edit.setAccessibleName(text)
            for widget in (label, edit):
                widget.setToolTip(_TOOLTIPS[name])
            layout.addWidget(label, row, 0)
            layout.addWidget(edit, row, 1)
            layout.addWidget(source, row, 2)
            edit.valueChanged.connect(lambda value, name=name: self.valueChanged.emit(name, value))
            self._labels[name], self._edits[name], self._sources[name] = label, edit, source

        self.accept_scale = QPushButton("The scale is in µm")
        self.accept_scale.setToolTip(_ACCEPT_SCALE)
        self.accept_scale.hide()
        self.accept_scale.clicked.connect(lambda _checked: self.scaleAccepted.emit())
        layout.addWidget(self.accept_scale, len(self._edits), 0, 1, 3)

    def value(self) -> dict[str, float]:
        """Return the values that are there, by field of `Optics`."""
        values = {name: edit.value() for name, edit in self._edits.items()}
        return {name: value for name, value in values.items() if value is not None}

    def setValue(self, fields: Mapping[str, Known]) -> None:  # noqa: N802
        """Show values and their sources; those that are missing are asked for."""
        for name, edit in self._edits.items():
            known = fields.get(name)
            edit.setValue(known.value if known else None)
            missing = self._optional.get(name, "fill in")
            self._sources[name].setText(known.source if known else missing)
            is_old = known is not None and known.source == AS_LAST_TIME
            self._sources[name].setStyleSheet(_REMEMBERED if is_old else "")

    def offer_scale(self, scale: float | None) -> None:
        """Offer to take a layer's scale without unit as µm; None offers nothing."""
        self.accept_scale.setVisible(scale is not None)
        if scale is not None:
            self.accept_scale.setText(f"Scale {scale:.6g} is in µm")

    def setFieldVisible(self, name: str, *, is_visible: bool) -> None:  # noqa: N802
        """Show or hide a field with its label and source."""
        for widget in (self._labels[name], self._edits[name], self._sources[name]):
            widget.setVisible(is_visible)

    def field(self, name: str) -> NumberEdit:
        """Return the field of one value."""
        return self._edits[name]
