"""Read a microscope's pupil off a z-stack of one bead, and what samples blurred with it tell.

    python benchmarks/bead_stack.py psf_wl520nm_z300nm_x130nm_na0.85_n1.0.tif [--write]

The file is fixtures/psf_wl520nm_z300nm_x130nm_na0.85_n1.0.tif of david-hoffman/pyOTF, and the
defaults of the options are its optics. `--write` puts the tables into accuracy.md of the folder
--docs.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.ndimage import fourier_shift
from scipy.optimize import minimize
from tifffile import imread
from volume import nuclei, points

import napari_deepblur as ndb
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks

Volume = NDArray[np.float32]
SIDE = 128
#: Planes of the view and of the sample in it: no light of the sample is seen so far out of focus
#: that the bead's stack does not hold it.
VIEW, SAMPLE = 17, 9
#: Pixels around the view.
AROUND = 40
PHOTONS = 200
MODES = range(5, 12)


def psf_snr(bead: Volume, blur: ndb.VolumeBlurEstimate, z_step_um: float) -> float:
    """Energy of the bead by that of its difference to the PSF, which is moved to it, dB."""
    blur = blur.at_voxel_size(blur.optics.pixel_size_um, z_step_um)
    # Moved in Fourier space, where what leaves on one side comes in on the other.
    depth, side = 2 * bead.shape[0] + 1, SIDE + AROUND + 1
    psf = blur.psf_3d((depth, side, side)).astype(float)
    view = tuple((large - small) // 2 for large, small in zip(psf.shape, bead.shape, strict=True))
    spectrum, ones = np.fft.fftn(psf), np.ones(bead.size)
    peak = np.unravel_index(bead.argmax(), bead.shape)
    start = np.array(peak) + view - np.array(psf.shape) // 2

    def left(shift: NDArray[np.float64]) -> float:
        moved = np.fft.ifftn(fourier_shift(spectrum, shift)).real
        seen = moved[tuple(slice(n, n + m) for n, m in zip(view, bead.shape, strict=True))]
        design = np.stack([seen.ravel(), ones], 1)
        (scale, level), *_ = np.linalg.lstsq(design, bead.ravel().astype(float), rcond=None)
        error = np.square(bead - level - scale * seen).sum()
        return float(error / np.square(bead - level).sum())

    found = minimize(left, start, method="Nelder-Mead", options={"xatol": 0.01, "fatol": 1e-5})
    return float(-10 * np.log10(found.fun))


def measured_psf(bead: Volume, domain: tuple[int, ...]) -> Volume:
    """The bead's stack itself as a PSF on a domain, its brightest voxel at the origin, sum 1."""
    peak = np.unravel_index(bead.argmax(), bead.shape)
    edge = np.concatenate([bead[:, :4].ravel(), bead[:, -4:].ravel()])
    whole = np.zeros(domain, np.float32)
    part = tuple(slice(side) for side in bead.shape)
    whole[part] = bead - np.median(edge)
    whole = np.roll(whole, [-int(place) for place in peak], (0, 1, 2))
    return np.asarray(whole / whole.sum(), np.float32)


def photograph(sharp: Volume, psf: Volume, rng: np.random.Generator) -> Volume:
    """Blur a sample with the measured PSF and count photons in the view."""
    blurred = irfftn(rfftn(sharp) * rfftn(psf), s=sharp.shape)
    planes = (sharp.shape[0] - VIEW) // 2
    seen = blurred[planes : planes + VIEW, AROUND:-AROUND, AROUND:-AROUND].clip(0)
    counts = rng.poisson(seen / seen.max() * PHOTONS + 0.02 * PHOTONS)
    return counts.astype(np.float32)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bead", type=Path, help="z-stack of one bead, TIFF (Z, Y, X)")
    parser.add_argument("--na", type=float, default=0.85)
    parser.add_argument("--wavelength", type=float, default=0.52)
    parser.add_argument("--refractive-index", type=float, default=1.0)
    parser.add_argument("--pixel-size", type=float, default=0.13)
    parser.add_argument("--z-step", type=float, default=0.3)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.write:
        require_marks(given.docs / "accuracy.md", ["bead-stack"])
    warnings.filterwarnings("ignore", "3-D blurs are new")
    optics = ndb.Optics(
        numerical_aperture=given.na,
        wavelength_um=given.wavelength,
        pixel_size_um=given.pixel_size,
        refractive_index=given.refractive_index,
    )
    stack = imread(given.bead).astype(np.float32)
    peak = np.unravel_index(stack.argmax(), stack.shape)
    bead = stack[:, *(slice(centre - SIDE // 2, centre + SIDE // 2) for centre in peak[1:])]
    step = given.z_step
    found = {
        "bead": ndb.blur_from_bead(bead, optics=optics, z_step_um=step),
        "even planes": ndb.blur_from_bead(bead[::2], optics=optics, z_step_um=2 * step),
        "odd planes": ndb.blur_from_bead(bead[1::2], optics=optics, z_step_um=2 * step),
    }
    whole = found["bead"]
    usual = StackOptics(optics, step)
    found["bead, with the usual width"] = replace(whole, stack_optics=usual)
    record = {}
    for name, blur in found.items():
        record[f"{name} psf_snr"] = psf_snr(bead, blur, step)
        record[f"{name} broadening_px"] = blur.stack_optics.broadening_px
    domain = (VIEW + 24, SIDE + 2 * AROUND, SIDE + 2 * AROUND)
    psf = measured_psf(bead, domain)
    for kind in (points, nuclei):
        rng = np.random.default_rng(0)
        sharp = np.zeros(domain, np.float32)
        first = (domain[0] - SAMPLE) // 2
        drawn = kind((VIEW, *domain[1:]), rng)
        sharp[first : first + SAMPLE] = drawn[(VIEW - SAMPLE) // 2 :][:SAMPLE]
        name = f"blindly, {kind.__name__}"
        found[name] = ndb.estimate_blur(
            photograph(sharp, psf, rng), optics=optics, per="volume", z_step_um=step
        )
        record[f"{name} psf_snr"] = psf_snr(bead, found[name], step)
        print(name, found[name].coefficients.round(3), record[f"{name} psf_snr"], flush=True)
    table = table_of(found, record)
    print(table.text)
    if given.write:
        record_in_page(given.docs / "accuracy.md", [table])


def table_of(found: dict[str, ndb.VolumeBlurEstimate], record: dict[str, float]) -> Table:
    """Coefficients, and how the PSF of each fits the bead."""
    names = found["bead"].coefficient_names
    head = ["read off", *names[: len(MODES)], names[-1], "width, px", "PSF-SNR, dB"]
    rows = []
    for name, blur in found.items():
        gamma = blur.coefficients[0]
        record |= {f"{name} {mode}": float(value) for mode, value in zip(names, gamma, strict=True)}
        cells = [f"{value:+.3f}" for value in (*gamma[: len(MODES)], gamma[-1])]
        rows.append(
            [
                name,
                *cells,
                f"{blur.stack_optics.broadening_px:.2f}",
                f"{record[f'{name} psf_snr']:.1f}",
            ]
        )
    return Table("bead-stack", "Bead stack", markdown(head, rows), record)


if __name__ == "__main__":
    main()
