"""Section PSF: the model that reads the blur, and what it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_deepblur.engine.blur_file import BLUR_SUFFIX
from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.widgets.deblur.blur_panel import BlurPanel
from napari_deepblur.widgets.deblur.model_words import describe_model, title_of_model
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.scope_words import KNOWN_SCOPES, SCOPES
from napari_deepblur.widgets.deblur.sections.psf_source import PsfSourceForm
from napari_deepblur.widgets.deblur.view import BlurTable, ShownPsf
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.file_choice import choose_file, choose_folder, choose_new_file
from napari_deepblur.widgets.parts.form_row import add_row, set_note
from napari_deepblur.widgets.parts.text import literal, plain_label

__all__ = ["PsfSection"]

_BLUR_FILES = "Blur (*.json)"
#: Stands in the list of models for one that is not in it.
_OTHER_MODEL = object()
_FOCUS_SERIES = (
    "Tick this if the planes show one thin object at {step} µm from one another (the layer's "
    "scale), each deeper in the sample than the one before. The known defocus between them then "
    "tells the sign of the even modes. If they go up instead, all these signs come out opposite. "
    "Leave it empty for a thick sample, where each plane shows other structures, and for time "
    "series. The PSF is the same either way"
)


class PsfSection(QWidget):
    """Chooses how the blur is found, and shows it.

    Parameters
    ----------
    parent
        Parent widget.
    """

    #: Name of a setting, and its new value.
    settingEdited = Signal(str, object)  # noqa: N815
    modelFolderChosen = Signal(str)  # noqa: N815
    saveChosen = Signal(str)  # noqa: N815
    loadChosen = Signal(str)  # noqa: N815
    exportChosen = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: Mapping[str, ModelCard] = {}
        self._model, self._name = "", ""
        self._busy = False
        self._make_widgets()
        self._arrange()
        self._connect()

    def show_models(self, models: Mapping[str, ModelCard]) -> None:
        """Offer models to choose from, by bundled name or folder."""
        self._models = models
        choices = [(title_of_model(model, card), model) for model, card in models.items()]
        self.model_box.setChoices([*choices, ("Model folder…", _OTHER_MODEL)])

    def show_resolved(self, resolved: Resolved) -> None:
        """Show how the blur would be found now."""
        self.source_form.setValue(resolved.known)
        is_read = resolved.known.source == "estimate"
        self._estimate_form.setVisible(is_read or len(resolved.scopes) > 1)
        self._model, self._name = resolved.model, resolved.name
        self.model_box.setValue(resolved.model)
        card = self._models.get(resolved.model)
        self.model_box.setToolTip(literal(describe_model(resolved.model, card)))
        if tuple(self.per_box.choices()) != resolved.scopes:
            words = SCOPES if is_read else KNOWN_SCOPES
            self.per_box.setChoices([(words[scope], scope) for scope in resolved.scopes])
        self.per_box.setValue(resolved.per)
        set_note(self._form, self.per_box, resolved.note_of("per"))
        self._form.setRowVisible(self.proposed, resolved.is_proposed)
        set_note(self._form, self.model_box, resolved.note_of("model"))
        self._form.setRowVisible(self.model_box, is_read and resolved.per != "volume")
        step = resolved.focus_step_um
        self.focus_box.setVisible(step is not None)
        self.focus_box.setChecked(resolved.is_focus_series)
        self.focus_box.setToolTip(_FOCUS_SERIES.format(step="?" if step is None else f"{step:g}"))

    def show_busy(self, *, busy: bool) -> None:
        """Lock the choices while a task runs; what is shown can still be looked at."""
        self._busy = busy
        for widget in (self.source_form, self._estimate_form, self.load_button):
            widget.setEnabled(not busy)
        for button in (self.save_button, self.export_button):
            button.setEnabled(not busy and self.blur_panel.value() is not None)

    def show_blur(self, table: BlurTable | None) -> None:
        """Show the blur of the current plane, or none."""
        self.blur_panel.setValue(table)
        self.show_busy(busy=self._busy)

    def show_psf(self, picture: ShownPsf) -> None:
        """Show the PSF of another place of the current plane's field."""
        self.blur_panel.show_psf(picture)

    def _make_widgets(self) -> None:
        self.source_form = PsfSourceForm()
        self._estimate_form = QWidget()
        self.model_box = ChoiceBox()
        self.model_box.setToolTip("The trained model")
        self.per_box = ChoiceBox()
        self.per_box.setToolTip(
            "Whether each plane has its own blur, or the whole stack has one: where the planes "
            "do share their blur, the stack's is the more accurate. A 3-D blur takes out the light "
            "of other planes, too; it is read off the stack itself, of 5 planes or more whose z "
            "step is known, and needs no model"
        )
        self.proposed = plain_label(
            "Proposed: the z step is known, and planes share light.",
            tip="Nobody chose yet. Choose above if each plane, or the stack, is to have a blur of "
            "its own, as of a thin sample or a confocal stack",
            wrap=True,
        )
        self.focus_box = QCheckBox("Focus series of a thin object")
        self.focus_box.setToolTip(_FOCUS_SERIES.format(step="?"))
        self.blur_panel = BlurPanel()
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip("Write the estimated blur to a file, for other images")
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip(
            "Write coefficients, Strehl ratio, width and doubts of all planes to a CSV file"
        )
        self.load_button = QPushButton("Load…")
        self.load_button.setToolTip("Use a blur that was saved, in place of an estimate")

    def _arrange(self) -> None:
        self._form = form = QFormLayout(self._estimate_form)
        form.setContentsMargins(0, 0, 0, 0)
        add_row(form, "Blur", self.per_box)
        form.addRow(self.proposed)
        add_row(form, "Model", self.model_box)
        form.addRow(self.focus_box)
        files = QHBoxLayout()
        files.addWidget(self.save_button)
        files.addWidget(self.load_button)
        files.addWidget(self.export_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.addWidget(self.source_form)
        layout.addWidget(self._estimate_form)
        layout.addWidget(self.blur_panel)
        layout.addLayout(files)

    def _connect(self) -> None:
        self.source_form.settingEdited.connect(self.settingEdited.emit)
        self.model_box.valueChanged.connect(self._choose_model)
        self.per_box.valueChanged.connect(self._choose_scope)
        # Clicked, not toggled: only the user's own edits are wishes.
        self.focus_box.clicked.connect(lambda on: self.settingEdited.emit("focus_series", on))
        self.save_button.clicked.connect(self._save)
        self.load_button.clicked.connect(self._load)
        self.export_button.clicked.connect(self._export)

    def _choose_scope(self, scope: Any) -> None:
        # A known PSF serves all planes; that says nothing of an estimate.
        is_of_planes = self.source_form.value().source != "estimate" and scope == "stack"
        self.settingEdited.emit("per", "plane" if is_of_planes else scope)

    def _choose_model(self, model: Any) -> None:
        if model is not _OTHER_MODEL:
            self.settingEdited.emit("model", model)
            return
        # Unless a model is chosen, the former one stays.
        self.model_box.setValue(self._model)
        folder = choose_folder(self, "Choose a model folder")
        if folder:
            self.modelFolderChosen.emit(folder)

    def _save(self) -> None:
        name = f"{self._name.replace('/', '_')}{BLUR_SUFFIX}"
        path = choose_new_file(self, "Save blur", name, _BLUR_FILES)
        if path:
            self.saveChosen.emit(path)

    def _export(self) -> None:
        name = f"{self._name.replace('/', '_')}.csv"
        path = choose_new_file(self, "Export figures", name, "Table (*.csv)")
        if path:
            self.exportChosen.emit(path)

    def _load(self) -> None:
        path = choose_file(self, "Load blur", _BLUR_FILES)
        if path:
            self.loadChosen.emit(path)
