"""Pictures of every dock in its main states: python docs/dock_states.py [FOLDER].

Without a display: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/dock_states.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari
import numpy as np
from screenshots import clear, finish, first_time, settle

from napari_deepblur.engine.known.blurs import ideal_blur
from napari_deepblur.widgets.deblur.session import SESSIONS, Session
from napari_deepblur.widgets.last_time import LastTime

HEIGHT, NARROW = 740, 300
OPTICS = {
    "numerical_aperture": 1.4,
    "wavelength_um": 0.52,
    "refractive_index": 1.518,
    "pixel_size_um": 0.09,
}


class Camera:
    """Takes pictures of a dock into a folder, by the dock's name and that of its state."""

    def __init__(self, viewer, title: str, name: str, folder: Path) -> None:
        self.viewer, self._name, self._folder = viewer, name, folder
        _, self.dock = viewer.window.add_plugin_dock_widget("napari-deepblur", title)

    def take(self, state: str, *, width: int | None = None, theme: str = "dark") -> None:
        """Take a picture, of another width or in another theme than napari's."""
        self.viewer.theme = theme
        self.dock.resize(width or self.dock.width(), HEIGHT)
        settle(0.7)
        self.dock.grab().save(str(self._folder / f"{self._name}-{state}.png"))
        self.viewer.theme = "dark"

    def open(self, pixels=None, *, sample: str = "", **arguments) -> None:
        """Show one image only: pixels, or a sample."""
        clear(self.viewer)
        if sample:
            self.viewer.open_sample("napari-deepblur", sample)
        else:
            self.viewer.add_image(pixels, **arguments)
        settle()


def known(pixel_um: float = 0.09) -> dict:
    """Arguments of a layer whose optics are known."""
    return {
        "scale": (pixel_um, pixel_um),
        "units": ("um", "um"),
        "metadata": {"deepblur": {"optics": OPTICS | {"pixel_size_um": pixel_um}}},
    }


def run(camera: Camera, act, *, state: str = "") -> None:
    """Wait for a task, and take a picture of it at work."""
    act()
    if state:
        settle(0.5)
        camera.take(state)
    while camera.dock.controller.busy:
        settle(0.05)
    settle()


def deblur_refusals(viewer, folder: Path) -> None:
    """The dock Deep-Blur where it cannot go on."""
    camera = Camera(viewer, "Deep-Blur", "deep-blur", folder)
    dock, rng = camera.dock, np.random.default_rng(0)
    camera.take("empty")
    camera.open(rng.poisson(200, (256, 256)).astype(np.uint16), name="cells")
    camera.take("asking")
    camera.open(np.full((256, 256), np.nan, np.float32), name="cut off", **known())
    run(camera, dock.controller.psf.estimate)
    camera.take("error")


def deblur_doubt(viewer, folder: Path) -> None:
    """The dock Deep-Blur with an estimate that is a guess, and the ideal PSF in its place."""
    camera = Camera(viewer, "Deep-Blur", "deep-blur", folder)
    pixels = np.random.default_rng(0).poisson(200, (256, 256)).astype(np.uint16)
    camera.open(pixels, name="noise", **known())
    run(camera, camera.dock.controller.psf.estimate)
    camera.take("in-doubt")
    camera.take("in-doubt-narrow", width=NARROW, theme="light")
    stack = np.random.default_rng(0).poisson(200, (8, 128, 128)).astype(np.uint16)
    camera.open(stack, name="stack", **known() | {"scale": (0.3, 0.09, 0.09), "units": ("um",) * 3})
    run(camera, camera.dock.controller.psf.use_ideal)
    camera.take("ideal-3d", width=NARROW)


def deblur_last_time(viewer, folder: Path) -> None:
    """The dock Deep-Blur with optics of an earlier day."""
    last_time = LastTime(numerical_aperture=1.4, refractive_index=1.518, wavelength_um=0.52)
    SESSIONS[viewer] = Session(last_time)
    camera = Camera(viewer, "Deep-Blur", "deep-blur", folder)
    pixels = np.random.default_rng(0).poisson(200, (256, 256)).astype(np.uint16)
    camera.open(pixels, name="cells", scale=(0.09, 0.09), units=("um", "um"))
    camera.take("last-time", width=NARROW)


def deblur_states(viewer, folder: Path) -> None:
    """The dock Deep-Blur, from an estimate to a comparison."""
    camera = Camera(viewer, "Deep-Blur", "deep-blur", folder)
    dock = camera.dock
    camera.open(sample="podosomes")
    run(camera, dock.controller.psf.estimate, state="running")
    finish(dock)
    camera.take("estimated")
    run(camera, dock.controller.preview.show)
    camera.take("preview")
    run(camera, dock.controller.sharp.deblur)
    finish(dock)
    camera.take("deblurred")
    camera.take("narrow", width=NARROW)
    camera.take("light", theme="light")
    dock.controller.compare.split(on=True)
    viewer.reset_view()
    settle(1)
    path = folder / "deep-blur-compared.png"
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    dock.controller.compare.split(on=False)


def calibrate_states(viewer, folder: Path) -> None:
    """The dock Calibrate from beads."""
    camera = Camera(viewer, "Calibrate from beads", "calibrate", folder)
    dock = camera.dock
    camera.take("empty")
    flat = np.random.default_rng(0).normal(500, 20, (256, 256)).astype(np.float32)
    camera.open(flat, name="slide")
    camera.take("asking")
    camera.open(flat, name="slide", **known())
    run(camera, dock.controller.result.calibrate)
    camera.take("error")
    camera.open(sample="bead_field")
    run(camera, dock.controller.beads.find)
    camera.take("found")
    run(camera, dock.controller.result.calibrate, state="running")
    finish(dock)
    camera.take("calibrated")
    camera.take("narrow", width=NARROW)
    camera.take("light", theme="light")
    dock.sections["Beads"].setOpen(is_open=False)
    dock.psf.panel.parts.setOpen(is_open=True)
    camera.take("eigen-psfs")


def inspector_states(viewer, folder: Path) -> None:
    """The dock PSF inspector: that of the podosomes beside the ideal one."""
    deblur = Camera(viewer, "Deep-Blur", "deep-blur", folder)
    deblur.open(sample="podosomes")
    run(deblur, deblur.dock.controller.psf.estimate)
    optics = deblur.dock.controller.resolved.optics
    camera = Camera(viewer, "PSF inspector", "inspector", folder)
    camera.take("one")
    ideal_blur(optics).save(folder / "ideal.json", overwrite=True)
    run(camera, lambda: camera.dock.controller.open(1, folder / "ideal.json"))
    (folder / "ideal.json").unlink()
    camera.take("two")
    camera.take("narrow", width=NARROW)
    camera.take("light", theme="light")


def main(folder: Path) -> None:
    """Take the pictures, each dock's in a window of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for states in (
        deblur_refusals,
        deblur_doubt,
        deblur_last_time,
        deblur_states,
        calibrate_states,
        inspector_states,
    ):
        # Mesa's drivers may crash where an image is removed and its PSF is left.
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 800)
        states(viewer, folder)
        viewer.close()


if __name__ == "__main__":
    default = Path(__file__).parent / "images" / "docks"
    with first_time():
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
