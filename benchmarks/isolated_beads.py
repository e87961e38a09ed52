"""Measure what is read off images of beads: simulated ones, and a measured one through focus.

    python benchmarks/isolated_beads.py DATA_FOLDER \
        --images natural=data/natural --images fluorescence=data/fluorescence --write

DATA_FOLDER holds `real_beads/pyotf_psf_wl520_na0.85_air.tif` and
`real_beads/aovift_theoretical_richards_wolf.tif`. `--write` puts the tables into accuracy.md and
the picture into images/isolated-beads.png of the folder --docs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import tifffile
import torch
from bead_planes import OPTICS, WINDOW, cropped
from matplotlib.figure import Figure
from numpy.typing import NDArray
from real_data import centre_of
from scipy.ndimage import fourier_shift
from scipy.optimize import minimize
from scipy.signal import resample
from tqdm import tqdm

import napari_deepblur as ndb
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import DEFAULT_MODEL, Model, load_model
from napari_deepblur.engine.noise import noise_model
from napari_deepblur.evaluation import (
    Bench,
    Table,
    held_out,
    markdown,
    record_in_page,
    require_marks,
)
from napari_deepblur.evaluation.bench import noisy, optics_at
from napari_deepblur.samples.isolated_beads import draw_isolated_beads, photograph_beads

Array = NDArray[np.float64]

Z_STEP_UM = 0.3
#: Farthest planes of the measured bead that are shown, µm from focus.
FARTHEST_UM = 0.8
#: Extra blur of simulated microscopes, λ / 4NA: a pixel, and a little more.
WIDTHS = (0.2, 0.6)
#: The simulated microscope of vectorial optics, and its planes.
VECTORIAL = ndb.Optics(
    numerical_aperture=1.0, wavelength_um=0.515, pixel_size_um=0.097, refractive_index=1.33
)
VECTORIAL_STEP_UM, VECTORIAL_DEPTHS_UM = 0.1, (-0.5, -0.2, 0.0, 0.2, 0.5)


@dataclass(frozen=True)
class Scene:
    """Simulated images of one kind."""

    photons: float = 200.0
    n_beads: int = 10
    diameter_um: float = 0.1
    read_noise: float = 0.01
    cutoff: float = 0.25


USUAL = Scene()
SCENES = (
    USUAL,
    *(replace(USUAL, photons=n) for n in (20.0, 50.0, 2000.0)),
    *(replace(USUAL, n_beads=n) for n in (1, 3, 50)),
    *(replace(USUAL, diameter_um=d) for d in (0.2, 0.3, 0.5)),
    *(replace(USUAL, read_noise=s) for s in (0.0, 0.05)),
    *(replace(USUAL, cutoff=c) for c in (0.15, 0.35)),
    Scene(photons=20.0, n_beads=1),
    Scene(photons=20.0, n_beads=50, read_noise=0.05),
    Scene(photons=2000.0, n_beads=50, diameter_um=0.5),
)


@dataclass(frozen=True)
class Reading:
    """One image, read with and without regard to its beads."""

    n_beads: int
    snr: float
    snr_without: float
    within: float  # share of the coefficients within two standard errors
    seconds: float


def estimate(image: NDArray[np.float32], optics: ndb.Optics, model: Model) -> ndb.BlurEstimate:
    """Estimate as a user does."""
    return ndb.estimate_blur(image, optics=optics, model=model)


def estimate_without(
    image: NDArray[np.float32], optics: ndb.Optics, model: Model
) -> ndb.BlurEstimate:
    """Estimate with no regard to beads."""
    with patch("napari_deepblur.engine.plane_features.isolated_beads", return_value=None):
        return estimate(image, optics, model)


def snr_of(blur: ndb.BlurEstimate, truth: torch.Tensor, model: Model) -> float:
    """PSF-SNR in dB at the canonical cutoff."""
    gamma = torch.from_numpy(blur.coefficients)
    return float(psf_snr(model.family.psf(gamma), model.family.psf(truth[None]))[0])


def within(blur: ndb.BlurEstimate, truth: torch.Tensor, model: Model) -> float:
    """Share of the true coefficients, or their twins, within two standard errors."""
    found, std = torch.from_numpy(blur.coefficients[0]), torch.from_numpy(blur.std[0])
    either = torch.stack([truth, model.family.admissible_set.twin(truth)])
    errors = (found - either).abs()
    nearest = errors[errors.square().sum(1).argmin()]
    return float((nearest <= 2 * std).float().mean())


def read_scene(scene: Scene, model: Model, n_images: int) -> list[Reading]:
    """Read simulated images, each with another blur."""
    optics = optics_at(scene.cutoff)
    family = model.family.at_optics(optics)
    truths = family.admissible_set.sample(n_images, seed=1)
    low, high = WIDTHS
    truths[:, -1] = low + (high - low) * torch.rand(n_images, generator=torch.manual_seed(2))
    readings = []
    for seed, truth in enumerate(truths):
        image = draw_isolated_beads(
            family, truth.numpy(), pixel_size_um=optics.pixel_size_um, n_beads=scene.n_beads,
            photons=scene.photons, diameter_um=scene.diameter_um, read_noise=scene.read_noise,
            seed=seed,
        )  # fmt: skip
        begin = time.process_time()
        blur = estimate(image, optics, model)
        seconds = time.process_time() - begin
        other = estimate_without(image, optics, model)
        readings.append(
            Reading(
                sum(blur.n_beads),
                snr_of(blur, truth, model),
                snr_of(other, truth, model),
                within(blur, truth, model),
                seconds,
            )
        )
    return readings


def simulated_table(model: Model, n_images: int) -> Table:
    """Simulated images of all kinds."""
    head = [
        "photons", "beads", "diameter (µm)", "σ", "f_c", "read from beads",
        "PSF-SNR mean / median / lowest (dB)", "without regard to beads (dB)", "coverage",
        "processor time (s)",
    ]  # fmt: skip
    rows, figures = [], {}
    for scene in tqdm(SCENES, "simulated beads", disable=None):
        readings = read_scene(scene, model, n_images)
        snr = np.array([one.snr for one in readings])
        without = np.mean([one.snr_without for one in readings])
        read = np.array([one.n_beads > 0 for one in readings])
        covered = np.mean([one.within for one in readings])
        rows.append(
            [
                f"{scene.photons:g}", f"{scene.n_beads}", f"{scene.diameter_um:g}",
                f"{scene.read_noise:g}", f"{scene.cutoff:g}", f"{read.mean():.0%}",
                f"**{snr.mean():.1f}** / {np.median(snr):.1f} / {snr.min():.1f}",
                f"{without:.1f}", f"{covered:.0%}",
                f"{np.median([one.seconds for one in readings]):.1f}",
            ]
        )  # fmt: skip
        print(rows[-1], flush=True)
        figures[f"{scene} psf_snr"] = float(snr.mean())
        figures[f"{scene} coverage"] = float(covered)
    text = f"{n_images} blurs in each row.\n\n{markdown(head, rows)}"
    return Table("isolated beads", "Simulated beads", text, figures)


def halves_of(plane: Array, rng: np.random.Generator) -> tuple[Array, Array, float]:
    """Share the photons of a plane at random among two planes; and counts per photon.

    Each of the two is a plane of half the exposure, whose noise knows nothing of the other's.
    """
    gain = noise_model(plane.astype(np.float32), OPTICS.cutoff).gain
    offset = float(np.quantile(plane, 0.001)) - 3 * gain
    photons = ((plane - offset) / gain).clip(0)
    whole = np.floor(photons + rng.random(plane.shape)).astype(int)
    first = rng.binomial(whole, 0.5)
    return first.astype(float), (whole - first).astype(float), gain


def nearest_snr(psf: NDArray[np.floating], measured: Array) -> float:
    """PSF-SNR in dB of a PSF, moved by fractions of a pixel to where it fits best."""
    around = 8
    spectrum = np.fft.fft2(np.pad(psf, around))
    inside = slice(around, -around)

    def left(shift: Array) -> float:
        moved = np.fft.ifft2(fourier_shift(spectrum, shift)).real[inside, inside]
        return float(np.square(moved / moved.sum() - measured).sum())

    found = min(
        (minimize(left, start, method="Nelder-Mead") for start in ((0, 0), (0.5, 0.5))),
        key=lambda one: one.fun,
    )
    return float(-10 * np.log10(found.fun / np.square(measured).sum()))


@dataclass(frozen=True)
class Measured:
    """One plane of the measured bead."""

    z_um: float
    half: Array  # of the photons, what was read
    other: Array  # the other half, normalised in the window
    psf: NDArray[np.float32]
    snr: float
    snr_without: float
    n_beads: int
    likeness_of_halves: float  # dB


def normalised(plane: Array, centre: tuple[int, int]) -> Array:
    """Bead without the median of the plane's border, in the model's window, sum 1."""
    border = np.concatenate([plane[:16].ravel(), plane[-16:].ravel()])
    return cropped(plane - np.median(border), centre, WINDOW)


def measured_planes(path: Path, model: Model) -> list[Measured]:
    """Read one half of the photons of each plane; compare with the other half."""
    stack = tifffile.imread(path).astype(float)
    focus, row, column = centre_of(stack)
    centre = round(row), round(column)
    rng = np.random.default_rng(0)
    planes = []
    for index, plane in enumerate(tqdm(stack, "measured bead", disable=None)):
        z_um = Z_STEP_UM * (index - focus)
        if abs(z_um) > FARTHEST_UM:
            continue
        half, other, _ = halves_of(plane, rng)
        seen, measured = half.astype(np.float32), normalised(other, centre)
        blur = estimate(seen, OPTICS, model)
        without = estimate_without(seen, OPTICS, model)
        planes.append(
            Measured(
                z_um,
                half,
                measured,
                blur.psf(),
                nearest_snr(blur.psf(), measured),
                nearest_snr(without.psf(), measured),
                sum(blur.n_beads),
                nearest_snr(normalised(half, centre), measured),
            )
        )
    return planes


def measured_table(planes: Sequence[Measured]) -> Table:
    """What is read off each plane of the measured bead."""
    head = [
        "z (µm)", "PSF-SNR (dB)", "without regard to beads (dB)", "the other half itself (dB)",
        "beads",
    ]  # fmt: skip
    rows = [
        [
            f"{plane.z_um:+.1f}", f"**{plane.snr:.1f}**", f"{plane.snr_without:.1f}",
            f"{plane.likeness_of_halves:.1f}", f"{plane.n_beads}",
        ]
        for plane in planes
    ]  # fmt: skip
    near = [plane for plane in planes if abs(plane.z_um) <= 0.5]
    figures = {
        "measured bead psf_snr": float(np.mean([plane.snr for plane in near])),
        "measured bead lowest psf_snr": min(plane.snr for plane in near),
    }
    text = (
        f"Within 0.5 µm of focus: mean **{figures['measured bead psf_snr']:.1f} dB**, lowest "
        f"{figures['measured bead lowest psf_snr']:.1f} dB.\n\n{markdown(head, rows)}"
    )
    return Table("measured bead alone", "A measured bead alone", text, figures)


def vectorial_table(path: Path, model: Model, n_images: int) -> Table:
    """Beads drawn with PSFs of vectorial optics, which are none of the family."""
    stack = tifffile.imread(path).astype(float)
    focus = stack.shape[0] // 2
    half = stack.shape[1] // 2
    head = ["z (µm)", "read from beads", "PSF-SNR (dB)", "without regard to beads (dB)"]
    rows, figures = [], {}
    for depth in VECTORIAL_DEPTHS_UM:
        true = stack[focus + round(depth / VECTORIAL_STEP_UM)]
        fine = resample(resample(true, 2 * len(true), axis=0), 2 * len(true), axis=1)
        fine = fine[2 * half - 81 : 2 * half + 80, 2 * half - 81 : 2 * half + 80]
        true = true[half - 31 : half + 30, half - 31 : half + 30]
        snr, without, read = [], [], []
        for seed in range(n_images):
            image = photograph_beads(
                fine, cutoff=VECTORIAL.cutoff, fine_pixel_um=VECTORIAL.pixel_size_um / 2,
                n_beads=10, photons=200, diameter_um=0.1, read_noise=0.01, shape=(400, 400),
                seed=seed,
            )  # fmt: skip
            blur = estimate(image, VECTORIAL, model)
            side = min(blur.psf().shape[0], true.shape[0])
            snr.append(nearest_snr(_middle(blur.psf(), side), _middle(true, side)))
            other = estimate_without(image, VECTORIAL, model)
            without.append(nearest_snr(_middle(other.psf(), side), _middle(true, side)))
            read.append(sum(blur.n_beads) > 0)
        rows.append(
            [
                f"{depth:+.1f}", f"{np.mean(read):.0%}", f"**{np.mean(snr):.1f}**",
                f"{np.mean(without):.1f}",
            ]
        )  # fmt: skip
        figures[f"vectorial z={depth:g} psf_snr"] = float(np.mean(snr))
    return Table("vectorial beads", "Beads of vectorial optics", markdown(head, rows), figures)


def _middle(psf: NDArray[np.floating], side: int) -> Array:
    first = (psf.shape[0] - side) // 2
    part = psf[first : first + side, first : first + side].astype(float)
    return np.asarray(part / part.sum())


def ordinary_table(bench: Bench, levels: Sequence[float]) -> Table:
    """Held-out images that are none of beads: how many are taken for such, and what they lose."""
    head = [
        "images", "σ", "n", "taken for beads", "PSF-SNR of these (dB)",
        "without regard to beads (dB)", "change over all images (dB)", "largest loss (dB)",
    ]  # fmt: skip
    rows, figures = [], {}
    for name in bench.images:
        clean = bench.blurred(name, bench.psf)
        for level in levels:
            pairs = []
            for number, image in enumerate(tqdm(noisy(clean, level), name, disable=None)):
                blur = estimate(image.numpy(), optics_at(), bench.model)
                if not sum(blur.n_beads):
                    continue
                without = estimate_without(image.numpy(), optics_at(), bench.model)
                both = torch.from_numpy(np.concatenate([blur.coefficients, without.coefficients]))
                pairs.append(bench.snr(both, bench.psf[[number, number]]).numpy())
            change = np.array([a - b for a, b in pairs])
            shown = [f"{snr:.1f}" for snr in np.mean(pairs, 0)] if pairs else ["–", "–"]
            rows.append(
                [
                    name, f"{level:g}", f"{len(clean)}", f"{len(pairs) / len(clean):.0%}", *shown,
                    f"{change.sum() / len(clean):+.2f}", f"{max(-change.min(initial=0), 0):.1f}",
                ]
            )  # fmt: skip
            print(rows[-1], flush=True)
            figures[f"{name} sigma={level:g} taken"] = len(pairs) / len(clean)
    return Table("taken for beads", "Other images", markdown(head, rows), figures)


def draw(planes: Sequence[Measured], path: Path) -> None:
    """Draw the measured bead, the PSF that was read off its other half, and the difference."""
    figure = Figure(figsize=(2 + 1.6 * len(planes), 5), layout="constrained")
    axes = figure.subplots(3, len(planes), squeeze=False)
    for column, plane in zip(axes.T, planes, strict=True):
        psf = plane.psf / plane.psf.sum()
        highest = plane.other.max()
        for ax, part in zip(column, (plane.other, psf), strict=False):
            shown = np.sqrt(part.clip(0))
            ax.imshow(shown, cmap="magma", vmin=0, vmax=np.sqrt(highest))
        left = _moved_to(psf, plane.other) - plane.other
        column[2].imshow(left, cmap="coolwarm", vmin=-0.2 * highest, vmax=0.2 * highest)
        column[0].set_title(f"z = {plane.z_um:+.1f} µm", fontsize="small")
        column[2].set_xlabel(f"{plane.snr:.1f} dB", fontsize="small")
        for ax in column:
            ax.set(xticks=[], yticks=[])
    names = ("bead", "PSF read off it", "difference (± 20 %)")
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(name, fontsize="small")
    figure.savefig(path, format="png", dpi=90)


def _moved_to(psf: NDArray[np.floating], measured: Array) -> Array:
    rows, columns = np.indices(measured.shape)

    def middle(image: NDArray[np.floating]) -> Array:
        core = image * (image > 0.3 * image.max())
        return np.array([(core * rows).sum(), (core * columns).sum()]) / core.sum()

    shift = middle(measured) - middle(psf)
    return np.asarray(np.fft.ifft2(fourier_shift(np.fft.fft2(psf), shift)).real)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--images", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--n", type=int, default=12, help="simulated images of each kind")
    parser.add_argument("--n-ordinary", type=int, default=60)
    parser.add_argument("--levels", type=float, nargs="+", default=[1e-4, 0.01, 0.05])
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    page = given.docs / "accuracy.md"
    if given.write:
        names = ["isolated beads", "measured bead alone", "vectorial beads"]
        require_marks(page, [*names, *(["taken for beads"] if given.images else [])])
    model = load_model(given.model)
    beads = given.data / "real_beads"
    planes = measured_planes(beads / "pyotf_psf_wl520_na0.85_air.tif", model)
    tables = [
        measured_table(planes),
        vectorial_table(beads / "aovift_theoretical_richards_wolf.tif", model, 2),
        simulated_table(model, given.n),
    ]
    if given.images:
        folders = {name: Path(at) for name, at in (one.split("=", 1) for one in given.images)}
        bench = Bench(model, held_out(folders), given.n_ordinary)
        tables.append(ordinary_table(bench, given.levels))
    for table in tables:
        print(f"\n{table.title}\n\n{table.text}")
    if given.write:
        record_in_page(page, tables)
        draw(planes, given.docs / "images" / "isolated-beads.png")


if __name__ == "__main__":
    main()
