"""The dock "Calibrate from beads": its sections put together, and wired to the controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.calibrate.bead_legend import BeadLegend
from napari_deepblur.widgets.calibrate.bead_points import BeadCounts
from napari_deepblur.widgets.calibrate.controller import CalibrateController
from napari_deepblur.widgets.calibrate.readiness import CalibrationPlan
from napari_deepblur.widgets.calibrate.run_bar import CalibrateBar
from napari_deepblur.widgets.calibrate.sections.images import ImagesSection
from napari_deepblur.widgets.calibrate.sections.psf import CalibrationSection
from napari_deepblur.widgets.calibrate.session import CalibrationSession
from napari_deepblur.widgets.calibrate.summary import heading_of_beads, heading_of_psf
from napari_deepblur.widgets.calibrate.view import CalibrationSummary
from napari_deepblur.widgets.layers.proxies import unwrapped
from napari_deepblur.widgets.parts.dock_widget import DockWidget
from napari_deepblur.widgets.parts.folded_text import FoldedText
from napari_deepblur.widgets.parts.section import Section
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea
from napari_deepblur.widgets.tasks.worker import next_turn, start_task

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["CalibrateDock"]


class CalibrateDock(DockWidget):
    """Learns a microscope's blurs from image layers of beads: Images, Beads, PSF.

    The sections scroll and fold; what starts and stops the work stands beneath them and is
    always in view.

    Parameters
    ----------
    napari_viewer
        napari viewer to read layers from and add results to.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._busy = False
        self._can_run = False
        self.images, self.legend, self.psf = ImagesSection(), BeadLegend(), CalibrationSection()
        self.sections = {
            "Images": Section("Images", self.images),
            "Beads": Section("Beads", self.legend),
            "PSF": Section("PSF", self.psf),
        }
        self.run_bar = CalibrateBar()
        self.message = FoldedText("How the last task ended")
        self.message.hide()
        self._arrange()
        viewer = unwrapped(napari_viewer)
        self.controller = CalibrateController(
            viewer, self, CalibrationSession.of(viewer), start=start_task, later=next_turn
        )
        self._connect()

    # What the controller asks for

    def show_layers(self, layers: Sequence[Image], chosen: Sequence[Image]) -> None:
        """Offer layers to choose from."""
        self.images.show_layers(layers, chosen)
        names = ", ".join(layer.name for layer in chosen)
        self.sections["Images"].setSummary(names or "open an image first")

    def show_plan(self, plan: CalibrationPlan) -> None:
        """Show optical values, their sources and whether all is ready, and unfold what is asked."""
        self.images.show_plan(plan)
        self._can_run = plan.can_run
        if not plan.can_run:
            self.sections["Images"].setOpen(is_open=True)
        self._set_state()

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""
        self._busy = busy
        self._set_state()

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is."""
        self.run_bar.progress.setValue(progress)

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""
        self.message.setText(tone.marked(text), details)
        self.message.setVisible(bool(text))

    def show_beads(self, counts: BeadCounts | None) -> None:
        """Show how many beads of each status there are; None where none were looked for."""
        self.legend.setValue(counts)
        self.sections["Beads"].setSummary(heading_of_beads(counts))

    def show_result(self, summary: CalibrationSummary | None) -> None:
        """Show a calibration's pictures, or that there is none; a first one takes the room."""
        is_first = summary is not None and self.psf.panel.value() is None
        self.psf.show_result(summary)
        self.sections["PSF"].setSummary(heading_of_psf(summary))
        if is_first:
            self.sections["Images"].setOpen(is_open=False)
            self.sections["PSF"].setOpen(is_open=True)

    def show_report(self, report: Path | None) -> None:
        """Offer the saved report to be opened, or none."""
        self.psf.show_report(report)

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
        self.images.layersChosen.connect(controller.select)
        self.images.settingEdited.connect(partial(setattr, controller.wishes))
        self.images.scaleAccepted.connect(controller.take_scale_as_um)
        self.run_bar.findClicked.connect(controller.beads.find)
        self.run_bar.calibrateClicked.connect(controller.result.calibrate)
        self.run_bar.progress.cancelClicked.connect(controller.cancel)
        self.psf.panel.layersClicked.connect(controller.result.show_parts)
        self.psf.saveChosen.connect(
            lambda folder, overwrite: controller.result.save(folder, overwrite=overwrite)
        )
        self.psf.loadChosen.connect(controller.result.load)
        self.psf.useClicked.connect(
            lambda: self._hand_on("Deep-Blur", lambda dock: dock.controller.psf.use_made())
        )
        self.psf.inspectClicked.connect(
            lambda: self._hand_on("PSF inspector", lambda dock: dock.controller.show_made())
        )
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(controller.cancel)
        self.closed.connect(self._on_closed)
        # Closing the window destroys the dock without taking it out first.
        self.destroyed.connect(controller.close)

    def _hand_on(self, name: str, use: Callable[[Any], None]) -> None:
        """Open another dock, which knows of what was made here, and let it use the calibration."""
        if self.controller.result.hand_on():
            _, dock = self._viewer.window.add_plugin_dock_widget("napari-deepblur", name)
            use(dock)

    def _on_closed(self) -> None:
        if self.controller.busy:
            show_warning("Deep-Blur: the dock was closed, and with it the work was stopped")
        self.controller.close()

    def _set_state(self) -> None:
        if self._busy and self.focusWidget() is not None:
            # Else the focus, and with it the view, would jump from a disabled button to Cancel.
            self.setFocus()
        self.images.setEnabled(not self._busy)
        self.psf.show_busy(busy=self._busy)
        self.run_bar.set_state(busy=self._busy, can_run=self._can_run)
