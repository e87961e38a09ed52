"""Calibration from real images of beads; `bead_fields.py --data FOLDER` runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.io import imread

import napari_deepblur as ndb
from napari_deepblur.calibration.beads import find_beads
from napari_deepblur.calibration.beads.agreement import disc
from napari_deepblur.calibration.beads.patches import cut_patches
from napari_deepblur.calibration.field_figures import field_figures
from napari_deepblur.evaluation import Table, markdown
from napari_deepblur.optics.field import field_grid

PYTFM, PYTFM_WINDOW = "pytfm_beads_2032x1990.jpg", 25
#: Beads of the real field that are calibrated with; the others are predicted.
TRAINING_SHARE = 0.7

#: Said of a residual that is not above the noise.
BELOW = "within the noise"

#: What is run through besides: file, options, what is known of it.
OTHERS = (
    (
        "pyotf_psf_wl520_na0.85_air.tif",
        {
            "plane": "sharpest",
            "optics": ndb.Optics(
                numerical_aperture=0.85,
                wavelength_um=0.52,
                pixel_size_um=0.13,
                refractive_index=1.0,
            ),
        },
    ),
    ("bian_bead_image1.tif", {"plane": "sharpest", "pixel_size_um": 0.02249}),
    ("bian_bead_image1.tif", {"plane": "sharpest", "pixel_size_um": 0.02249, "window": 41}),
    ("neubias_spots.tif", {"plane": "sharpest", "pixel_size_um": 0.09413}),
    ("neubias_spots.tif", {"z_range": (0, 17), "pixel_size_um": 0.09413}),
)

Floats = NDArray[np.floating]


def real_field_table(folder: Path, images: Path) -> Table:
    """Calibrate on 70 % of the beads of a real field and predict the others."""
    image = imread(folder / PYTFM)[..., 0].astype(np.float32)
    beads = find_beads(image, window=PYTFM_WINDOW)
    beads = beads[beads["status"] == "used"].reset_index(drop=True)
    training = np.random.default_rng(0).random(len(beads)) < TRAINING_SHARE
    test = beads[~training]
    patches, noise = cut_patches(image, test, window=PYTFM_WINDOW)
    known = beads.loc[training, ["y", "x"]].to_numpy()
    options = {"pixel_size_um": 1.0, "window": PYTFM_WINDOW, "positions": [known]}
    result = ndb.calibrate([image], **options)
    one = ndb.calibrate([image], n_eigen_psfs=1, **options)
    mean = cut_patches(image, beads[training], window=PYTFM_WINDOW)[0].mean(0)
    places = test[["y", "x"]].to_numpy()
    predictions = {
        "mean of the training beads": np.broadcast_to(mean, patches.shape),
        "calibration with K = 1": np.stack([one.psf((y, x)) for y, x in places]),
        f"calibration, K = {len(result.eigen_psfs)}": np.stack(
            [result.psf((y, x)) for y, x in places]
        ),
    }
    rows = []
    for name, predicted in predictions.items():
        rows.append([name, *residuals_db(patches, predicted, noise)])
    head = (
        "predicted by", "all pixels, raw (dB)", "noise taken off", "median bead, raw",
        "core only, raw", "noise taken off", "median bead, raw",
    )  # fmt: skip
    pairs = zip(rows[0][1:], rows[-1][1:], strict=True)
    gains = [float(mean) - float(own) for mean, own in pairs if own != BELOW]
    text = (
        f"{markdown(head, rows)}\n\n{int(training.sum())} beads calibrated with, {len(test)} "
        f"predicted. Better than the mean bead by {min(gains):.1f} to {max(gains):.1f} dB, "
        f"**{gains[0]:.1f} dB** over all pixels, raw."
    )
    draw_field(result, images / "calibration_pytfm.png")
    return Table("real bead field", "A real bead field", text, {})


def residuals_db(patches: Floats, predicted: Floats, noise: Floats) -> list[str]:
    """Residuals of beads (n, h, w) against PSFs, the brightness of each bead free, dB."""
    cells = []
    for mask in (np.ones(patches.shape[1:], bool), disc(PYTFM_WINDOW, PYTFM_WINDOW / 4)):
        beads, psfs = (part[:, mask].astype(float) for part in (patches, predicted))
        brightness = (beads * psfs).sum(1) / np.square(psfs).sum(1)
        error = np.square(beads - brightness[:, None] * psfs).sum(1)
        energy, by_noise = np.square(beads).sum(1), mask.sum() * noise.astype(float) ** 2
        ratios = (
            error.sum() / energy.sum(),
            (error - by_noise).sum() / (energy - by_noise).sum(),
            np.median(error / energy),
        )
        cells += [f"{10 * np.log10(ratio):.1f}" if ratio > 0 else BELOW for ratio in ratios]
    return cells


def draw_field(result: ndb.CalibrationResult, path: Path) -> None:
    """PSFs over the field, the width of the PSF and its roundness."""
    places = field_grid(7, 7)
    psfs = result.psf_field(places)
    rows = [np.hstack(psfs[7 * row : 7 * row + 7]) for row in range(7)]
    figures = field_figures(result)
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1.6, 1, 1))
    axes[0].imshow(np.sqrt(np.clip(np.vstack(rows), 0, None)), cmap="gray")
    axes[0].set_title("PSF at 7 × 7 places (square root)", fontsize="medium")
    height, width = result.field_shape
    maps = (("FWHM (pixels)", figures.fwhm_um), ("ellipticity", figures.ellipticity))
    for ax, (name, values) in zip(axes[1:], maps, strict=True):
        shown = ax.imshow(values, extent=(0, width, height, 0), interpolation="bilinear")
        figure.colorbar(shown, ax=ax, orientation="horizontal", shrink=0.8)
        ax.set_title(name, fontsize="medium")
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
    figure.savefig(path, dpi=90)


def other_table(folder: Path) -> Table:
    """What the report says of images with few beads."""
    rows = []
    for name, options in OTHERS:
        result = ndb.calibrate([tifffile.imread(folder / name)], names=[name], **options)
        used = result.beads[result.beads["status"] == "used"]
        left_out = ", ".join(f"{n} {reason}" for reason, n in result.n_rejected.items()) or "none"
        error = "–" if result.error_db is None else f"{result.error_db:.1f}"
        width, spread = used["fwhm_um"].mean(), used["fwhm_um"].std(ddof=0)
        rows.append(
            [
                f"`{name}`, {result.planes[0]}", str(result.n_used), left_out, str(result.window),
                f"{width:.3f} ± {spread:.3f}", f"{used['ellipticity'].mean():.2f}",
                str(len(result.eigen_psfs)), error, "; ".join(result.notes) or "–",
            ]
        )  # fmt: skip
    head = (
        "image", "used", "left out", "window", "FWHM (µm)", "ellipticity", "K",
        "left-out error (dB)", "notes",
    )  # fmt: skip
    return Table("other beads", "Other beads", markdown(head, rows), {})
