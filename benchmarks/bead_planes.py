"""Identify the planes of a measured bead stack, each of which blurs held-out sharp images.

    python benchmarks/bead_planes.py BEADS.tif --model widefield-zernike \
        --images natural=data/natural --images fluorescence=data/fluorescence --write

BEADS.tif is psf_wl520nm_z300nm_x130nm_na0.85_n1.0.tif of david-hoffman/pyOTF. `--write` puts
text and table into accuracy.md and the picture into images/bead-planes.png of the folder --docs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import tifffile
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from real_data import centre_of
from scipy.optimize import least_squares
from tqdm import tqdm

import napari_deepblur as ndb
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import DEFAULT_MODEL, Model, load_model
from napari_deepblur.evaluation import (
    Bench,
    Table,
    held_out,
    markdown,
    record_in_page,
    require_marks,
)
from napari_deepblur.evaluation.bench import noisy
from napari_deepblur.operators import EigenPsfSpace
from napari_deepblur.optics.pupil import Pupil, window_for

Array = NDArray[np.float64]

OPTICS = ndb.Optics(
    numerical_aperture=0.85, wavelength_um=0.52, pixel_size_um=0.13, refractive_index=1.0
)
Z_STEP_UM = 0.3
NOISE_LEVEL = 0.01

#: Holds the light of the planes that are farthest from focus.
BLUR_WINDOW = 95
#: In which PSFs are compared: that of the model at this sampling.
WINDOW = window_for(OPTICS.cutoff)

#: Tip and tilt, Noll 2 and 3: they move the PSF by fractions of a pixel and do nothing else.
TILTS = (2, 3)
#: A pixel is half the cutoff in waves of tilt.
FARTHEST_SHIFT = 3 * OPTICS.cutoff / 2
#: Beyond the model's ± 0.15 waves, so that it shows which planes lie there.
FARTHEST_DEFOCUS = 0.6
#: Where fits begin, by the defocus that the optics' numbers promise.
DEFOCUS_STARTS = (1.0, 0.6)
#: Largest other mode while the defocus is free.
FEW_WAVES = 0.05
#: Of finite differences, waves: single precision resolves it.
STEP = 1e-3


@dataclass(frozen=True)
class Plane:
    """One plane of the stack: the measured PSF, and what the model's modes make of it."""

    z_um: float
    blur: Array  # (95, 95), sum 1
    measured: Array  # (37, 37), sum 1
    known_defocus: float  # waves, by the distance from focus and the optics
    fitted_defocus: float  # waves, free of the admissible set's limit
    best_snr: float  # dB, inside the admissible set


@dataclass(frozen=True)
class Reading:
    """One image blurred by one plane, identified."""

    images: str
    plane: int
    snr: float
    gamma: NDArray[np.float32]  # (P,)
    defocus_std: float
    in_domain: bool


def background_free(stack: Array) -> Array:
    """Each plane without the median of its border."""
    border = np.ones(stack.shape[1:], bool)
    border[16:-16, 16:-16] = False
    return stack - np.median(stack[:, border], axis=1)[:, None, None]


def cropped(plane: Array, centre: tuple[int, int], window: int) -> Array:
    """Odd window around the bead, sum 1."""
    half = window // 2
    patch = plane[tuple(slice(c - half, c + half + 1) for c in centre)]
    return patch / patch.sum()


def focus_of(stack: Array) -> float:
    """Number of the plane in focus: the vertex of a parabola through the three highest peaks."""
    peaks = stack.max((1, 2))
    top = int(peaks.argmax())
    before, highest, after = peaks[top - 1 : top + 2]
    return top + 0.5 * (before - after) / (before - 2 * highest + after)


@cache
def shifting_pupil(modes: tuple[int, ...]) -> Pupil:
    """Pupil with tilts before the model's modes."""
    return Pupil((*TILTS, *modes), cutoff=OPTICS.cutoff, window=WINDOW)


