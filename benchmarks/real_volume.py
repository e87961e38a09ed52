"""The 3-D blur of a real nucleus: do halves agree, and what does deblurring in 3-D give?

    python benchmarks/real_volume.py dapi_001.tif --out docs/images [--write]

The stack is the example of deconwolf (NA 1.45, 130 nm pixels, 300 nm steps); it is not part of this
project. `--write` puts the table into real-data.md of the folder --docs.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import tifffile
from matplotlib.figure import Figure
from numpy.typing import NDArray

import napari_deepblur as ndb
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks

OPTICS = ndb.Optics(
    numerical_aperture=1.45, wavelength_um=0.461, pixel_size_um=0.13, refractive_index=1.512
)
Z_STEP_UM = 0.3
MODES = 7  # Noll 5 to 11: what a picture shows
Volume = NDArray[np.float32]


def blur_of(stack: Volume) -> ndb.VolumeBlurEstimate:
    """The 3-D blur of a part of the stack that holds all of its planes."""
    return ndb.estimate_blur(stack, optics=OPTICS, per="volume", z_step_um=Z_STEP_UM)


def table_of(stack: Volume, whole: ndb.VolumeBlurEstimate) -> Table:
    """Coefficients of the stack and of its halves."""
    planes = ndb.estimate_halves(stack, optics=OPTICS, z_step_um=Z_STEP_UM)
    middle = stack.shape[1] // 2
    sides = blur_of(stack[:, :middle]), blur_of(stack[:, middle:])
    blurs = [whole, planes.even, planes.odd, *sides]
    rows = [
        [name, *(f"{blur.coefficients[0, index]:+.3f}" for blur in blurs)]
        for index, name in enumerate(whole.coefficient_names)
    ]
    head = ["waves", "whole", "even planes", "odd planes", "upper half", "lower half"]
    by_planes = np.abs(planes.differences[0])
    gap = np.abs(sides[0].coefficients - sides[1].coefficients)[0]
    error = np.hypot(sides[0].std, sides[1].std)[0]
    silent = [
        name
        for name, blur in zip(("upper", "lower"), sides, strict=True)
        if any(concern.kind == ConcernKind.TELLS_NOTHING for concern in blur.concerns[0])
    ]
    text = (
        f"{markdown(head, rows)}\n\nEven and odd planes differ by up to "
        f"{by_planes[:MODES].max():.3f} waves in the modes 5 to 11, {by_planes.max():.3f} in all. "
        f"The upper and the lower half cut the nucleus in two; said to tell nothing of the blur, "
        f"so that the network's answer stands in: {' and '.join(silent) or 'neither'}. Of their "
        f"differences {np.sum(gap <= 2 * error)} of {gap.size} lie within twice their standard "
        "error."
    )
    record = {"planes": float(by_planes.max()), "sides": float(gap.max())}
    return Table("real volume", "A real nucleus", text, record)


def results(stack: Volume, blur: ndb.VolumeBlurEstimate) -> dict[str, Volume]:
    """Observation and results of the methods."""
    nothing = np.zeros_like(blur.coefficients)
    ideal = ndb.VolumeBlurEstimate(nothing, nothing, blur.stack_optics)
    per_plane = ndb.estimate_blur(stack, optics=OPTICS, per="stack")
    return {
        "observed": stack,
        "plane by plane": ndb.deblur(stack, per_plane),
        "3-D, unaberrated PSF": ndb.deblur(stack, ideal),
        "3-D, its own PSF": ndb.deblur(stack, blur),
    }


def draw(volumes: dict[str, Volume], path: Path) -> None:
    """The brightest plane across and a section along the optical axis of each, in square root."""
    stack = volumes["observed"]
    z = int(stack.sum((1, 2)).argmax())
    y = int(stack[z].sum(1).argmax())
    height, width = stack.shape[1] * OPTICS.pixel_size_um, stack.shape[2] * OPTICS.pixel_size_um
    depth = len(stack) * Z_STEP_UM
    figure = Figure(figsize=(2.2 * len(volumes), 2.2 * (height + depth) / width + 0.5),
                    layout="constrained")  # fmt: skip
    axes = figure.subplots(
        2, len(volumes), gridspec_kw={"height_ratios": [height, depth]}, squeeze=False
    )
    for (name, volume), (above, below) in zip(volumes.items(), axes.T, strict=True):
        seen = np.sqrt(np.maximum(volume - np.percentile(stack, 0.5), 0))
        top = np.percentile(seen, 99.9)
        above.imshow(seen[z], cmap="gray", vmin=0, vmax=top, extent=(0, width, height, 0))
        below.imshow(seen[:, y], cmap="gray", vmin=0, vmax=top, extent=(0, width, depth, 0))
        above.set_title(name, fontsize=9)
        for panel in (above, below):
            panel.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("xy", rotation=0, labelpad=10)
    axes[1, 0].set_ylabel("xz", rotation=0, labelpad=10)
    axes[1, 0].plot([1, 6], [depth - 1, depth - 1], color="white", linewidth=2)
    axes[1, 0].text(3.5, depth - 1.4, "5 µm", color="white", ha="center", va="bottom", fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, draw, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stack", type=Path)
    parser.add_argument("--out", type=Path, help="folder for the picture")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.write:
        require_marks(given.docs / "real-data.md", ["real volume"])
    warnings.simplefilter("ignore")
    stack = tifffile.imread(given.stack).astype(np.float32)
    begun = time.perf_counter()
    blur = blur_of(stack)
    print(f"estimate of {stack.shape}: {time.perf_counter() - begun:.0f} s")
    if given.out is not None:
        draw(results(stack, blur), given.out / "real-volume.png")
    table = table_of(stack, blur)
    print(table.text)
    if given.write:
        record_in_page(given.docs / "real-data.md", [table])


if __name__ == "__main__":
    main()
