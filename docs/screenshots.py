"""Pictures of the dock for the documentation: python docs/screenshots.py [FOLDER].

With dapi_001.tif of elgw/deconwolf, a real stack: python docs/screenshots.py --stack dapi_001.tif.
Without a display: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py

That of a blur that varies over the field is left as it is where the model for it is not there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import napari
import numpy as np
import torch
from qtpy.QtWidgets import QApplication

from napari_deepblur.engine.known.blurs import ideal_blur
from napari_deepblur.engine.models import available_models, load_model
from napari_deepblur.optics.light_sheet import LightSheetMicroscope
from napari_deepblur.samples.sample import photograph
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.widgets import last_time
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea

SIZE = (1440, 960)
VARYING_MODEL = "spim"
FIELD = (512, 512)
PHOTONS = 2000.0
#: Steps of the estimate of a 3-D blur after which its PSF is worth a look.
RUNNING_AT = 40


#: What the file of the real stack does not state: its scale, and its objective and dye.
VOXEL_UM = (0.3, 0.13, 0.13)
NUCLEUS = {"numerical_aperture": 1.45, "wavelength_um": 0.461, "refractive_index": 1.512}


@contextmanager
def first_time() -> Iterator[None]:
    """Do as where the docks were never used: no value of last time, and none of ours is kept."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "last-time.json"
        with patch.object(last_time, "settings_file", lambda: file):
            yield


def settle(seconds: float = 0.5) -> None:
    """Let Qt draw."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def clear(viewer) -> None:
    """Take all layers out; napari 0.9 may crash if others come before it drew that none is left."""
    viewer.layers.clear()
    settle(0.1)


def finish(dock, seconds: float = 600) -> None:
    """Wait until the dock's task ends; a failed one ends the program."""
    end = time.monotonic() + seconds
    while dock.controller.busy and time.monotonic() < end:
        settle(0.05)
    settle()
    if not dock.message.text().startswith(("✓", "⚠")):
        raise SystemExit(f"the task failed: {dock.message.text()}")


def light_sheet_image(optics):
    """Nuclei, blurred by the least even of some light sheets whose PSFs are hardly negative."""
    family = load_model(VARYING_MODEL).family.at_optics(optics)
    drawn = family.admissible_set.sample(40, seed=3)
    axis = torch.linspace(-1, 1, 3)
    psfs = family.psf_at(drawn, torch.cartesian_prod(axis, axis))
    peaks = psfs.amax((-2, -1))
    usual = (psfs.amin((-2, -1)) > -0.01 * peaks).all(1)
    operator = family.operator(drawn[(usual * peaks.amax(1) / peaks.amin(1)).argmax()], FIELD)
    rows, columns = operator.domain_shape
    scene = SCENES["spheroids"](1, max(rows, columns), torch.Generator().manual_seed(1))[0]
    photons = PHOTONS * scene[:rows, :columns] / scene.max()
    return photograph(operator, photons.numpy(), np.random.default_rng(0))[0]


def varying_blur(viewer, dock, path: Path) -> None:
    """The PSF over the field, and that under the mouse."""
    optics = LightSheetMicroscope().optics
    pixel_um = optics.pixel_size_um
    clear(viewer)
    viewer.add_image(
        light_sheet_image(optics),
        name="light sheet",
        scale=(pixel_um, pixel_um),
        units=("um", "um"),
        axis_labels=("y", "x"),
        metadata={"deepblur": {"optics": optics.model_dump()}},
    )
    dock.controller.settings.model = VARYING_MODEL
    dock.controller.psf.estimate()
    finish(dock)
    viewer.reset_view()
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (100 * pixel_um, 400 * pixel_um)
    settle(1)
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)


def z_stack(viewer, dock, folder: Path) -> None:
    """A 3-D blur while it is read off a stack, and the stack deblurred with it."""
    clear(viewer)
    viewer.open_sample("napari-deepblur", "lymphocyte")
    viewer.reset_view()
    settle()
    dock.controller.psf.estimate()
    while dock.controller.busy and dock.run_bar.value()[0] < RUNNING_AT:
        settle(0.05)
    dock.grab().save(str(folder / "dock-3d-running.png"))
    finish(dock)
    dock.controller.sharp.deblur()
    finish(dock)
    settle(1)
    viewer.window.screenshot(str(folder / "lymphocyte.png"), canvas_only=False, flash=False)


