"""Measure the calibration from beads: where the truth is known, and on real beads.

    python benchmarks/bead_fields.py --data BEAD_FOLDER --write

Bead fields with known truth are drawn; the real images of beads are
`pytfm_beads_2032x1990.jpg` of fabrylab/pyTFM (GPL-3.0, docs/jpeg_example_images/images0.jpg),
`pyotf_psf_wl520_na0.85_air.tif` of david-hoffman/pyOTF (Apache-2.0), `bian_bead_image1.tif` of
haesleinhuepf/BioImageAnalysisNotebooks (CC-BY) and `neubias_spots.tif` of
NEUBIAS/training-resources (CC-BY). Tables go into how-to/calibrate-from-beads.md of the folder
--docs, pictures into its folder images.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bead_fields_real import other_table, real_field_table
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

import napari_deepblur as ndb
from napari_deepblur.calibration.beads.agreement import disc
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks
from napari_deepblur.samples.bead_field import BeadField, draw_bead_field
from napari_deepblur.samples.bead_series import draw_bead_series

PAGE = "how-to/calibrate-from-beads.md"
WINDOW = 31
N_SEEDS = 5
#: A bead counts as found within so many pixels.
NEAR = 1.5
PIXEL_UM = 0.1

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Measured:
    """Calibration of one simulated field beside its truth."""

    n_eigen_psfs: int
    psf_snr_db: float
    worst_place_db: float
    constant_db: float
    angle: float
    angle_known_maps: float
    angle_of_psfs: float
    weakest_share: float
    found: float
    false: float
    left_out_db: float


def places_of(shape: Sequence[int]) -> Floats:
    """Centres of 8 × 8 parts of the field, pixels, shape (64, 2)."""
    rows, columns = ((np.arange(8) + 0.5) / 8 * side - 0.5 for side in shape)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)


def snr_db(found: Floats, true: Floats) -> Floats:
    """PSF-SNR of each PSF (n, h, w), dB."""
    error = np.square(found - true).sum((-2, -1))
    return 10 * np.log10(np.square(true).sum((-2, -1)) / error)


def psf_snr(result: ndb.CalibrationResult, field: BeadField) -> Floats:
    """PSF-SNR at the 8 × 8 places."""
    places = places_of(field.image.shape)
    found = np.stack([result.psf((y, x)) for y, x in places])
    return snr_db(found, field.psf(places))


def principal_angle(one: Floats, other: Floats) -> float:
    """Largest angle between the spans of two sets of images, degrees."""
    bases = [np.linalg.qr(part.reshape(len(part), -1).T)[0] for part in (one, other)]
    cosine = np.linalg.svd(bases[0].T @ bases[1])[1].min()
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def angle_of_psfs(eigen_psfs: Floats, psfs: Floats) -> float:
    """Angle between PSFs (n, h, w) and the span of eigen-PSFs, root mean square, degrees."""
    basis = np.linalg.qr(eigen_psfs.reshape(len(eigen_psfs), -1).T)[0]
    flat = psfs.reshape(len(psfs), -1)
    missing = 1 - np.square(flat @ basis).sum(1) / np.square(flat).sum(1)
    return float(np.degrees(np.arcsin(np.sqrt(missing.mean()))))


def weakest_share(psfs: Floats, n_eigen_psfs: int) -> float:
    """Share of the PSFs' energy that the last of so many principal directions holds."""
    power = np.linalg.svd(psfs.reshape(len(psfs), -1), compute_uv=False) ** 2
    return float(power[n_eigen_psfs - 1] / power.sum())


def angle_with_known_maps(field: BeadField, result: ndb.CalibrationResult) -> float:
    """The angle that least squares leave when the true maps are known, degrees.

    From PSFs at the places of the used beads with white noise of their level, over the core
    only: no method that knows less can do much better.
    """
    beads = result.beads[result.beads["status"] == "used"]
    places = beads[["y", "x"]].to_numpy()
    true = field.psf(places)
    noise = true.max((1, 2)) / beads["snr"].to_numpy()
    draw = np.random.default_rng(0).standard_normal(true.shape)
    core = disc(true.shape[-1], true.shape[-1] / 4)
    root = (1 / noise)[:, None]
    patches = (true + noise[:, None, None] * draw)[:, core]
    found = np.linalg.lstsq(root * field.weights(places), root * patches, rcond=None)[0]
    return principal_angle(found, field.eigen_psfs[:, core])


