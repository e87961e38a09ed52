"""Dock PSF inspector: pictures and curves of one or two blurs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget
from superqt.utils import qthrottled

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.inspector.controller import InspectorController
from napari_deepblur.widgets.inspector.line_plot import LinePlot
from napari_deepblur.widgets.inspector.view import Comparison, ShownBlur
from napari_deepblur.widgets.layers.proxies import unwrapped
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.dock_widget import DockWidget
from napari_deepblur.widgets.parts.folded_text import FoldedText
from napari_deepblur.widgets.parts.form_row import add_row
from napari_deepblur.widgets.parts.psf_picture import PsfPicture
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea
from napari_deepblur.widgets.tasks.worker import start_task

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["InspectorDock"]

#: Milliseconds between two looks at where the mouse is.
_MOUSE_PAUSE = 40

#: So that three pictures stand side by side in a dock of 300 pixels.
_SIDE = 80

#: Less is the rounding of single precision.
_NONE_BELOW_DB = -120.0
_FILE, _FOLDER = object(), object()
_EMPTY = (
    "No blur yet: estimate one in the dock Deep-Blur, calibrate from beads, or open a blur file or "
    "the folder of a calibration from the list."
)
_TRANSFER_TIP = (
    "Modulus of the optical transfer function, averaged over directions: what is left of a "
    "grating's contrast. Dashed: the end 2 NA / λ, beyond which these optics pass nothing"
)
_PLOTS = {
    "profile_x": ("x (µm)", "intensity", "Intensity along x through the peak, by the peak"),
    "profile_y": ("y (µm)", "intensity", "Intensity along y through the peak, by the peak"),
    "profile_z": ("z (µm)", "intensity", "Intensity along z through the peak, by the peak"),
    "transfer": (
        "frequency (1/µm)",
        "OTF",
        _TRANSFER_TIP,
    ),
    "energy": (
        "radius (µm)",
        "light inside",
        "Encircled energy: share of a point's light within a radius of the peak",
    ),
}


class InspectorDock(DockWidget):
    """Shows PSF, profiles, transfer function and encircled energy of one or two blurs.

    Parameters
    ----------
    napari_viewer
        napari viewer with the layers that have blurs.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.boxes = ChoiceBox(), ChoiceBox()
        self.pictures = tuple(
            PsfPicture(title, side=_SIDE) for title in ("first", "second", "|difference|")
        )
        self.words = plain_label(tip="What is shown, and where", wrap=True, selectable=True)
        self.plots = {name: LinePlot(*words) for name, words in _PLOTS.items()}
        self.message = FoldedText("How the last task ended")
        self._arrange()
        viewer = unwrapped(napari_viewer)
        self.controller = InspectorController(
            viewer,
            self,
            start=start_task,
            pace=partial(qthrottled, timeout=_MOUSE_PAUSE, parent=self),
        )
        for side, box in enumerate(self.boxes):
            box.valueChanged.connect(partial(self._choose, side))
        self.closed.connect(self.controller.close)
        # Closing the window destroys the dock without taking it out first.
        self.destroyed.connect(self.controller.close)

    def show_choices(
        self, choices: Sequence[tuple[str, Hashable]], chosen: Sequence[Hashable]
    ) -> None:
        """Offer blurs by name and value; the values of the first and the second are chosen."""
        others = [("Blur file…", _FILE), ("Calibration folder…", _FOLDER)]
        for side, box in enumerate(self.boxes):
            none = [("none", None)] if side else []
            box.setChoices([*none, *choices, *others])
            box.setValue(chosen[side])

    def show_comparison(self, comparison: Comparison) -> None:
        """Show pictures and curves."""
        blurs = comparison.blurs
        shown = [blur.psf for blur in blurs] + [None] * (2 - len(blurs))
        for picture, psf in zip(self.pictures, (*shown, comparison.difference), strict=True):
            picture.setValue(psf)
            picture.setVisible(psf is not None)
        self.words.setText(_words(comparison))
        for name, plot in self.plots.items():
            lines = [getattr(blur.figures, name) for blur in blurs]
            marks = [blur.cutoff_per_um for blur in blurs] if name == "transfer" else []
            plot.setValue(lines, marks=marks)

    def show_busy(self, *, busy: bool) -> None:
        """Lock the choices while a file is read."""
        for box in self.boxes:
            box.setEnabled(not busy)

    def show_progress(self, progress: Progress) -> None:
        """Show how far that is."""
        self.message.setText(progress.stage)

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""
        self.message.setText(tone.marked(text), details)
        self.message.setVisible(bool(text))

    def _arrange(self) -> None:
        self.boxes[0].setToolTip("The blur whose PSF is shown")
        self.boxes[1].setToolTip("A second blur, to be compared with the first")
        form = QFormLayout()
        for name, box in zip(("First", "Second"), self.boxes, strict=True):
            box.setPlaceholderText("choose")
            add_row(form, name, box)
        pictures = QHBoxLayout()
        for picture in self.pictures:
            pictures.addWidget(picture)
        pictures.addStretch()
        content = QWidget()
        column = QVBoxLayout(content)
        column.addLayout(form)
        column.addLayout(pictures)
        column.addWidget(self.words)
        for plot in self.plots.values():
            column.addWidget(plot)
        column.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScrollArea(content), 1)
        outer.addWidget(self.message)
        self.message.hide()

    def _choose(self, side: int, value: Any) -> None:
        if value is not _FILE and value is not _FOLDER:
            self.controller.choose(side, value)
            return
        # Unless something is opened, the former choice stays.
        self.controller.refresh()
        if value is _FILE:
            path, _ = QFileDialog.getOpenFileName(self, "Open a blur", "", "Blur (*.json)")
        else:
            path = QFileDialog.getExistingDirectory(self, "Open the folder of a calibration")
        if path:
            self.controller.open(side, path)


def _words(comparison: Comparison) -> str:
    if not comparison.blurs:
        return _EMPTY
    lines = [
        _line(*pair)
        for pair in zip(("First (blue)", "Second (orange)"), comparison.blurs, strict=False)
    ]
    if comparison.difference is not None:
        lines.append(_difference(comparison.difference_db))
    if comparison.refusal:
        lines.append(f"{comparison.refusal}.")
    return "\n".join(lines)


def _difference(energy_db: float) -> str:
    if energy_db < _NONE_BELOW_DB:
        return "Difference: none"
    return f"Difference: {energy_db:.1f} dB of the first PSF's energy"


def _line(place: str, blur: ShownBlur) -> str:
    where = f" ({blur.where})" if blur.where else ""
    return f"{place}: {blur.name}{where}, {blur.width_um:.3f} µm wide"