def snr_of(measured: Array, gamma: Array, model: Model) -> float:
    """PSF-SNR in dB of tilts and γ, each PSF summing to 1 in the window."""
    modes = model.family.pupil.noll_indices
    with torch.no_grad():
        psf = shifting_pupil(modes).psf(torch.tensor(gamma, dtype=torch.float32))
    return float(psf_snr(psf, torch.tensor(measured, dtype=torch.float32)))


def fit(
    measured: Array, start: Array, free: NDArray[np.bool_], limits: Array, model: Model
) -> Array:
    """Tilts and γ nearest to a measured PSF, those that are not free staying as they are."""
    pupil = shifting_pupil(model.family.pupil.noll_indices)
    steps = STEP * np.eye(len(start))[free]

    def psfs(points: Array) -> Array:
        values = np.broadcast_to(start, (len(points), len(start))).copy()
        values[:, free] = points
        with torch.no_grad():
            return pupil.psf(torch.tensor(values, dtype=torch.float32)).double().flatten(1).numpy()

    def residual(point: Array) -> Array:
        return (psfs(point[None])[0] - measured.ravel()) / np.linalg.norm(measured)

    def slope(point: Array) -> Array:
        here, *there = psfs(point + np.vstack([np.zeros_like(point), steps[:, free]]))
        return (np.array(there) - here).T / STEP / np.linalg.norm(measured)

    bounds = (-limits[free] - 1e-6, limits[free] + 1e-6)
    inside = np.clip(start[free], *(0.999 * bound for bound in bounds))
    values = start.copy()
    values[free] = least_squares(residual, inside, slope, bounds, x_scale=0.1, max_nfev=40).x
    return values


def best_fits(
    measured: Array, z_um: float, space: EigenPsfSpace, model: Model
) -> tuple[Array, Array]:
    """Tilts and γ nearest to a measured PSF: inside the admissible set, and with any defocus.

    There the other modes are held small, as they do not change through focus: else they would
    stand in for defocus.
    """
    free = np.ones(2 + model.family.n_coefficients, bool)
    limits = np.full(len(free), FEW_WAVES)
    limits[:2], limits[2] = FARTHEST_SHIFT, FARTHEST_DEFOCUS
    expected = defocus_per_um(model.family.pupil.noll_indices) * abs(z_um)
    starts = [np.full(len(free), 0.01) for _ in DEFOCUS_STARTS]
    for start, share in zip(starts, DEFOCUS_STARTS, strict=True):
        start[2] = max(0.02, share * expected)
    fits = [fit(measured, start, free, limits, model) for start in starts]
    beyond = max(fits, key=lambda values: snr_of(measured, values, model))

    limits[2:] = model.family.limit_waves
    target = torch.tensor(measured, dtype=torch.float32)[None]
    gamma = space.fit(space.encode(target), n_starts=32, n_iterations=20)[0].double().numpy()
    starts = [beyond, np.concatenate([beyond[:2], gamma])]
    fits = [fit(measured, start, free, limits, model) for start in starts]
    return max(fits, key=lambda values: snr_of(measured, values, model)), beyond


def planes_of(path: Path, model: Model) -> list[Plane]:
    """Measured planes with the best that the model's modes can do."""
    stack = background_free(tifffile.imread(path).astype(float))
    _, *place = centre_of(stack)
    centre = (round(place[0]), round(place[1]))
    focus = focus_of(stack)
    space = EigenPsfSpace.of(model.family.at_cutoff(OPTICS.cutoff))
    planes = []
    for index, plane in enumerate(tqdm(stack, "fitting the bead", disable=None)):
        measured = cropped(plane, centre, WINDOW)
        z_um = Z_STEP_UM * (index - focus)
        within, beyond = best_fits(measured, z_um, space, model)
        planes.append(
            Plane(
                z_um=z_um,
                blur=cropped(plane, centre, BLUR_WINDOW),
                measured=measured,
                known_defocus=abs(z_um) * defocus_per_um(model.family.pupil.noll_indices),
                fitted_defocus=abs(float(beyond[2])),
                best_snr=snr_of(measured, within, model),
            )
        )
    return planes


