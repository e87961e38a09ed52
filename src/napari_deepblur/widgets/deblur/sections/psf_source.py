"""Form for where the PSF comes from: an estimate, or one of the known ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_deepblur.widgets.deblur.known_wish import KnownWish
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.file_choice import choose_file, choose_folder
from napari_deepblur.widgets.parts.form_row import add_row
from napari_deepblur.widgets.parts.number_edit import LengthEdit
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["PsfSourceForm"]

_SOURCES = {
    "estimate": "estimated",
    "layer": "that of another layer",
    "ideal": "ideal: a perfect objective",
    "psf": "PSF image",
    "calibration": "calibration from beads",
}
_IMAGES = "Images (*.tif *.tiff *.png);;All files (*)"
#: Stands in a list for what is not in it.
_OTHER = object()


class PsfSourceForm(QWidget):
    """Chooses where the PSF comes from, and which known one it is.

    Parameters
    ----------
    parent
        Parent widget.
    """

    #: Name of a setting, and its new value.
    settingEdited = Signal(str, object)  # noqa: N815
    calibrationChosen = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wish = KnownWish()
        self.source_box = ChoiceBox()
        self.source_box.setChoices([(text, source) for source, text in _SOURCES.items()])
        self.source_box.setToolTip(
            "Estimated: read off the image by the model. That of another layer: for channels, time "
            "points and samples of the same microscope; at another wavelength the aberrations "
            "stay the same in nm. The others are known without an estimate: "
            "what diffraction alone does with these optics, the image of a bead or a computed PSF, "
            "or the PSFs that were measured by a calibration"
        )
        self.layer_box, self.plane_box = ChoiceBox(), ChoiceBox()
        self.layer_box.setToolTip("The layer whose blur this one has, too")
        self.plane_box.setToolTip("Whether each plane gets the blur of its number, or all get one")
        self.plane_box.setPlaceholderText("choose")
        self.image_box, self.calibration_box = ChoiceBox(), ChoiceBox()
        self.image_box.setToolTip(
            "A layer or a file with one bead in focus, or a computed PSF; for a 3-D PSF a z-stack "
            "of it"
        )
        self.image_box.setPlaceholderText("choose")
        self.size_edit = LengthEdit()
        self.size_edit.setToolTip(
            "Side of a pixel of the PSF image in µm, which need not be that of the image"
        )
        self.step_edit = LengthEdit()
        self.step_edit.setToolTip("From one plane of the PSF image to the next, in µm")
        self.calibration_box.setToolTip("The calibration that was just made, or a saved one")
        self.calibration_box.setPlaceholderText("choose")
        self.acquisition_box = ChoiceBox()
        self.acquisition_box.setToolTip("The acquisition whose PSFs are used")
        self.ask = plain_label(wrap=True)
        self._arrange()
        self._connect()
        self.setValue(self._wish)

    def value(self) -> KnownWish:
        """Return what is shown."""
        return self._wish

    def setValue(self, value: KnownWish) -> None:  # noqa: N802
        """Show what is on offer and what is chosen."""
        self._wish = value
        self.source_box.setValue(value.source)
        self._image_form.setVisible(value.source == "psf")
        self._calibration_form.setVisible(value.source == "calibration")
        self._layer_form.setVisible(value.source == "layer" and bool(value.layers))
        self.layer_box.setChoices(value.layers)
        self.layer_box.setValue(value.layer)
        self.plane_box.setChoices(value.planes)
        self.plane_box.setValue(value.plane)
        self._layer_form.layout().setRowVisible(self.plane_box, bool(value.planes))
        self.image_box.setChoices([*value.images, ("File…", _OTHER)])
        self.image_box.setValue(value.image)
        self.size_edit.setValue(value.pixel_size_um)
        self.step_edit.setValue(value.image_z_step_um)
        self._image_form.layout().setRowVisible(self.step_edit, value.image_is_stack)
        self.calibration_box.setChoices([*value.calibrations, ("Folder…", _OTHER)])
        self.calibration_box.setValue(value.calibration)
        self.acquisition_box.setChoices([(name, n) for n, name in enumerate(value.acquisitions)])
        self.acquisition_box.setValue(value.acquisition)
        self.acquisition_box.setEnabled(len(value.acquisitions) > 1)
        told = value.ask or value.note
        self.ask.setVisible(bool(told))
        self.ask.setText(Tone.INFO.marked(told))

    def _arrange(self) -> None:
        self._image_form, self._calibration_form = QWidget(), QWidget()
        self._layer_form = QWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        rows: dict[QWidget | None, dict[str, QWidget]] = {
            None: {"PSF": self.source_box},
            self._layer_form: {"Layer": self.layer_box, "Its planes": self.plane_box},
            self._image_form: {
                "PSF image": self.image_box,
                "Its pixel size (µm)": self.size_edit,
                "Its z step (µm)": self.step_edit,
            },
            self._calibration_form: {
                "Calibration": self.calibration_box,
                "Acquisition": self.acquisition_box,
            },
        }
        for widget, fields in rows.items():
            form = QFormLayout(widget)
            form.setContentsMargins(0, 0, 0, 0)
            for name, field in fields.items():
                add_row(form, name, field)
            if widget is None:
                layout.addLayout(form)
            else:
                layout.addWidget(widget)
        layout.addWidget(self.ask)

    def _connect(self) -> None:
        edited = self.settingEdited
        self.source_box.valueChanged.connect(lambda value: edited.emit("psf_source", value))
        self.size_edit.valueChanged.connect(lambda value: edited.emit("psf_pixel_size_um", value))
        self.step_edit.valueChanged.connect(lambda value: edited.emit("psf_z_step_um", value))
        self.acquisition_box.valueChanged.connect(lambda value: edited.emit("acquisition", value))
        self.layer_box.valueChanged.connect(self._choose_layer)
        self.plane_box.valueChanged.connect(lambda value: edited.emit("blur_plane", value))
        self.image_box.valueChanged.connect(self._choose_image)
        self.calibration_box.valueChanged.connect(self._choose_calibration)

    def _choose_layer(self, value: Any) -> None:
        self.settingEdited.emit("blur_plane", None)
        self.settingEdited.emit("blur_layer", value)

    def _choose_image(self, value: Any) -> None:
        if value is _OTHER:
            # Unless a file is chosen, the former one stays.
            self.image_box.setValue(self._wish.image)
            path = choose_file(self, "Choose a PSF image", _IMAGES)
            if not path:
                return
            value = Path(path)
        self.settingEdited.emit("psf_pixel_size_um", None)
        self.settingEdited.emit("psf_z_step_um", None)
        self.settingEdited.emit("psf_image", value)

    def _choose_calibration(self, value: Any) -> None:
        if value is not _OTHER:
            self.settingEdited.emit("calibration", value)
            return
        self.calibration_box.setValue(self._wish.calibration)
        folder = choose_folder(self, "Choose the folder of a calibration")
        if folder:
            self.calibrationChosen.emit(folder)
