"""Dock Deep-Blur: its three sections put together, and wired to the controller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QApplication, QFileDialog, QVBoxLayout, QWidget
from superqt.utils import qthrottled

from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.engine.volume.estimate import PsfProgress
from napari_deepblur.widgets.deblur.compare.actions import Comparison
from napari_deepblur.widgets.deblur.compare.row import FLICK_KEY
from napari_deepblur.widgets.deblur.controller import DeblurController
from napari_deepblur.widgets.deblur.deblur_task import OME_ZARR
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.run_bar import RunBar
from napari_deepblur.widgets.deblur.sections.deblur import DeblurSection
from napari_deepblur.widgets.deblur.sections.image import ImageSection
from napari_deepblur.widgets.deblur.sections.psf import PsfSection
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.deblur.summaries import summary_of_image, summary_of_psf
from napari_deepblur.widgets.deblur.view import BlurTable, CheckTable, ShownPsf
from napari_deepblur.widgets.layers.proxies import unwrapped
from napari_deepblur.widgets.parts.dock_widget import DockWidget
from napari_deepblur.widgets.parts.folded_text import FoldedText
from napari_deepblur.widgets.parts.psf_picture import Scaled
from napari_deepblur.widgets.parts.section import Section
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea
from napari_deepblur.widgets.tasks.worker import next_turn, start_task

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["DeblurDock"]

#: Milliseconds between two looks at where the mouse is.
_MOUSE_PAUSE = 40


class DeblurDock(DockWidget):
    """Estimates the blur of an image layer and takes it out: Image, PSF, Deblur.

    The sections scroll and fold; what starts and stops the work stands beneath them and is
    always in view.

    Parameters
    ----------
    napari_viewer
        napari viewer to read layers from and add results to.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._busy = False
        self._resolved: Resolved | None = None
        self.image, self.psf, self.deblur = ImageSection(), PsfSection(), DeblurSection()
        self.sections = {
            "Image": Section("Image", self.image),
            "PSF": Section("PSF", self.psf),
            "Deblur": Section("Deblur", self.deblur),
        }
        self.run_bar = RunBar()
        self.message = FoldedText("How the last task ended")
        self.message.hide()
        self._arrange()
        viewer = unwrapped(napari_viewer)
        self._viewer = viewer
        self.controller = DeblurController(
            viewer,
            self,
            Session.of(viewer),
            start=start_task,
            later=next_turn,
            pace=partial(qthrottled, timeout=_MOUSE_PAUSE, parent=self),
        )
        self._connect()
        viewer.bind_key(FLICK_KEY, self._flick, overwrite=True)
        self._unbind = partial(_unbind, viewer, self._flick)

    # What the controller asks for

    def show_layers(self, layers: Sequence[Image], current: Image | None) -> None:
        """Offer layers to choose from."""
        self.image.show_layers(layers, current)

    def show_models(self, models: Mapping[str, ModelCard]) -> None:
        """Offer models to choose from, by bundled name or folder."""
        self.psf.show_models(models)

    def show_resolved(self, resolved: Resolved) -> None:
        """Show the values that a task would be started with, and unfold what is asked for."""
        self._resolved = resolved
        for part in (self.image, self.psf, self.deblur):
            part.show_resolved(resolved)
        self.sections["Image"].setSummary(
            summary_of_image(self.image.layer_box.currentText(), resolved)
        )
        if not resolved.can_run:
            self.sections["PSF" if resolved.known.ask else "Image"].setOpen(is_open=True)
        self._set_state()

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""
        self._busy = busy
        if not busy:
            self.psf.blur_panel.end_running()
        self._set_state()

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is, and the PSF that it has found so far."""
        self.run_bar.setValue(progress)
        optics = None if self._resolved is None else self._resolved.optics
        if not isinstance(progress, PsfProgress) or self._resolved is None or optics is None:
            return
        if not self.psf.blur_panel.is_running():
            self._make_room_for_psf()
        self.psf.blur_panel.show_running(
            Scaled(progress.psf, optics.pixel_size_um, self._resolved.z_step_um)
        )

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""
        self.message.setText(tone.marked(text), details)
        self.message.setVisible(bool(text))

    def ask_for_file(self, name: str) -> Path | None:
        """Ask where a result is to be written, under a proposed name; None to do nothing."""
        title = "The result is too large for memory: write it to"
        chosen, _ = QFileDialog.getSaveFileName(self, title, name, f"OME-Zarr (*{OME_ZARR})")
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.name.endswith(OME_ZARR) else path.with_name(path.stem + OME_ZARR)

    def copy_text(self, text: str) -> None:
        """Put a text on the clipboard."""
        QApplication.clipboard().setText(text)

    def show_blur(self, table: BlurTable | None) -> None:
        """Show the blur of the current plane, or none; a first one takes the image's room."""
        is_first = table is not None and self.psf.blur_panel.value() is None
        self.psf.show_blur(table)
        self.sections["PSF"].setSummary(summary_of_psf(table, self._resolved))
        if is_first:
            self._make_room_for_psf()

    def show_psf(self, picture: ShownPsf) -> None:
        """Show the PSF of another place of the current plane's field."""
        self.psf.show_psf(picture)

    def show_preview(self, *, waits: bool) -> None:
        """Show whether there is a preview to be kept or thrown away."""
        self.run_bar.show_preview(waits=waits)

    def show_question(self, text: str) -> None:
        """Ask with which PSF to go on, the ideal one or that of the layer; empty to ask nothing."""
        self.run_bar.show_question(text)
        self._set_state()

    def show_cost(self, tone: Tone, text: str) -> None:
        """Show what Estimate and Deblur will take, or nothing."""
        self.run_bar.show_cost(tone.marked(text))

    def show_comparison(self, comparison: Comparison) -> None:
        """Show what can be compared; what can be for the first time gets the room for it."""
        is_first = self.deblur.compare.isHidden() and bool(comparison.result)
        self.deblur.compare.setValue(comparison)
        if is_first:
            self.sections["PSF"].setOpen(is_open=False)
            self.sections["Deblur"].setOpen(is_open=True)

    def show_check(self, table: CheckTable | None) -> None:
        """Show how the deblurred current plane fits the observed one, or nothing."""
        self.deblur.show_check(table)

    def _make_room_for_psf(self) -> None:
        self.sections["Image"].setOpen(is_open=False)
        self.sections["PSF"].setOpen(is_open=True)

    # Building

    def _arrange(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        for section in self.sections.values():
            column.addWidget(section)
        column.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScrollArea(content), 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(9, 0, 9, 6)
        foot.addWidget(self.message)
        foot.addWidget(self.run_bar)
        outer.addLayout(foot)

    def _connect(self) -> None:
        controller = self.controller
        edit = partial(setattr, controller.settings)
        self.image.layerChosen.connect(controller.select)
        self.image.opticsEdited.connect(edit)
        self.image.scaleAccepted.connect(controller.take_scale_as_um)
        self.image.rememberedAccepted.connect(controller.accept_remembered)
        self.image.axesNamed.connect(controller.name_axes)
        self.image.splitClicked.connect(controller.split_channels)
        self.psf.settingEdited.connect(edit)
        self.psf.source_form.calibrationChosen.connect(controller.psf.choose_calibration)
        self.psf.blur_panel.planeChosen.connect(controller.go_to_plane)
        self.psf.blur_panel.beads.calibrateClicked.connect(self._open_calibration)
        self.psf.modelFolderChosen.connect(controller.psf.choose_model)
        self.psf.saveChosen.connect(controller.psf.save)
        self.psf.exportChosen.connect(controller.psf.export)
        self.psf.loadChosen.connect(controller.psf.load)
        self.deblur.settingEdited.connect(edit)
        compare = self.deblur.compare
        compare.held.connect(controller.compare.hold)
        compare.released.connect(controller.compare.release)
        compare.contrastChosen.connect(controller.compare.choose_contrast)
        compare.splitClicked.connect(lambda on: controller.compare.split(on=on))
        compare.borderMoved.connect(
            qthrottled(controller.compare.move_border, timeout=_MOUSE_PAUSE, parent=self)
        )
        self.deblur.pythonClicked.connect(controller.sharp.copy_as_python)
        self.deblur.commandClicked.connect(controller.sharp.copy_as_command)
        self.deblur.batchChosen.connect(controller.sharp.save_for_batch)
        self.run_bar.estimateClicked.connect(controller.psf.estimate)
        self.run_bar.previewClicked.connect(controller.preview.show)
        self.run_bar.keepClicked.connect(controller.preview.keep)
        self.run_bar.discardClicked.connect(controller.preview.discard)
        self.run_bar.deblurClicked.connect(controller.sharp.deblur)
        self.run_bar.idealClicked.connect(controller.psf.use_ideal)
        self.run_bar.allTheSameClicked.connect(controller.psf.use_all_the_same)
        self.run_bar.cancelClicked.connect(controller.cancel)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(controller.cancel)
        self.closed.connect(self._on_closed)
        # Closing the window destroys the dock without taking it out first.
        self.destroyed.connect(controller.close)

    def _on_closed(self) -> None:
        if self.controller.busy:
            show_warning("Deep-Blur: the dock was closed, and with it the work was stopped")
            self.controller.cancel()
        self._unbind()
        self.controller.compare.stop()
        self.controller.close()

    def _open_calibration(self) -> None:
        self._viewer.window.add_plugin_dock_widget("napari-deepblur", "Calibrate from beads")

    def _flick(self, _viewer: ViewerModel) -> Iterator[None]:
        """Show the observed image while the key is down."""
        self.controller.compare.hold()
        yield
        self.controller.compare.release()

    def _set_state(self) -> None:
        if self._busy and self.focusWidget() is not None:
            # Else the focus, and with it the view, would jump from a disabled button to Cancel.
            self.setFocus()
        self.image.setEnabled(not self._busy)
        self.psf.show_busy(busy=self._busy)
        self.deblur.show_busy(busy=self._busy)
        can_run = self._resolved is not None and self._resolved.can_run
        self.run_bar.set_state(busy=self._busy, can_run=can_run)
        is_known = self._resolved is not None and self._resolved.known.source != "estimate"
        self.run_bar.set_known(is_known=is_known)
        in_3d = self._resolved is not None and self._resolved.per == "volume"
        self.run_bar.set_in_3d(in_3d=in_3d)


def _unbind(viewer: ViewerModel, flick: Callable[..., Any]) -> None:
    """Give the key back, unless another dock of the viewer has taken it meanwhile."""
    bound = viewer.bind_key(FLICK_KEY, None)
    if bound is not None and bound != flick:
        viewer.bind_key(FLICK_KEY, bound)