def found_and_false(field: BeadField, result: ndb.CalibrationResult) -> tuple[float, float]:
    """Shares of the single good beads that are used, and of the used ones that are none."""
    used = result.beads[result.beads["status"] == "used"][["y", "x"]].to_numpy()
    apart = np.linalg.norm(used[:, None] - field.positions, axis=-1)
    good = field.isolated & ~field.bad
    found = (apart[:, good].min(0) < NEAR).mean()
    return float(found), float((apart[:, ~field.bad].min(1) >= NEAR).mean())


def calibrated(field: BeadField, **options) -> ndb.CalibrationResult:
    """Calibration with the window of the truth."""
    return ndb.calibrate([field.image], pixel_size_um=PIXEL_UM, window=WINDOW, **options)


def measure(field: BeadField) -> Measured:
    """Calibrate a field and compare it with its truth."""
    result = calibrated(field)
    n_true = len(field.eigen_psfs)
    same = result if len(result.eigen_psfs) == n_true else calibrated(field, n_eigen_psfs=n_true)
    values = psf_snr(result, field)
    true = field.psf(places_of(field.image.shape))
    found, false = found_and_false(field, result)
    return Measured(
        n_eigen_psfs=len(result.eigen_psfs),
        psf_snr_db=float(values.mean()),
        worst_place_db=float(values.min()),
        constant_db=float(snr_db(true.mean(0), true).mean()),
        angle=principal_angle(same.eigen_psfs, field.eigen_psfs),
        angle_known_maps=angle_with_known_maps(field, result),
        angle_of_psfs=angle_of_psfs(same.eigen_psfs, true),
        weakest_share=weakest_share(true, n_true),
        found=found,
        false=false,
        left_out_db=result.error_db,
    )


HEAD = (
    "field", "K", "PSF-SNR (dB)", "worst of 64 places", "one true mean PSF", "left-out error (dB)",
    "PSFs to eigen-PSFs", "largest principal angle", "the same, maps known", "beads found", "false",
)  # fmt: skip


def row_of(name: str, one: Measured) -> list[str]:
    """A line of the table."""
    return [
        name, str(one.n_eigen_psfs), f"**{one.psf_snr_db:.1f}**", f"{one.worst_place_db:.1f}",
        f"{one.constant_db:.1f}", f"{one.left_out_db:.1f}", f"{one.angle_of_psfs:.1f}°",
        f"{one.angle:.1f}°",
        f"{one.angle_known_maps:.1f}°", f"{one.found:.1%}", f"{one.false:.1%}",
    ]  # fmt: skip


def simulated_table(n_seeds: int) -> Table:
    """Fields of 200 beads at a peak SNR of 20, mean and worst, then of brighter beads."""
    rows = []
    fields = [(20.0, seed) for seed in range(n_seeds)] + [(50.0, 0), (100.0, 0), (400.0, 0)]
    at_20 = []
    for peak_snr, seed in tqdm(fields, "simulated fields", disable=None):
        one = measure(draw_bead_field(peak_snr=peak_snr, seed=seed, window=WINDOW))
        rows.append(row_of(f"peak SNR {peak_snr:g}, seed {seed}", one))
        if peak_snr == 20:
            at_20.append(one)
    mean = {name: np.mean([getattr(one, name) for one in at_20]) for name in vars(at_20[0])}
    snr = [one.psf_snr_db for one in at_20]
    text = (
        f"{markdown(HEAD, rows)}\n\nMean over the {n_seeds} fields at a peak SNR of 20: "
        f"PSF-SNR **{mean['psf_snr_db']:.1f} dB** (worst field {min(snr):.1f} dB), angle of the "
        f"PSFs to the eigen-PSFs **{mean['angle_of_psfs']:.1f}°**, largest principal angle "
        f"{mean['angle']:.1f}° (the weakest true eigen-PSF holds {mean['weakest_share']:.2%} of "
        f"the energy), beads found **{mean['found']:.1%}**, false {mean['false']:.1%}."
    )
    return Table("simulated bead fields", "Simulated bead fields", text, {})


