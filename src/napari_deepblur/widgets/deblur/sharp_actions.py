"""Actions of the section Deblur."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_deepblur.engine.batch_settings import write_settings
from napari_deepblur.widgets.deblur import sentences
from napari_deepblur.widgets.deblur.deblur_task import OME_ZARR, deblur_or_ask_task
from napari_deepblur.widgets.deblur.growing import GrowingResult
from napari_deepblur.widgets.deblur.scripts import Script, as_batch, as_command, as_python
from napari_deepblur.widgets.deblur.work import Work
from napari_deepblur.widgets.layers.facts import pixels_of
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.engine.request import Request

__all__ = ["SharpActions"]


class SharpActions:
    """Takes the blur out of the layer.

    Parameters
    ----------
    work
        The layer, the settings and the task.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._growing: GrowingResult | None = None

    def deblur(self) -> None:
        """Deblur the layer, estimating its blur first where that was not done."""
        layer, wanted = self._work.layer, self._work.resolved
        if not self._work.may_run(wanted) or layer is None:
            return
        if self._work.question(wanted):
            self._work.view.show_message(Tone.WARNING, sentences.ASKS_WHICH_PSF)
            return
        file = None
        if self._work.goes_to_file(wanted):
            file = self._work.view.ask_for_file(f"{layer.name} deblurred{OME_ZARR}")
            if file is None:
                return
        known = self._work.known_blur(layer, wanted)
        task = deblur_or_ask_task(pixels_of(layer), wanted, known, file)
        watch = self._work.stopwatch(wanted, known)
        result = self._growing = GrowingResult(self._work, layer, watch, is_new=known is None)
        self._work.run(task, result.take, wanted, hear=result.hear, leave=result.leave)

    def stop_if_removed(self) -> None:
        """Stop deblurring if the user removed what is there of the result."""
        if self._work.busy and self._growing is not None:
            self._growing.stop_if_removed()

    def copy_as_python(self) -> None:
        """Put the Python that repeats a click on Deblur on the clipboard."""
        self._copy(as_python, "Python")

    def copy_as_command(self) -> None:
        """Put the command that repeats a click on Deblur on the clipboard."""
        self._copy(as_command, "a command")

    def save_for_batch(self, path: str | Path) -> None:
        """Write the settings of a click on Deblur to a file, and copy the command that uses it."""
        work, path, asked = self._work, Path(path).resolve(), self._asked()
        if asked is None:
            return
        path = path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
        layer, request, psf = asked
        fields = work.resolved.fields.items()
        stated = {name for name, known in fields if known.source in ("file", "default")}
        settings, script = as_batch(request, layer, path, stated=stated, psf=psf)
        try:
            write_settings(path, settings)
        except OSError as error:
            work.view.show_message(Tone.ERROR, f"The settings were not saved: {error}")
            return
        work.view.copy_text(script.text)
        first = f" Before you run it, {script.first}." if script.first else ""
        text = f"Saved {path.name}, and copied the command that deblurs a folder of images with it."
        work.view.show_message(Tone.GOOD, text + first)

    def _copy(self, write: Callable[[Request, Image, Image | None], Script], what: str) -> None:
        asked = self._asked()
        if asked is None:
            return
        layer, request, psf = asked
        script = write(request, layer, psf)
        self._work.view.copy_text(script.text)
        first = f" Before you run it, {script.first}." if script.first else ""
        self._work.view.show_message(Tone.GOOD, f"Copied as {what}.{first}")

    def _asked(self) -> tuple[Image, Request, Image | None] | None:
        """Return layer, request and PSF layer of a click on Deblur; None, and why, if it can't."""
        work, layer, wanted = self._work, self._work.layer, self._work.resolved
        result = work.session.results.of(layer)
        if layer is None or not wanted.can_run:
            work.view.show_message(Tone.ERROR, wanted.known.ask or wanted.message)
            return None
        request = wanted.request(pixels_of(layer))
        if result is not None and result.file is not None:
            blur = result.estimated.blur
            request = wanted.request(pixels_of(layer), blur).model_copy(
                update={"blur": result.file.resolve()}
            )
        psf = next((one for one in work.viewer.layers if one.unique_id == wanted.known.image), None)
        return layer, request, psf
