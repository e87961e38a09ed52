"""Estimate and remove the 3-D blur of simulated stacks, beside scikit-image's Richardson-Lucy.

    python benchmarks/volume.py --n 6 --slow 3 [--jobs 2] [--pollen sharp.tif] [--write]

Each row is a kind of sample and of noise; each of its n stacks (--slow for pollen and for samples
that go on outside) has a blur of its own. The first `--deblurred` of them are deblurred too, with
the blur that was found and with the true one. With `--beside`, the column classical holds what
Richardson-Lucy with the unaberrated PSF reaches, at the best of three stops, which is chosen with
the truth. `--write` puts the table into accuracy.md of the folder --docs.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.restoration import richardson_lucy

import napari_deepblur as ndb
from napari_deepblur.engine.volume.doubt import standard_errors
from napari_deepblur.engine.volume.identify import Identification
from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks

OPTICS = ndb.Optics(
    numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09, refractive_index=1.518
)
Z_STEP_UM = 0.25
SHAPE = (32, 128, 128)
AROUND = (16, 60, 60)
MODES = (5, 6, 7, 8, 9, 10, 11)
STOPS = (10, 30, 80)
Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """A kind of sample, photons at the peak, border, and a Gaussian that nobody knows of."""

    name: str
    kind: str
    photons: float = 200
    periodic: bool = True
    broadening_px: float = 0.0


ROWS = [
    *(Row(f"{kind}, {photons} photons", kind, photons) for photons in (200, 30)
      for kind in ("nuclei", "points", "filaments", "one plane")),
    *(Row(f"{kind}, unknown 0.4 px", kind, broadening_px=0.4) for kind in ("nuclei", "points")),
    *(Row(f"{kind}, goes on outside", kind, periodic=False)
      for kind in ("nuclei", "points", "filaments")),
]  # fmt: skip


def nuclei(shape: tuple[int, ...], rng: np.random.Generator) -> Volume:
    """Textured balls."""
    sharp = np.zeros(shape, np.float32)
    z, y, x = np.indices(shape, sparse=True)
    for _ in range(max(1, round(5 * sharp.size / np.prod(SHAPE)))):
        centre = rng.uniform(0.2, 0.8, 3) * shape
        radius = rng.uniform(12, 20)
        away = ((z - centre[0]) * 2.8) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        texture = gaussian_filter(rng.normal(size=shape).astype(np.float32), (0.7, 1.5, 1.5))
        sharp += (away < radius**2) * np.exp(texture / texture.std())
    return sharp


def points(shape: tuple[int, ...], rng: np.random.Generator) -> Volume:
    """Single voxels of different brightness."""
    sharp = np.zeros(shape, np.float32)
    n = round(120 * sharp.size / np.prod(SHAPE))
    sharp[tuple(rng.integers(0, side, n) for side in shape)] = rng.uniform(0.3, 1, n)
    return sharp


def filaments(shape: tuple[int, ...], rng: np.random.Generator) -> Volume:
    """Bent lines that lie rather flat."""
    sharp = np.zeros(shape, np.float32)
    for _ in range(round(40 * sharp.size / np.prod(SHAPE))):
        place, course = rng.uniform(0, 1, 3) * shape, rng.normal(size=3) * (0.2, 1, 1)
        for _ in range(150):
            course += rng.normal(size=3) * (0.024, 0.08, 0.08)
            course /= np.linalg.norm(course)
            place = place + course / 2
            voxel = tuple(np.round(place).astype(int))
            if all(0 <= index < side for index, side in zip(voxel, shape, strict=True)):
                sharp[voxel] += 1
    return sharp


def one_plane(shape: tuple[int, ...], rng: np.random.Generator) -> Volume:
    """A texture in a single plane."""
    sharp = np.zeros(shape, np.float32)
    texture = gaussian_filter(rng.normal(size=shape[1:]), 1.5)
    sharp[shape[0] // 2] = np.exp(texture / texture.std())
    return sharp


DRAW = {"nuclei": nuclei, "points": points, "filaments": filaments, "one plane": one_plane}


@dataclass(frozen=True)
class Case:
    """One simulated stack: observed, true, and its coefficients."""

    stack: Volume
    sharp: Volume
    gamma: Volume


def simulate(row: Row, seed: int, pollen: Volume | None) -> Case:
    """Draw a sample, blur it on a torus, cut the view out, and count photons."""
    rng = np.random.default_rng(seed)
    gamma = rng.uniform(-0.15, 0.15, len(MODES)).astype(np.float32)
    shape = SHAPE if row.periodic else tuple(np.add(SHAPE, np.multiply(2, AROUND)).tolist())
    sharp = pollen if row.kind == "pollen" else DRAW[row.kind](shape, rng)
    transfer = microscope(row).pupil(shape).transfer(torch.from_numpy(gamma))
    blurred = torch.fft.irfftn(torch.fft.rfftn(torch.from_numpy(sharp)) * transfer, s=shape)
    seen = blurred.clamp_min(0).numpy()
    if not row.periodic:
        view = tuple(slice(width, -width) for width in AROUND)
        seen, sharp = seen[view], sharp[view]
    counts = rng.poisson(seen / seen.max() * row.photons + 0.02 * row.photons)
    return Case(counts.astype(np.float32), sharp, gamma)


def microscope(row: Row) -> StackOptics:
    """The true one."""
    return StackOptics(OPTICS, Z_STEP_UM, broadening_px=row.broadening_px, noll_indices=MODES)


def estimate(row: Row, case: Case) -> tuple[ndb.VolumeBlurEstimate, StackOptics]:
    """The blur as a user finds it; where the sample is periodic, on its own torus."""
    if not row.periodic:
        blur = ndb.estimate_blur(case.stack, optics=OPTICS, per="volume", z_step_um=Z_STEP_UM)
        return blur, blur.stack_optics
    known = StackOptics(OPTICS, Z_STEP_UM)
    photons = photons_of(case.stack, OPTICS.cutoff)
    two = tuple(torch.from_numpy(half) for half in halves(photons.values))
    with torch.no_grad():
        work = Identification(
            known.pupil(SHAPE), two, photons.background / 2, prior_std=known.prior_std
        )
        for _ in work.run():
            pass
    left = work.left if work.left is not None else torch.full_like(work.coefficients, torch.nan)
    std = standard_errors(left, known.prior_std).numpy()[None]
    return ndb.VolumeBlurEstimate(work.coefficients.numpy()[None], std, known), known


def unaberrated(known: StackOptics) -> ndb.VolumeBlurEstimate:
    """What is taken for the blur where nothing is known of it."""
    nothing = np.zeros((1, len(known.noll_indices)), np.float32)
    return ndb.VolumeBlurEstimate(nothing, np.zeros_like(nothing), known)


def psf_snr(row: Row, case: Case, blur: ndb.VolumeBlurEstimate, known: StackOptics) -> float:
    """3-D PSF-SNR, dB."""
    true = microscope(row).pupil(SHAPE).psf(torch.from_numpy(case.gamma))
    found = known.pupil(SHAPE).psf(torch.from_numpy(blur.coefficients[0]))
    return float(-10 * torch.log10((found - true).square().sum() / true.square().sum()))


def correlation(one: Volume, other: Volume) -> float:
    """Correlation of two volumes, both smoothed by 90 nm."""
    width = (0.09 / Z_STEP_UM, 1, 1)
    smooth = (gaussian_filter(volume, width).ravel() for volume in (one, other))
    return float(np.corrcoef(*smooth)[0, 1])


def classical(case: Case) -> float:
    """Best of several stops of Richardson-Lucy with the unaberrated PSF."""
    psf = StackOptics(OPTICS, Z_STEP_UM, broadening_px=0).psf(
        torch.zeros(len(StackOptics(OPTICS, Z_STEP_UM).noll_indices)), (31, 65, 65)
    )
    image = case.stack - 0.9 * np.quantile(gaussian_filter(case.stack, 1.5), 0.001)
    image = np.maximum(image, 1e-3) / image.max()
    results = (richardson_lucy(image, psf.numpy(), n, clip=False) for n in STOPS)
    return max(correlation(result, case.sharp) for result in results)


def measure(
    row: Row, seed: int, pollen: Volume | None, *, deblurs: bool, beside: bool
) -> dict[str, float]:
    """Figures of one stack."""
    torch.set_num_threads(1)
    case = simulate(row, seed, pollen)
    begun = time.process_time()
    blur, known = estimate(row, case)
    estimated = time.process_time()
    figures = {
        "psf_snr": psf_snr(row, case, blur, known),
        "floor": psf_snr(row, case, unaberrated(known), known),
        "estimate_s": estimated - begun,
        "observed": correlation(case.stack, case.sharp),
    }
    if not deblurs:
        return figures
    begun = time.process_time()
    figures["deblurred"] = correlation(ndb.deblur(case.stack, blur), case.sharp)
    figures["deblur_s"] = time.process_time() - begun
    whole = np.zeros((1, len(known.noll_indices)), np.float32)
    whole[0, : len(MODES)] = case.gamma
    true = ndb.VolumeBlurEstimate(whole, np.zeros_like(whole), known)
    figures["with_true_psf"] = correlation(ndb.deblur(case.stack, true), case.sharp)
    if beside:
        figures["classical"] = classical(case)
    return figures


#: Correlations with the sharp stack, and what they are called.
CORRELATIONS = {
    "observed": "observed",
    "deblurred": "deblurred",
    "with_true_psf": "with the true PSF",
    "classical": "Richardson–Lucy",
}


def table_of(results: dict[str, list[dict[str, float]]], *, beside: bool) -> Table:
    """Means of each row."""
    columns = {key: title for key, title in CORRELATIONS.items() if beside or key != "classical"}
    head = ["sample", "PSF-SNR (least), dB", "unaberrated PSF, dB", *columns.values(),
            "estimate, deblur: CPU seconds"]  # fmt: skip
    rows, record = [], {}
    for name, measured in results.items():
        means = {
            key: float(np.mean([one[key] for one in measured if key in one]))
            for key in {key for one in measured for key in one}
        }
        least = min(one["psf_snr"] for one in measured)
        cells = [f"{means[key]:.3f}" if key in means else "" for key in columns]
        seconds = f"{means['estimate_s']:.0f}, {means['deblur_s']:.0f}"
        rows.append([name, f"**{means['psf_snr']:.1f}** ({least:.1f})", f"{means['floor']:.1f}",
                     *cells, seconds])  # fmt: skip
        record |= {f"{name} {key}": value for key, value in means.items()}
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    text = f"{markdown(head, rows)}\n\nLargest memory of a process {memory:.1f} GB."
    return Table("volume beside" if beside else "volume", "Volume", text, record)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=6, help="stacks of each row")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--slow", type=int, default=3, help="stacks of each row that takes long")
    parser.add_argument("--deblurred", type=int, default=2, help="of these, stacks to deblur")
    parser.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--only", nargs="*", help="begins the names of the rows to measure")
    parser.add_argument("--pollen", type=Path, help="a sharp 3-D structure, TIFF (Z, Y, X)")
    parser.add_argument("--beside", action="store_true", help="Richardson-Lucy too")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.write:
        require_marks(given.docs / "accuracy.md", ["volume beside" if given.beside else "volume"])
    rows, pollen = list(ROWS), None
    if given.pollen is not None:
        from tifffile import imread

        volume = imread(given.pollen)[:, 64:192, 64:192].astype(np.float32)
        pollen = np.maximum(volume - np.percentile(volume, 5), 0)
        rows.append(Row("pollen, 200 photons", "pollen"))
    chosen = [row for row in rows if not given.only or row.name.startswith(tuple(given.only))]
    results: dict[str, list[dict[str, float]]] = {row.name: [] for row in chosen}
    with ProcessPoolExecutor(given.jobs) as pool:
        running = {
            pool.submit(
                measure,
                row,
                given.first + number,
                pollen,
                deblurs=number < given.deblurred,
                beside=given.beside,
            ): (row.name, given.first + number)
            for number in range(given.n)
            for row in chosen
            if number < given.slow or (row.periodic and row.kind != "pollen")
        }
        for done in as_completed(running):
            name, seed = running[done]
            results[name].append(done.result())
            figures = {key: round(value, 3) for key, value in done.result().items()}
            print(name, seed, json.dumps(figures), flush=True)
    table = table_of(results, beside=given.beside)
    print(table.text)
    if given.write:
        record_in_page(given.docs / "accuracy.md", [table])


if __name__ == "__main__":
    main()