def bad_bead_table(n_seeds: int) -> Table:
    """A tenth of bad beads: found and sorted out, or known and left away."""
    rows = []
    changes = []
    for seed in tqdm(range(n_seeds), "bad beads", disable=None):
        field = draw_bead_field(share_bad=0.1, seed=seed, window=WINDOW)
        with_bad = calibrated(field)
        without = calibrated(field, positions=[field.positions[~field.bad]])
        both = [float(psf_snr(one, field).mean()) for one in (with_bad, without)]
        changes.append(both[0] - both[1])
        found, false = found_and_false(field, with_bad)
        rows.append(
            [
                str(seed), f"{both[0]:.1f}", f"{both[1]:.1f}", f"**{changes[-1]:+.2f}**",
                f"{found:.1%}", f"{false:.1%}",
            ]
        )  # fmt: skip
    head = (
        "seed", "PSF-SNR, beads found (dB)", "PSF-SNR, good beads given (dB)", "change (dB)",
        "good beads found", "false",
    )  # fmt: skip
    text = f"{markdown(head, rows)}\n\nMean change {np.mean(changes):+.2f} dB."
    return Table("bad beads", "Bad beads", text, {})


def drift_table(images: Path) -> Table:
    """Six acquisitions while defocus drifts."""
    series = draw_bead_series()
    result = ndb.calibrate(series.images, axes="TYX", pixel_size_um=PIXEL_UM, window=25)
    places = places_of(series.images.shape[1:])[[0, 9, 27, 36, 54, 63]]
    rows = []
    for index, (defocus, gamma) in enumerate(zip(series.defocus, result.coefficients, strict=True)):
        true = np.stack([series.psf((y, x), index) for y, x in places])
        found = np.stack([result.psf((y, x), index) for y, x in places])
        row = [str(index), f"{defocus:.3f}", f"{snr_db(found, true).mean():.1f}"]
        rows.append(row + [f"{value:+.2f}" for value in gamma[1:]])
    draw_drift(result, series.defocus, images / "calibration_drift.png")
    correlation = np.corrcoef(result.coefficients[:, 1], series.defocus)[0, 1]
    modes = result.family.coefficient_names[1:]
    head = ("acquisition", "true defocus (waves RMS)", "PSF-SNR (dB)", *(f"γ, {m}" for m in modes))
    text = (
        f"{markdown(head, rows)}\n\nCorrelation of γ of mode 1 with the true defocus: "
        f"**{correlation:.3f}**. K = {len(result.eigen_psfs)}, P = {result.coefficients.shape[1]}."
    )
    return Table("drift", "Drift", text, {})


def draw_drift(result: ndb.CalibrationResult, defocus: Floats, path: Path) -> None:
    """Coefficients over time beside the true defocus, and the PSF at the field's centre."""
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(2, 1))
    for name, values in zip(
        result.family.coefficient_names[1:], result.coefficients.T[1:], strict=True
    ):
        top.plot(values, "o-", label=f"γ, {name}")
    scaled = (defocus - defocus.mean()) / defocus.std()
    top.plot(scaled, "k:", label="true defocus, scaled")
    top.set_xlabel("acquisition")
    top.legend(fontsize="small")
    psfs = [result.psf(acquisition=index)[4:-4, 4:-4] for index in range(len(defocus))]
    bottom.imshow(np.sqrt(np.clip(np.hstack(psfs), 0, None)), cmap="gray")
    bottom.set_xticks([])
    bottom.set_yticks([])
    bottom.set_title("PSF at the field's centre", fontsize="medium")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the real images")
    parser.add_argument("--only-real", action="store_true", help="leave out the simulated ones")
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    page, images = arguments.docs / PAGE, arguments.docs / "images"
    names = [] if arguments.only_real else ["simulated bead fields", "bad beads", "drift"]
    names += [] if arguments.data is None else ["real bead field", "other beads"]
    if arguments.write:
        require_marks(page, names)
    tables = []
    if not arguments.only_real:
        seeds = arguments.seeds
        tables += [simulated_table(seeds), bad_bead_table(seeds), drift_table(images)]
    if arguments.data is not None:
        tables += [real_field_table(arguments.data, images), other_table(arguments.data)]
    for table in tables:
        print(f"## {table.title}\n\n{table.text}\n")
    if arguments.write:
        record_in_page(page, tables)


if __name__ == "__main__":
    main()
