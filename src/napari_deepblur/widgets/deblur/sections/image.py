"""Section Image: the layer to work on and the optics that it was recorded with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_deepblur.widgets.deblur.readiness import Resolved, Verdict
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.form_row import add_row
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["ImageSection"]

_TONES = {
    Verdict.WELL_SAMPLED: Tone.GOOD,
    Verdict.UNDERSAMPLED: Tone.WARNING,
    Verdict.MISSING: Tone.INFO,
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

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer_box = ChoiceBox()
        self.layer_box.setToolTip("The image layer to estimate the blur of and to deblur")
        self.optics_form = OpticsForm()
        self.verdict = plain_label(
            tip="Whether the image is sampled finely enough to hold an optical blur",
            wrap=True,
            selectable=True,
        )
        form = QFormLayout()
        add_row(form, "Layer", self.layer_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.addLayout(form)
        layout.addWidget(self.optics_form)
        layout.addWidget(self.verdict)
        self.layer_box.valueChanged.connect(self.layerChosen.emit)
        self.optics_form.valueChanged.connect(self.opticsEdited.emit)
        self.optics_form.scaleAccepted.connect(self.scaleAccepted.emit)

    def show_layers(self, layers: Sequence[Image], current: Image | None) -> None:
        """Offer layers to choose from."""
        self.layer_box.setChoices([(layer.name, layer) for layer in layers])
        self.layer_box.setValue(current)

    def show_resolved(self, resolved: Resolved) -> None:
        """Show optical values, their sources and the verdict."""
        self.optics_form.setValue(resolved.fields)
        self.optics_form.offer_scale(resolved.bare_scale)
        tone = _TONES.get(resolved.verdict, Tone.ERROR)
        self.verdict.setText(tone.marked(resolved.message))
