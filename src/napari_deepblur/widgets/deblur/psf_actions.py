"""Actions of the section PSF: choose a model; estimate, load and save a blur."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deepblur.calibration.files import acquisitions_in
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.blur_figures import write_figures
from napari_deepblur.engine.blur_file import BLUR_SUFFIX
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.errors import ModelError
from napari_deepblur.widgets.deblur import sentences
from napari_deepblur.widgets.deblur.cost.speed import Stopwatch
from napari_deepblur.widgets.deblur.known_wish import MADE
from napari_deepblur.widgets.deblur.readiness import blur_request
from napari_deepblur.widgets.deblur.tasks import Estimated, estimate_task, load_task
from napari_deepblur.widgets.deblur.work import Work
from napari_deepblur.widgets.layers.facts import facts_of, pixels_of
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["PsfActions"]


class PsfActions:
    """Finds the blur of the layer.

    Parameters
    ----------
    work
        The layer, the settings and the task.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        work.view.show_models(work.session.models.cards)

    def choose_model(self, folder: str | Path) -> None:
        """Use the model in a folder, and offer it from now on."""
        try:
            model = self._work.session.models.add_folder(folder)
        except (ModelError, OSError) as error:
            self._work.view.show_message(Tone.ERROR, str(error))
        else:
            self._work.view.show_message(Tone.INFO, "")
            self._use_model(model)

    def estimate(self) -> None:
        """Estimate the blur of the layer."""
        layer, wanted = self._work.layer, self._work.resolved
        if self._work.may_run(wanted) and layer is not None:
            task = estimate_task(pixels_of(layer), wanted)
            watch = self._work.stopwatch(wanted)
            take = partial(self._take_blur, layer, watch)
            self._work.run(task, take, wanted, hear=watch.hear)

    def show(self) -> None:
        """Show the layers of the layer's blur, which is estimated where it is not known."""
        layer, wanted = self._work.layer, self._work.resolved
        result = self._work.session.results.of(layer)
        if layer is None or result is None:
            self.estimate()
        elif self._work.may_run(wanted):
            known = result.estimated
            request = wanted.request(pixels_of(layer), known.blur)

            def take(drawn: Estimated) -> Iterator[None]:
                yield from self._work.keep(
                    layer, replace(drawn, choice=known.choice), file=result.file
                )
                self._work.report(f"The PSF of {layer.name!r} is shown as a layer.", known.blur)

            self._work.run(load_task(request), take, wanted)

    def choose_calibration(self, folder: str | Path) -> None:
        """Use the calibration in a folder."""
        try:
            acquisitions_in(Path(folder))
        except (ModelError, OSError) as error:
            self._work.view.show_message(Tone.ERROR, str(error))
        else:
            self._work.view.show_message(Tone.INFO, "")
            self._work.session.settings.update({"calibration": Path(folder), "acquisition": 0})

    def use_made(self) -> None:
        """Use the calibration that was made or loaded last in this viewer."""
        self._work.session.settings.update(
            {"psf_source": "calibration", "calibration": MADE, "acquisition": 0}
        )

    def use_ideal(self) -> None:
        """Use the PSF of a perfect objective, and show it."""
        self._work.session.settings.psf_source = "ideal"
        self.estimate()

    def use_all_the_same(self) -> None:
        """Go on with a blur that says of itself that it is hardly more than a guess."""
        layer = self._work.layer
        if layer is not None and self._work.session.results.of(layer) is not None:
            self._work.session.results.accept(layer)
            self._work.view.show_message(Tone.INFO, "")
            self._work.changed.emit()

    def save(self, path: str | Path) -> None:
        """Write the layer's blur to a JSON file, in place of what was there."""
        result = self._work.session.results.of(self._work.layer)
        if result is None:
            text = "There is no blur to save: estimate it first."
            self._work.view.show_message(Tone.ERROR, text)
            return
        path = Path(path)
        path = path if path.suffix == ".json" else path.with_name(f"{path.name}{BLUR_SUFFIX}")
        try:
            result.estimated.blur.save(path, overwrite=True)
        except OSError as error:
            self._work.view.show_message(Tone.ERROR, f"The blur was not saved: {error}")
        else:
            self._work.view.show_message(Tone.GOOD, f"Saved the blur to {path.name}.")

    def export(self, path: str | Path) -> None:
        """Write the figures of the layer's blur, plane by plane, to a CSV file."""
        result, path = self._work.session.results.of(self._work.layer), Path(path)
        if result is None:
            text = "There are no figures to export: estimate the PSF first."
            self._work.view.show_message(Tone.ERROR, text)
            return
        path = path if path.suffix == ".csv" else path.with_name(f"{path.name}.csv")
        known = result.estimated
        try:
            write_figures(known.blur, path, quality=known.quality, overwrite=True)
        except OSError as error:
            self._work.view.show_message(Tone.ERROR, f"The figures were not written: {error}")
        else:
            self._work.view.show_message(Tone.GOOD, f"Wrote the figures to {path.name}.")

    def load(self, path: str | Path) -> None:
        """Take the layer's blur from a file."""
        layer = self._work.layer
        if layer is None:
            text = "Open the image that the blur is for first."
            self._work.view.show_message(Tone.ERROR, text)
        elif facts_of(layer).problem:
            self._work.view.show_message(Tone.ERROR, facts_of(layer).problem)
        elif not self._work.busy:
            take = partial(self._take_loaded, layer, Path(path))
            self._work.run(load_task(blur_request(layer, path, self._work.resolved.fields)), take)

    def _take_blur(self, layer: Image, watch: Stopwatch, estimated: Estimated) -> Iterator[None]:
        watch.stop()
        yield from self._work.keep(layer, estimated)
        self._work.report(sentences.estimated_text(layer.name, estimated), estimated.blur)

    def _take_loaded(self, layer: Image, file: Path, estimated: Estimated) -> Iterator[None]:
        blur, session = estimated.blur, self._work.session
        own = {"psf_source": "estimate"} | _settings_of(blur)
        session.settings.update(blur.optics.model_dump() | own)
        if isinstance(blur, BlurEstimate) and blur.known is None:
            self._use_model(session.models.add(blur.model))
        yield from self._work.keep(layer, estimated, file=file)
        of = f" of {blur.source!r}" if blur.source else ""
        self._work.report(f"Loaded the blur{of} from {file.name} for {layer.name!r}.", blur)

    def _use_model(self, model: str) -> None:
        self._work.view.show_models(self._work.session.models.cards)
        self._work.session.settings.model = model
        # A list that was filled anew has no choice, and settings that stay as they were are quiet.
        self._work.changed.emit()


def _settings_of(blur: BlurEstimate | VolumeBlurEstimate) -> dict[str, Any]:
    """Find the settings, besides the optics, that would make a blur of the same kind."""
    if isinstance(blur, BlurEstimate):
        return {"per": blur.per}
    known = blur.stack_optics
    return {
        "per": blur.per,
        "z_step_um": known.z_step_um,
        "light_sheet_fwhm_um": known.light_sheet_fwhm_um,
    }
