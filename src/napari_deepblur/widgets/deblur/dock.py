"""Dock Deep-Blur: small widgets put together, and wired to the controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import qthrottled

from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.widgets.deblur.blur_panel import BlurPanel
from napari_deepblur.widgets.deblur.check_panel import CheckPanel
from napari_deepblur.widgets.deblur.controller import DeblurController
from napari_deepblur.widgets.deblur.readiness import Resolved, Verdict
from napari_deepblur.widgets.deblur.run_bar import RunBar
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.deblur.view import BlurTable, CheckTable, PsfPicture
from napari_deepblur.widgets.layers.proxies import unwrapped
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.dock_widget import DockWidget
from napari_deepblur.widgets.parts.form_row import add_row
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.text import literal, plain_label
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea
from napari_deepblur.widgets.tasks.worker import start_task

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["DeblurDock"]

_TONES = {
    Verdict.WELL_SAMPLED: Tone.GOOD,
    Verdict.UNDERSAMPLED: Tone.WARNING,
    Verdict.MISSING: Tone.INFO,
    Verdict.NO_LAYER: Tone.INFO,
}
_BLUR_FILES = "Blur (*.json)"
#: Stands in the list of models for one that is not in it.
_OTHER_MODEL = object()
#: Milliseconds between two looks at where the mouse is.
_MOUSE_PAUSE = 40
_FOCUS_SERIES = (
    "Tick this if the planes show one thin object at {step:g} µm from one another (the layer's "
    "scale), each deeper in the sample than the one before. The known defocus between them then "
    "tells the sign of the even modes. If they go up instead, all these signs come out opposite. "
    "Leave it empty for a thick sample, where each plane shows other structures, and for time "
    "series. The PSF is the same either way"
)


class DeblurDock(DockWidget):
    """Estimates the blur of an image layer and takes it out.

    Parameters
    ----------
    napari_viewer
        napari viewer to read layers from and add results to.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._busy = False
        self._can_run = False
        self._models: Mapping[str, ModelCard] = {}
        self._make_widgets()
        self._arrange()
        viewer = unwrapped(napari_viewer)
        self.controller = DeblurController(
            viewer,
            self,
            Session.of(viewer),
            start=start_task,
            pace=partial(qthrottled, timeout=_MOUSE_PAUSE, parent=self),
        )
        self._connect()

    # What the controller asks for

    def show_layers(self, layers: Sequence[Image], current: Image | None) -> None:
        """Offer layers to choose from."""
        self.layer_box.setChoices([(layer.name, layer) for layer in layers])
        self.layer_box.setValue(current)

    def show_models(self, models: Mapping[str, ModelCard]) -> None:
        """Offer models to choose from, by bundled name or folder."""
        self._models = models
        choices = [(_title(model, card), model) for model, card in models.items()]
        self.model_box.setChoices([*choices, ("Model folder…", _OTHER_MODEL)])

    def show_resolved(self, resolved: Resolved) -> None:
        """Show optical values, their sources and the verdict."""
        self.optics_form.setValue(resolved.fields)
        self.optics_form.offer_scale(resolved.bare_scale)
        self.model_box.setValue(resolved.model)
        self.model_box.setToolTip(literal(self._describe_model(resolved.model)))
        self.per_box.setValue(resolved.per)
        self.device_box.setValue(resolved.device)
        self.run_bar.residual.setChecked(resolved.residual_layer)
        self._show_focus_series(resolved)
        self.verdict.setText(_marked(_TONES.get(resolved.verdict, Tone.ERROR), resolved.message))
        self._can_run = resolved.can_run
        self._set_state()

    def _show_focus_series(self, resolved: Resolved) -> None:
        step = resolved.focus_step_um
        self.focus_box.setVisible(step is not None)
        self.focus_box.setChecked(resolved.z_step_um is not None)
        self.focus_box.setToolTip(_FOCUS_SERIES.format(step=step) if step is not None else "")

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""
        self._busy = busy
        self._set_state()

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is."""
        self.run_bar.setValue(progress)

    def show_message(self, tone: Tone, text: str) -> None:
        """Show one message in place of the former one."""
        self.message.setText(_marked(tone, text))
        self.message.setVisible(bool(text))

    def show_blur(self, table: BlurTable | None) -> None:
        """Show the blur of the current plane, or none."""
        self.blur_panel.setValue(table)
        self.save_button.setEnabled(table is not None and not self._busy)

    def show_psf(self, picture: PsfPicture) -> None:
        """Show the PSF of another place of the current plane's field."""
        self.blur_panel.show_psf(picture)

    def show_check(self, table: CheckTable | None) -> None:
        """Show how the deblurred current plane fits the observed one, or nothing."""
        self.check_panel.setValue(table)
        self.check_box.setVisible(table is not None)

    # Building

    def _make_widgets(self) -> None:
        self.layer_box = ChoiceBox()
        self.layer_box.setToolTip("The image layer to estimate the blur of and to deblur")
        self.model_box = ChoiceBox()
        self.model_box.setToolTip("The trained model")
        self.per_box = ChoiceBox()
        self.per_box.setChoices([("one per plane", "plane"), ("one per stack", "stack")])
        self.per_box.setToolTip(
            "Whether each plane has its own blur, or the whole stack has one: where the planes "
            "do share their blur, the stack's is the more accurate"
        )
        self.focus_box = QCheckBox("Focus series of a thin object")
        self.device_box = ChoiceBox()
        self.device_box.setChoices([(name, name) for name in get_args(Device)])
        self.device_box.setToolTip("Where to compute; auto takes a graphics card if there is one")
        self.optics_form = OpticsForm()
        self.verdict = plain_label(
            tip="Whether the image is sampled finely enough to hold an optical blur",
            wrap=True,
            selectable=True,
        )
        self.run_bar = RunBar()
        self.message = plain_label(tip="How the last task ended", wrap=True, selectable=True)
        self.message.hide()
        self.check_panel = CheckPanel()
        self.blur_panel = BlurPanel()
        self.save_button = QPushButton("Save blur…")
        self.save_button.setToolTip("Write the estimated blur to a file, for other images")
        self.load_button = QPushButton("Load blur…")
        self.load_button.setToolTip("Use a blur that was saved, in place of an estimate")

    def _arrange(self) -> None:
        image = QGroupBox("Image")
        form = QFormLayout(image)
        add_row(form, "Layer", self.layer_box)
        add_row(form, "Model", self.model_box)
        add_row(form, "Blur", self.per_box)
        form.addRow(self.focus_box)
        add_row(form, "Device", self.device_box)
        optics = QGroupBox("Microscope")
        QVBoxLayout(optics).addWidget(self.optics_form)
        optics.layout().addWidget(self.verdict)
        self.check_box = QGroupBox("Deblurred image")
        QVBoxLayout(self.check_box).addWidget(self.check_panel)
        self.check_box.hide()
        blur = QGroupBox("Estimated blur")
        QVBoxLayout(blur).addWidget(self.blur_panel)
        files = QHBoxLayout()
        files.addWidget(self.save_button)
        files.addWidget(self.load_button)
        blur.layout().addLayout(files)
        content = QWidget()
        column = QVBoxLayout(content)
        for widget in (image, optics, self.run_bar, self.message, self.check_box, blur):
            column.addWidget(widget)
        column.addStretch()
        self._inputs = (image, optics, self.load_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScrollArea(content))

    def _connect(self) -> None:
        settings = self.controller.settings
        self.layer_box.valueChanged.connect(self.controller.select)
        self.model_box.valueChanged.connect(self._choose_model)
        self.per_box.valueChanged.connect(lambda value: setattr(settings, "per", value))
        # Clicked, not toggled: only the user's own edits are wishes.
        self.focus_box.clicked.connect(lambda on: setattr(settings, "focus_series", on))
        self.device_box.valueChanged.connect(lambda value: setattr(settings, "device", value))
        self.optics_form.scaleAccepted.connect(self.controller.take_scale_as_um)
        self.optics_form.valueChanged.connect(lambda name, value: setattr(settings, name, value))
        self.run_bar.estimateClicked.connect(self.controller.estimate)
        self.run_bar.deblurClicked.connect(self.controller.deblur)
        self.run_bar.cancelClicked.connect(self.controller.cancel)
        self.run_bar.residualClicked.connect(lambda on: setattr(settings, "residual_layer", on))
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(self.controller.cancel)
        self.save_button.clicked.connect(self._save)
        self.load_button.clicked.connect(self._load)
        self.closed.connect(self._on_closed)
        # Closing the window destroys the dock without taking it out first.
        self.destroyed.connect(self.controller.close)

    def _on_closed(self) -> None:
        if self.controller.busy:
            show_warning("Deep-Blur: the dock was closed, and with it the work was stopped")
        self.controller.close()

    def _set_state(self) -> None:
        if self._busy and self.focusWidget() is not None:
            # Else the focus, and with it the view, would jump from a disabled button to Cancel.
            self.setFocus()
        for widget in self._inputs:
            widget.setEnabled(not self._busy)
        self.save_button.setEnabled(not self._busy and self.blur_panel.value() is not None)
        self.run_bar.set_state(busy=self._busy, can_run=self._can_run)

    def _describe_model(self, model: str) -> str:
        card = self._models.get(model)
        if card is None:
            return "The trained model"
        place = "" if model == card.name else model
        parts = [_title(model, card), place, card.description]
        for network in (card.identification, card.deblurring):
            measured = network.main_figures if network is not None else {}
            parts += [f"{what}: {value:.1f} dB" for what, value in measured.items()]
        return "\n".join(part for part in parts if part)

    def _choose_model(self, model: Any) -> None:
        if model is not _OTHER_MODEL:
            self.controller.settings.model = model
            return
        # Unless a model is chosen, the former one stays.
        self.model_box.setValue(self.controller.settings.model)
        folder = QFileDialog.getExistingDirectory(self, "Choose a model folder")
        if folder:
            self.controller.choose_model(folder)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save blur", "blur.json", _BLUR_FILES)
        if path:
            self.controller.save(path)

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load blur", "", _BLUR_FILES)
        if path:
            self.controller.load(path)


def _title(model: str, card: ModelCard) -> str:
    kinds = [card.status if card.status != "stable" else "", "folder" if model != card.name else ""]
    kind = ", ".join(filter(None, kinds))
    return f"{card.name} ({kind})" if kind else card.name


def _marked(tone: Tone, text: str) -> str:
    return f"{tone.value} {text}".strip()
