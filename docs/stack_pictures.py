"""Pictures of the sample z-stack for the documentation.

    deepblur demo --sample lymphocyte --no-gui --out deepblur-demo
    python docs/stack_pictures.py deepblur-demo [FOLDER]

Brightness is shown by its square root, so that haze and the cones of a PSF are seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_deepblur.io import read_image
from napari_deepblur.samples import SAMPLES

Volume = NDArray[np.float32]

#: Plane and row of the stack that are shown.
PLANE, ROW = 7, 40

#: What is shown of a stack, and which of its sides goes down the page.
View = tuple[Callable[[Volume], Volume], int]


def draw(
    volumes: dict[str, Volume],
    views: dict[str, View],
    scale_um: tuple[float, ...],
    *,
    brightest: float,
    bar_um: float,
    path: Path,
) -> None:
    """Draw a column for each volume, a row for each view, all at one scale.

    Parameters
    ----------
    volumes
        By their titles, shape (Z, Y, X).
    views
        By their names.
    scale_um
        Sides of a voxel.
    brightest
        Percentile of the voxels that is white.
    bar_um
        Length of the scale bar.
    path
        PNG to write.
    """
    first = next(iter(volumes.values()))
    width = first.shape[-1] * scale_um[-1]
    heights = [first.shape[side] * scale_um[side] for _, side in views.values()]
    size = (2.6 * len(volumes) + 0.2, 2.6 / width * sum(heights) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(views), len(volumes), height_ratios=heights, squeeze=False)
    for (title, volume), column in zip(volumes.items(), axes.T, strict=True):
        low, high = np.percentile(volume, (1, brightest))
        bright = np.sqrt(np.clip((volume - low) / (high - low), 0, 1))
        for (view, _), height, ax in zip(views.values(), heights, column, strict=True):
            extent = (0, width, height, 0)
            ax.imshow(view(bright), cmap="gray", vmin=0, vmax=1, extent=extent)
            ax.set(xticks=[], yticks=[])
        column[0].set_title(title, fontsize="medium")
        bar = (np.array([0, bar_um]) + 0.06 * width, [0.94 * heights[0]] * 2)
        column[0].plot(*bar, "w", lw=3)
    for name, ax in zip(views, axes[:, 0], strict=True):
        ax.set_ylabel(name)
    place = (0.06 * width, 0.92 * heights[0])
    axes[0, 0].text(*place, f"{bar_um:g} µm", color="w", fontsize="small", va="bottom")
    figure.savefig(path, format="png", dpi=110)


def main(demo: Path, folder: Path) -> None:
    """Draw the stack before and after, and its PSF beside the true one."""
    sample = SAMPLES["lymphocyte"]()
    known = sample.stack_optics
    assert known is not None
    names = {"observed": "observed", "deblurred": "deblurred", "sharp": "truth"}
    volumes = {
        title: np.asarray(read_image(demo / f"{name}.ome.tif").data)
        for name, title in names.items()
    }
    # Rounding differs between machines, and with it a few photons of the observed stack.
    if not np.array_equal(volumes["truth"], sample.sharp):
        raise SystemExit(f"{demo} does not hold the demo of the sample lymphocyte")
    views: dict[str, View] = {
        "one plane": (lambda stack: stack[PLANE], 1),
        "all planes, brightest": (lambda stack: stack.max(0), 1),
        "section along z": (lambda stack: stack[:, ROW], 0),
    }
    scale = sample.scale_um
    path = folder / "z-stack.png"
    draw(volumes, views, scale, brightest=99.95, bar_um=2, path=path)
    found = np.asarray(read_image(demo / "psf.ome.tif").data)
    gamma = torch.from_numpy(sample.coefficients[0])
    psfs = {
        "PSF found": found,
        "true PSF": known.psf(gamma, found.shape).numpy(),
        "perfect objective": known.psf(torch.zeros_like(gamma), found.shape).numpy(),
    }
    psfs = {title: psf[4:-4, 8:-8, 8:-8] for title, psf in psfs.items()}
    depth, height, _ = (side // 2 for side in psfs["true PSF"].shape)
    views = {
        "in focus": (lambda psf: psf[depth], 1),
        "section along z": (lambda psf: psf[:, height], 0),
    }
    draw(psfs, views, scale, brightest=100, bar_um=1, path=folder / "z-stack-psf.png")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), Path(*sys.argv[2:]) if sys.argv[2:] else Path(__file__).parent / "images"
    )