def snr_wherever(measured: Array, gamma: Array, model: Model) -> float:
    """PSF-SNR in dB of an estimated PSF, moved to where it fits best.

    An image tells no PSF's place, and the bead does not lie on the centre of a pixel.
    """
    start = np.concatenate([[0.0, 0.0], gamma])
    free = np.arange(len(start)) < 2
    limits = np.full(len(start), FARTHEST_SHIFT)
    return snr_of(measured, fit(measured, start, free, limits, model), model)


def identify(bench: Bench, planes: list[Plane]) -> list[Reading]:
    """Read every plane off every image that it blurs."""
    readings = []
    for index, plane in enumerate(tqdm(planes, "identifying", disable=None)):
        psf = torch.tensor(plane.blur, dtype=torch.float32).expand(bench.n_images, -1, -1)
        for name in bench.images:
            for image in noisy(bench.blurred(name, psf), NOISE_LEVEL):
                blur = ndb.estimate_blur(
                    image.numpy(), optics=OPTICS, model=bench.model, device=bench.device
                )
                gamma = blur.coefficients[0]
                readings.append(
                    Reading(
                        images=name,
                        plane=index,
                        snr=snr_wherever(plane.measured, gamma, bench.model),
                        gamma=gamma,
                        defocus_std=float(blur.std[0, 0]),
                        in_domain=bool(blur.in_domain[0]),
                    )
                )
    return readings


@dataclass(frozen=True)
class Series:
    """Focus series of one image, identified as a stack with a known step."""

    twin_resolved: bool
    n_sign_changes: int


def focus_series(bench: Bench, planes: list[Plane], limit: float) -> list[Series]:
    """Each image as a thin object that the planes inside the admissible set look at."""
    inside = [plane for plane in planes if plane.known_defocus <= limit]
    psf = torch.tensor(np.stack([plane.blur for plane in inside]), dtype=torch.float32)
    found = []
    for name in bench.images:
        for first in range(bench.n_images):
            scene = bench.scenes(name, bench.size + BLUR_WINDOW - 1, 1, first=first)
            stack = noisy(observe_all(scene, psf), NOISE_LEVEL)
            blur = ndb.estimate_blur(
                stack.numpy(), optics=OPTICS, model=bench.model, axes="ZYX",
                z_step_um=Z_STEP_UM, device=bench.device,
            )  # fmt: skip
            defocus = blur.coefficients[:, 0]
            changes = int((np.diff(np.sign(defocus)) != 0).sum())
            found.append(Series(blur.twin_resolved, changes))
    return found


def observe_all(scene: torch.Tensor, psf: torch.Tensor) -> torch.Tensor:
    """One scene (1, Y, X) blurred by each PSF (n, h, w)."""
    from napari_deepblur.training.data.synthesis import observe

    return observe(scene.expand(len(psf), -1, -1), psf)


@cache
def defocus_per_um(modes: tuple[int, ...]) -> float:
    """γ₄ that one µm of defocus adds by the optics' numbers, waves RMS."""
    pupil = Pupil(modes, cutoff=OPTICS.cutoff, optics=OPTICS)
    return abs(float((pupil.modes[0] * pupil.weights * pupil.axial).sum()))


def line_through(x: Array, y: Array) -> tuple[float, float, float]:
    """Slope, intercept and r² of a straight line."""
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept), float(np.corrcoef(x, y)[0, 1] ** 2)


@dataclass(frozen=True)
class PlaneSummary:
    """Means over all images of one plane."""

    snr: dict[str, float]
    defocus: float
    defocus_std: float
    spread: float
    flagged: float


