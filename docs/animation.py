"""Animated picture of README.md, estimate → deblur → compare: python docs/animation.py [FILE].

Without a display: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/animation.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari
import numpy as np
from dock_states import Camera, run
from PIL import Image
from screenshots import first_time, settle

#: Size of the picture, and milliseconds that a state and a place of the border are shown.
SIZE, STATE_MS, BORDER_MS = (960, 600), 2200, 130


def main(path: Path) -> None:
    """Do in the dock what a user would, and look at the window after each step."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    camera = Camera(viewer, "Deep-Blur", "deep-blur", path.parent)
    frames: list[Image.Image] = []
    times: list[int] = []

    def look(milliseconds: int, pause: float = 1.0) -> None:
        settle(pause)
        pixels = viewer.window.screenshot(canvas_only=False, flash=False)[..., :3]
        frames.append(Image.fromarray(pixels).resize(SIZE, Image.Resampling.LANCZOS))
        times.append(milliseconds)

    camera.open(sample="podosomes")
    viewer.reset_view()
    look(STATE_MS)
    run(camera, camera.dock.controller.psf.estimate)
    viewer.reset_view()
    look(STATE_MS)
    run(camera, camera.dock.controller.sharp.deblur)
    look(STATE_MS)
    camera.dock.controller.compare.split(on=True)
    slider = camera.dock.deblur.compare.slider
    for place in np.concatenate([np.linspace(0.15, 0.85, 15), np.linspace(0.85, 0.5, 8)]):
        slider.setValue(round(float(place) * slider.maximum()))
        look(BORDER_MS, pause=0.3)
    times[-1] = STATE_MS
    viewer.close()

    # The pictures share their colours, so that what stays is not stored again: half of them greys.
    all_states = Image.fromarray(np.vstack([frames[n] for n in (1, 2, -1)]))
    colours = all_states.quantize(128, method=Image.Quantize.FASTOCTREE).getpalette()[: 3 * 128]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours + np.arange(0, 256, 2).repeat(3).tolist())
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    drawn[0].save(
        path, save_all=True, append_images=drawn[1:], duration=times, loop=0, optimize=True
    )


if __name__ == "__main__":
    default = Path(__file__).parent / "images" / "podosomes.gif"
    with first_time():
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
