"""Section Image: the layer to work on and the optics that it was recorded with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE, UNDERSAMPLED_ABOVE, Sampling
from napari_deepblur.widgets.deblur.axes_words import axes_in_words, names_on_offer
from napari_deepblur.widgets.deblur.judgement import Verdict
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.layers.optics_fields import LABELS
from napari_deepblur.widgets.layers.presets import FLUOROPHORES, OBJECTIVES
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.form_row import add_row
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.sampling_gauge import SamplingGauge
from napari_deepblur.widgets.parts.text import literal, plain_label
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["ImageSection"]

_LAYER_TIP = "The image layer to estimate the blur of and to deblur"
_WHERE_EMPTY = {"z_step_um": "for a 3-D blur", "light_sheet_fwhm_um": "none: widefield"}
_TONES = {
    Verdict.WELL_SAMPLED: Tone.GOOD,
    Verdict.UNDERSAMPLED: Tone.WARNING,
    Verdict.MISSING: Tone.INFO,
    Verdict.REMEMBERED: Tone.WARNING,
    Verdict.NO_LAYER: Tone.INFO,
}


class ImageSection(QWidget):
    """Chooses the layer and edits its optics.

    Parameters
    ----------
    parent
        Parent widget.
    """

    layerChosen = Signal(object)  # noqa: N815
    opticsEdited = Signal(str, object)  # noqa: N815
    scaleAccepted = Signal()  # noqa: N815
    rememberedAccepted = Signal()  # noqa: N815
    axesNamed = Signal(str)  # noqa: N815
    splitClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer_box = ChoiceBox()
        self.layer_box.setToolTip(_LAYER_TIP)
        self.optics_form = OpticsForm(fields=LABELS, optional=_WHERE_EMPTY)
        self.verdict = plain_label(
            tip="Whether the image is sampled finely enough to hold an optical blur",
            wrap=True,
            selectable=True,
        )
        self.accept_remembered = QPushButton("These are right")
        self.accept_remembered.setToolTip(
            "Take the values of last time for this image. If it is of another objective or dye, "
            "type its values above instead, or choose a preset"
        )
        self.axes_box = ChoiceBox()
        self.axes_box.setToolTip(
            "What each axis is: T time, C channel, Z depth. Choose here if the layer does not say "
            "it rightly"
        )
        self.split = QPushButton("Split channels")
        self.split.setToolTip("Put each channel into a layer of its own, in place of this one")
        self.objective_box, self.fluorophore_box = ChoiceBox(), ChoiceBox()
        self.gauge = SamplingGauge()
        self._fill_presets()
        self._arrange()
        self._connect()

    def show_layers(self, layers: Sequence[Image], current: Image | None) -> None:
        """Offer layers to choose from."""
        self.layer_box.setChoices([(layer.name, layer) for layer in layers])
        self.layer_box.setValue(current)
        self.layer_box.setToolTip(literal(f"{self.layer_box.currentText()}\n{_LAYER_TIP}".strip()))

    def show_resolved(self, resolved: Resolved) -> None:
        """Show axes, optical values with their sources, and the verdict."""
        self._show_axes(resolved)
        self.split.setVisible(resolved.n_channels > 1)
        self.optics_form.setValue(resolved.fields)
        self.optics_form.setFieldVisible("z_step_um", is_visible=resolved.is_stack)
        asks_sheet = resolved.per == "volume" and resolved.known.source != "layer"
        self.optics_form.setFieldVisible("light_sheet_fwhm_um", is_visible=asks_sheet)
        self.optics_form.offer_scale(resolved.bare_scale)
        self.gauge.setValue(None if resolved.optics is None else resolved.optics.cutoff)
        tone = _TONES.get(resolved.verdict, Tone.ERROR)
        self.verdict.setText(tone.marked(_short(resolved)))
        self.verdict.setToolTip(literal(resolved.message))
        self.accept_remembered.setVisible(resolved.verdict is Verdict.REMEMBERED)

    def _show_axes(self, resolved: Resolved) -> None:
        names = names_on_offer(len(resolved.shape))
        if resolved.axes and resolved.axes not in names:
            names.append(resolved.axes)
        choices: list[tuple[str, str]] = [
            (axes_in_words(name, resolved.shape), name) for name in names if resolved.shape
        ]
        self.axes_box.setChoices(choices)
        self.axes_box.setValue(None if resolved.asks_axes else resolved.axes)
        self.axes_box.setPlaceholderText("choose" if resolved.asks_axes else "")
        self.axes_box.setEnabled(len(choices) > 1)

    def _fill_presets(self) -> None:
        objectives = [(name, name) for name in OBJECTIVES]
        dyes = [(f"{name} ({1000 * um:.0f} nm)", name) for name, um in FLUOROPHORES.items()]
        for box, choices, text, tip in (
            (self.objective_box, objectives, "Objective…", "Fill in NA and refractive index"),
            (self.fluorophore_box, dyes, "Fluorophore…", "Fill in the peak of the emission"),
        ):
            box.setPlaceholderText(text)
            box.setChoices(choices)
            box.setValue(None)
            box.setMinimumContentsLength(6)
            box.setToolTip(f"{tip} of a common one; what the file states stays beside it")
            box.setAccessibleName(text.removesuffix("…"))

    def _arrange(self) -> None:
        form = QFormLayout()
        add_row(form, "Layer", self.layer_box)
        add_row(form, "Axes", self.axes_box)
        form.addRow(self.split)
        presets = QHBoxLayout()
        presets.setSpacing(2)  # both names fit into a dock of 300 pixels
        presets.addWidget(self.objective_box)
        presets.addWidget(self.fluorophore_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.addLayout(form)
        layout.addLayout(presets)
        layout.addWidget(self.optics_form)
        layout.addWidget(self.gauge)
        layout.addWidget(self.verdict)
        layout.addWidget(self.accept_remembered)

    def _connect(self) -> None:
        self.layer_box.valueChanged.connect(self.layerChosen.emit)
        self.optics_form.valueChanged.connect(self.opticsEdited.emit)
        self.optics_form.scaleAccepted.connect(self.scaleAccepted.emit)
        self.axes_box.valueChanged.connect(self.axesNamed.emit)
        self.accept_remembered.clicked.connect(lambda _checked: self.rememberedAccepted.emit())
        self.split.clicked.connect(lambda _checked: self.splitClicked.emit())
        self.objective_box.valueChanged.connect(self._use_objective)
        self.fluorophore_box.valueChanged.connect(self._use_fluorophore)

    def _use_objective(self, name: str) -> None:
        aperture, index = OBJECTIVES[name]
        self.opticsEdited.emit("numerical_aperture", aperture)
        self.opticsEdited.emit("refractive_index", index)
        self.objective_box.setValue(None)

    def _use_fluorophore(self, name: str) -> None:
        self.opticsEdited.emit("wavelength_um", FLUOROPHORES[name])
        self.fluorophore_box.setValue(None)


def _short(resolved: Resolved) -> str:
    """Say the verdict in one line where the optics are known; the tooltip has all of it."""
    optics = resolved.optics
    if optics is not None and optics.sampling is Sampling.TOO_COARSE and not resolved.can_run:
        most = NOTHING_LEFT_ABOVE * optics.wavelength_um / optics.numerical_aperture
        return (
            f"A pixel of {optics.pixel_size_um:g} µm is larger than the blur, so there is none to "
            f"take out: check pixel size and wavelength, or use pixels below {most:.2g} µm."
        )
    sampled = {Verdict.WELL_SAMPLED: "Well sampled", Verdict.UNDERSAMPLED: "Undersampled"}
    if resolved.verdict not in sampled or optics is None:
        return resolved.message
    most = UNDERSAMPLED_ABOVE * optics.wavelength_um / optics.numerical_aperture
    would = "would do" if resolved.verdict is Verdict.WELL_SAMPLED else "would be fine"
    return f"{sampled[resolved.verdict]}: pixels of up to {most:.2g} µm {would}."
