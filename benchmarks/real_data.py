"""Estimate and deblur two real stacks, check what a user relies on, draw the pictures.

    python benchmarks/real_data.py DATA_FOLDER --out docs/images

DATA_FOLDER holds `real_stacks/deconwolf_dapi_001.tif` and
`real_beads/pyotf_psf_wl520_na0.85_air.tif`.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import tifffile
import torch
from scipy.ndimage import gaussian_filter, shift

import napari_deepblur as ndb
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily

mpl.use("agg")
from matplotlib import pyplot as plt

NUCLEUS = (
    "real_stacks/deconwolf_dapi_001.tif",
    ndb.Optics(
        numerical_aperture=1.45, wavelength_um=0.461, pixel_size_um=0.13, refractive_index=1.512
    ),
)
BEAD = (
    "real_beads/pyotf_psf_wl520_na0.85_air.tif",
    ndb.Optics(
        numerical_aperture=0.85, wavelength_um=0.52, pixel_size_um=0.13, refractive_index=1.0
    ),
)


@dataclass(frozen=True)
class Run:
    """One stack with its blur and its deblurred version."""

    name: str
    optics: ndb.Optics
    image: np.ndarray
    blur: ndb.BlurEstimate
    sharp: np.ndarray


def run(folder: Path, path: str, optics: ndb.Optics) -> Run:
    """Estimate and deblur a stack, and show what was warned of."""
    image = tifffile.imread(folder / path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        blur = ndb.estimate_blur(image, optics=optics, axes="ZYX")
        sharp = ndb.deblur(image, blur, axes="ZYX")
    print(f"\n{path}: {image.shape} {image.dtype}, cutoff {optics.cutoff:.3f} cycles/pixel")
    for text in sorted({str(warning.message) for warning in caught}):
        print("  warning:", text)
    return Run(Path(path).stem, optics, image, blur, sharp)


def check(result: Run) -> None:
    """Print (and require) shape, type, flux and the share of undershooting pixels."""
    image, sharp = result.image.astype(np.float64), result.sharp.astype(np.float64)
    flux = sharp.sum() / image.sum() - 1
    background = np.percentile(image, 5)
    sigma = 1.4826 * np.median(np.abs(image[image <= np.median(image)] - background))
    below = (sharp < background - 3 * sigma).mean()
    print(f"  shape kept {result.sharp.shape == result.image.shape}, dtype {result.sharp.dtype}")
    print(f"  finite {np.isfinite(sharp).all()}, flux change {100 * flux:+.3f} %")
    print(f"  background {background:.1f} ± {sigma:.1f}, below −3σ: {100 * below:.4f} % of pixels")
    assert result.sharp.shape == result.image.shape
    assert result.sharp.dtype == np.float32
    assert np.isfinite(sharp).all()
    assert abs(flux) < 0.01
    assert below < 0.001


def measured_psf(plane: np.ndarray, centre: tuple[float, float], window: int) -> np.ndarray:
    """Bead in a plane, background removed, centred to a fraction of a pixel, sum 1."""
    half = window // 2
    row, column = (round(value) for value in centre)
    moved = shift(plane.astype(float), (row - centre[0], column - centre[1]), order=3)
    patch = moved[row - half : row + half + 1, column - half : column + half + 1]
    ring = np.concatenate([moved[:10].ravel(), moved[-10:].ravel()])
    patch = np.clip(patch - np.median(ring), 0, None)
    return patch / patch.sum()


def centre_of(stack: np.ndarray) -> tuple[int, float, float]:
    """Focal plane and position of the only bead."""
    focus = int(np.argmax(gaussian_filter(stack.astype(float), (0, 1, 1)).max((1, 2))))
    plane = gaussian_filter(stack[focus].astype(float), 2)
    plane = np.clip(plane - np.median(plane) - 0.2 * np.ptp(plane), 0, None)
    rows, columns = np.indices(plane.shape)
    return focus, (plane * rows).sum() / plane.sum(), (plane * columns).sum() / plane.sum()


def best_of_family(bead: np.ndarray, family: ZernikeFamily) -> np.ndarray:
    """The PSF of the family's modes that is nearest to the bead; it has no width besides."""
    modes = ZernikeFamily(family.noll_indices, limit_waves=family.limit_waves, cutoff=family.cutoff)
    space = EigenPsfSpace.of(modes)
    with torch.no_grad():
        gamma = space.fit(
            space.encode(torch.from_numpy(bead).float())[None], n_starts=64, n_iterations=40
        )
        return modes.psf(gamma)[0].numpy()


def compare_with_bead(result: Run, out: Path) -> None:
    """Print the PSF-SNR of each plane and draw the planes next to focus."""
    focus, row, column = centre_of(result.image)
    family = result.blur.family
    with torch.no_grad():
        unaberrated = family.psf(torch.zeros(family.n_coefficients)).numpy()
    shown = range(focus - 2, focus + 3)
    figure, axes = plt.subplots(4, len(shown), figsize=(11, 9), layout="constrained")
    print("  plane  z/µm  PSF-SNR estimated  best of family  unaberrated (dB)")
    for plane in range(len(result.image)):
        estimated = result.blur.psf(plane)
        bead = measured_psf(result.image[plane], (row, column), estimated.shape[0])
        answers = (estimated, best_of_family(bead, family), unaberrated)
        snr = [float(psf_snr(torch.from_numpy(a), torch.from_numpy(bead))) for a in answers]
        print(f"  {plane:5d} {0.3 * (plane - focus):+6.1f}" + "".join(f"{x:15.1f}" for x in snr))
        if plane in shown:
            column_axes = axes[:, plane - focus + 2]
            for axis, picture in zip(column_axes, (bead, *answers), strict=True):
                axis.imshow(np.sqrt(picture), cmap="magma", vmin=0, vmax=np.sqrt(bead.max()))
                axis.set(xticks=[], yticks=[])
            column_axes[0].set_title(f"z = {0.3 * (plane - focus):+.1f} µm")
            for axis, value in zip(column_axes[1:], snr, strict=True):
                axis.set_xlabel(f"{value:.1f} dB")
    names = ("bead", "estimated", "best of the family", "unaberrated")
    for axis, label in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(label)
    figure.suptitle("A measured bead and three answers (square root of intensity; PSF-SNR)")
    figure.savefig(out / "bead-psf.png", dpi=90)


def draw_before_after(result: Run, out: Path) -> None:
    """Draw the sharpest plane before and after, and the estimated PSF."""
    plane = int(np.argmax(result.image.astype(float).std((1, 2))))
    before, after, psf = result.image[plane], result.sharp[plane], result.blur.psf(plane)
    if before.shape[0] > before.shape[1]:
        before, after, psf = before.T, after.T, psf.T
    limits = np.percentile(before, 0.5), np.percentile(after, 99.9)
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    for axis, picture, title in zip(
        axes, (before, after), (f"observed, plane {plane}", "deblurred"), strict=False
    ):
        axis.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1])
        axis.set_title(title)
    axes[2].imshow(np.sqrt(psf), cmap="magma")
    axes[2].set_title("estimated PSF (square root)")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    figure.savefig(out / f"{result.name}.png", dpi=110)


def main() -> None:
    """Run both stacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for stack in (NUCLEUS, BEAD):
        result = run(arguments.data, *stack)
        check(result)
        if stack is BEAD:
            compare_with_bead(result, arguments.out)
        else:
            draw_before_after(result, arguments.out)


if __name__ == "__main__":
    main()