def summarise(readings: list[Reading], planes: list[Plane]) -> list[PlaneSummary]:
    """Means over images, plane by plane."""
    summaries = []
    for index in range(len(planes)):
        own = [reading for reading in readings if reading.plane == index]
        defocus = np.array([abs(reading.gamma[0]) for reading in own])
        snr: dict[str, list[float]] = {}
        for reading in own:
            snr.setdefault(reading.images, []).append(reading.snr)
        summaries.append(
            PlaneSummary(
                snr={name: float(np.mean(values)) for name, values in snr.items()},
                defocus=float(defocus.mean()),
                defocus_std=float(np.mean([reading.defocus_std for reading in own])),
                spread=float(defocus.std()),
                flagged=float(np.mean([not reading.in_domain for reading in own])),
            )
        )
    return summaries


def table_of(
    planes: list[Plane], summaries: list[PlaneSummary], series: list[Series], bench: Bench
) -> Table:
    """Text and table for the page on accuracy."""
    limit = bench.model.family.limit_waves
    head = [
        "z (µm)", *(f"{name}: PSF-SNR (dB)" for name in bench.images), "best of 7 modes (dB)",
        "known γ₄ (waves)", "fitted γ₄ (waves)", "estimated γ₄ (waves)", "spread", "flagged",
        "in the set",
    ]  # fmt: skip
    rows = [
        [
            f"{plane.z_um:+.2f}",
            *(f"**{summary.snr[name]:.1f}**" for name in bench.images),
            f"{plane.best_snr:.1f}",
            f"{plane.known_defocus:.3f}",
            f"{plane.fitted_defocus:.3f}",
            f"{summary.defocus:.3f} ± {summary.defocus_std:.3f}",
            f"{summary.spread:.3f}",
            f"{summary.flagged:.0%}",
            "yes" if plane.known_defocus <= limit else "no",
        ]
        for plane, summary in zip(planes, summaries, strict=True)
    ]
    z = np.array([abs(plane.z_um) for plane in planes])
    defocus = np.array([summary.defocus for summary in summaries])
    inside = np.array([plane.known_defocus <= limit for plane in planes])
    flagged = np.array([summary.flagged for summary in summaries])
    slope, _, r2_inside = line_through(z[inside], defocus[inside])
    near = np.array([plane.known_defocus <= 2 * limit for plane in planes])
    slope_near, _, r2_near = line_through(z[near], defocus[near])
    r2_all = line_through(z, defocus)[2]
    n_resolved = sum(one.twin_resolved for one in series)
    n_once = sum(one.twin_resolved and one.n_sign_changes == 1 for one in series)
    text = (
        f"{bench.n_images} held-out images of {bench.size} × {bench.size} pixels of each set, "
        f"σ = {NOISE_LEVEL:g}.\n\n"
        f"- Linearity of mean |γ̂₄| in |z|: r² = **{r2_inside:.3f}** over the {inside.sum()} planes "
        f"inside the set (slope {slope:.3f} waves per µm), {r2_near:.3f} over the {near.sum()} "
        f"planes of known γ₄ up to twice the set's limit (slope {slope_near:.3f}), {r2_all:.3f} "
        f"over all {len(planes)}; by the optics the slope is "
        f"{defocus_per_um(bench.model.family.pupil.noll_indices):.3f}.\n"
        f"- Flagged: {flagged[~inside].mean():.0%} of the images of planes outside the set, "
        f"{flagged[inside].mean():.0%} of those inside.\n"
        f"- Focus series of the {inside.sum()} planes inside: the sign resolved for {n_resolved} "
        f"of {len(series)} images; for {n_once} of these γ₄ changes sign just once.\n\n"
        f"{markdown(head, rows)}"
    )
    figures = {
        "beads r2 inside": r2_inside,
        "beads r2 near": r2_near,
        "beads r2 all": r2_all,
        "beads slope": slope,
        "beads twin_resolved": n_resolved / len(series),
    }
    return Table("bead planes", "A measured bead, plane by plane", text, figures)


