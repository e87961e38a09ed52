"""A real light-sheet stack at coarse pixels: its blur, that of its halves, and what is left.

    python benchmarks/real_light_sheet.py STACK --model runs/sheet [--out FOLDER] [--write]

STACK is simview_drosophila_lightsheet.tif, a part of a SiMView recording (16 ×, NA 0.8, pixels of
0.406 µm), which is not part of this project. `--write` puts the
table into real-data.md of the folder --docs.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import tifffile
from matplotlib.figure import Figure
from numpy.typing import NDArray

import napari_deepblur as ndb
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks
from napari_deepblur.optics.field import field_grid

OPTICS = ndb.Optics(
    numerical_aperture=0.8, wavelength_um=0.61, pixel_size_um=0.406, refractive_index=1.333
)
PLACES = field_grid(4, 4)
NAME = "real light sheet"
Stack = NDArray[np.float32]


def psfs_of(stack: Stack, model: str) -> tuple[ndb.BlurEstimate, Stack]:
    """One blur of all planes, and its PSFs over the field."""
    blur = ndb.estimate_blur(stack, optics=OPTICS, model=model, axes="ZYX", per="stack")
    return blur, blur.psf_field(0, PLACES)


def row(name: str, psfs: Stack, whole: Stack) -> list[str]:
    """Widths over the field, and likeness to the PSFs of the whole stack."""
    import torch

    widths = np.array([psf_width(psf) for psf in psfs]) * OPTICS.pixel_size_um
    alike = (
        ""
        if psfs is whole
        else f"{float(psf_snr(*map(torch.from_numpy, (psfs, whole))).mean()):.1f}"
    )
    return [
        name,
        *(f"{width:.2f}" for width in (widths.min(), np.median(widths), widths.max())),
        alike,
    ]


def draw(plane: Stack, sharp: Stack, path: Path) -> None:
    """Save a plane before and after, each between its own percentiles."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    for axes, image, title in zip(
        figure.subplots(1, 2), (plane, sharp), ("observed", "deblurred"), strict=True
    ):
        axes.imshow(
            image, cmap="gray", vmin=np.percentile(image, 1), vmax=np.percentile(image, 99.7)
        )
        axes.set_title(title)
        axes.set_axis_off()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model", required=True, help="folder of a model for such pixels")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    page = given.docs / "real-data.md"
    if given.write:
        require_marks(page, [NAME])
    warnings.simplefilter("ignore")
    stack = tifffile.imread(given.stack).astype(np.float32)[1:]  # its first plane is empty
    blur, whole = psfs_of(stack, given.model)
    middle = len(stack) // 2
    parts = {
        "even planes": stack[::2],
        "odd planes": stack[1::2],
        "first half of the planes": stack[:middle],
        "second half": stack[middle:],
    }
    rows = [row("all planes", whole, whole)]
    rows += [row(name, psfs_of(part, given.model)[1], whole) for name, part in parts.items()]
    sharp = ndb.deblur(stack, blur, axes="ZYX")
    check = ndb.check_deblurring(stack, sharp, blur, axes="ZYX")
    head = ("read off", "narrowest, µm", "median", "widest", "PSF-SNR to all planes, dB")
    concerns = "; ".join(str(one) for one in blur.concerns[0]) or "none"
    text = (
        f"{markdown(head, rows)}\n\nResidual by the noise, deblurred with the blur of all planes: "
        f"{np.nanmedian(check.residual):.2f} (median of the planes; "
        f"{np.nanmin(check.residual):.2f} to {np.nanmax(check.residual):.2f}). "
        f"Warnings: {concerns}."
    )
    print(text)
    if given.out:
        index = middle
        draw(stack[index], sharp[index], given.out / "real-light-sheet.png")
    if given.write:
        record_in_page(page, [Table(NAME, "", text, {})])


if __name__ == "__main__":
    main()