def real_stack(path: Path, folder: Path) -> None:
    """A real nucleus: with the PSF that was read off it, and deblurred, in a split view."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    (layer,) = viewer.open(path, scale=VOXEL_UM, units=("um",) * 3, axis_labels=tuple("zyx"))
    settle()
    for name, value in NUCLEUS.items():
        field = dock.image.optics_form.field(name)
        field.setText(f"{value:g}")
        field.editingFinished.emit()
    viewer.reset_view()
    dock.controller.psf.estimate()
    finish(dock)
    viewer.dims.set_current_step(0, len(layer.data) // 2)
    settle(1)
    viewer.window.screenshot(str(folder / "nucleus-psf.png"), canvas_only=False, flash=False)
    dock.controller.sharp.deblur()
    finish(dock)
    viewer.reset_view()
    dock.controller.compare.split(on=True)
    dock.controller.compare.choose_contrast("own")
    settle(1)
    viewer.window.screenshot(str(folder / "nucleus-split.png"), canvas_only=False, flash=False)
    viewer.close()


def calibration(viewer, path: Path) -> None:
    """Beads, the PSF over the field, and the figures, in the dock of its own."""
    clear(viewer)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Calibrate from beads")
    viewer.open_sample("napari-deepblur", "bead_field")
    dock.controller.beads.find()
    finish(dock)
    dock.controller.result.calibrate()
    finish(dock)
    viewer.reset_view()
    settle(1)
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)


def inspector(viewer, path: Path) -> None:
    """The estimated PSF of the podosomes beside the ideal one, in the inspector."""
    clear(viewer)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    viewer.open_sample("napari-deepblur", "podosomes")
    dock.controller.psf.estimate()
    finish(dock)
    optics = dock.controller.resolved.optics
    viewer.window.remove_dock_widget(dock)
    _, inspected = viewer.window.add_plugin_dock_widget("napari-deepblur", "PSF inspector")
    with TemporaryDirectory() as folder:
        ideal_blur(optics).save(Path(folder) / "ideal.json")
        inspected.controller.open(1, Path(folder) / "ideal.json")
        while inspected.controller.busy:
            settle(0.05)
    settle(1)
    # All of it, and not only what fits into the window.
    inspected.findChild(VerticalScrollArea).widget().grab().save(str(path))


def main(folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    settle()
    for sample in ("podosomes", "spheroid"):
        clear(viewer)
        viewer.open_sample("napari-deepblur", sample)
        viewer.reset_view()
        dock.controller.psf.estimate()
        finish(dock)
        dock.controller.sharp.deblur()
        finish(dock)
        viewer.reset_view()
        viewer.canvas.overlays.scale_bar.visible = True
        settle(1)
        viewer.window.screenshot(str(folder / f"{sample}.png"), canvas_only=False, flash=False)
    dock.grab().save(str(folder / "dock.png"))
    pixels = viewer.layers["spheroid"].data
    z_stack(viewer, dock, folder)
    clear(viewer)
    viewer.add_image(pixels, name="no units", scale=(1, 0.16, 0.16))
    settle()
    dock.grab().save(str(folder / "dock-asks.png"))
    if VARYING_MODEL in available_models():
        varying_blur(viewer, dock, folder / "varying_blur.png")
    else:
        print(f"there is no model {VARYING_MODEL!r}: varying_blur.png is left as it is")
    viewer.window.remove_dock_widget("all")
    inspector(viewer, folder / "inspector.png")
    viewer.window.remove_dock_widget("all")
    calibration(viewer, folder / "calibrate_dock.png")
    viewer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--stack", type=Path, help="dapi_001.tif")
    given = parser.parse_args()
    with first_time():
        if given.stack is None:
            main(given.folder)
        else:
            real_stack(given.stack, given.folder)