def draw(
    planes: list[Plane],
    summaries: list[PlaneSummary],
    readings: list[Reading],
    bench: Bench,
    path: Path,
) -> None:
    """Draw PSFs of the planes next to focus, and |γ₄| against z for all."""
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.6])
    focus = int(np.argmin([abs(plane.z_um) for plane in planes]))
    shown = range(max(0, focus - 5), min(len(planes), focus + 6))
    axes = top.subplots(2, len(shown))
    pupil = Pupil(bench.model.family.pupil.noll_indices, cutoff=OPTICS.cutoff, window=WINDOW)
    for column, index in zip(axes.T, shown, strict=True):
        plane = planes[index]
        own = sorted((r for r in readings if r.plane == index), key=lambda r: r.snr)
        with torch.no_grad():
            estimated = pupil.psf(torch.from_numpy(own[len(own) // 2].gamma)).numpy()
        highest = np.sqrt(plane.measured.max())
        for ax, psf in zip(column, (plane.measured, estimated), strict=True):
            inner = psf[6:-6, 6:-6]
            ax.imshow(np.sqrt(np.clip(inner, 0, None)), cmap="magma", vmin=0, vmax=highest)
            ax.set(xticks=[], yticks=[])
        column[0].set_title(f"{plane.z_um:+.1f}", fontsize="small")
    axes[0, 0].set_ylabel("measured", fontsize="small")
    axes[1, 0].set_ylabel("estimated", fontsize="small")
    top.suptitle("PSF by z (µm); square root, median image", fontsize="medium")
    _draw_defocus(bottom.subplots(), planes, summaries, bench.model.family.limit_waves)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=100)


def _draw_defocus(ax, planes: list[Plane], summaries: list[PlaneSummary], limit: float) -> None:
    z = np.array([plane.z_um for plane in planes])
    defocus = np.array([summary.defocus for summary in summaries])
    std = np.array([summary.defocus_std for summary in summaries])
    fitted = np.array([plane.fitted_defocus for plane in planes])
    known = np.array([plane.known_defocus for plane in planes])
    flagged = np.array([summary.flagged > 0.5 for summary in summaries])
    inside = known <= limit
    slope, intercept, r2 = line_through(np.abs(z[inside]), defocus[inside])
    for chosen, colour, label in (
        (~flagged, "tab:blue", "estimated, mean ± standard error"),
        (flagged, "tab:red", "estimated, most images flagged"),
    ):
        ax.errorbar(z[chosen], defocus[chosen], std[chosen], fmt="o", color=colour, label=label)
    ax.plot(z, fitted, "kx", label="fitted to the bead itself")
    span = np.linspace(z[inside].min(), z[inside].max(), 201)
    label = f"line, planes inside the set: r² = {r2:.3f}"
    ax.plot(span, slope * np.abs(span) + intercept, color="tab:blue", lw=1, label=label)
    ax.axhline(limit, color="grey", ls="--", lw=1, label="edge of the admissible set")
    ax.set(xlabel="z − z of focus (µm)", ylabel="|γ₄|, defocus (waves RMS)", ylim=(0, None))
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    ax.grid(alpha=0.3)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("beads", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--images", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--n", type=int, default=12, help="images of each set for each plane")
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    page = given.docs / "accuracy.md"
    if given.write:
        require_marks(page, ["bead planes"])
    folders = {name: Path(folder) for name, folder in (one.split("=", 1) for one in given.images)}
    model = load_model(given.model)
    bench = Bench(model, held_out(folders), given.n, given.size, device=given.device)
    planes = planes_of(given.beads, model)
    readings = identify(bench, planes)
    summaries = summarise(readings, planes)
    series = focus_series(bench, planes, model.family.limit_waves)
    table = table_of(planes, summaries, series, bench)
    print(table.text)
    pictures = [given.picture] if given.picture else []
    if given.write:
        record_in_page(page, [table])
        pictures.append(given.docs / "images" / "bead-planes.png")
    for picture in pictures:
        draw(planes, summaries, readings, bench, picture)


if __name__ == "__main__":
    main()
