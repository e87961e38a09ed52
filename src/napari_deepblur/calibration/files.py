"""The folder that a calibration is kept in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.calibration.field_figures import field_figures
from napari_deepblur.calibration.report import report_html

if TYPE_CHECKING:
    from napari_deepblur.calibration.result import CalibrationResult

__all__ = ["calibration_content", "check_folder", "write_calibration"]

_FORMAT = "napari-deepblur calibration 1"

_UNITS = {
    "pixel_size_um": "µm",
    "window": "pixels",
    "fwhm_um": "µm",
    "left_out_error_db": "dB",
    "coefficients": "dimensionless",
    "cutoff": "cycles per pixel",
}


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that a calibration may be written into a folder, before the work.

    Raises
    ------
    FileExistsError
        If it holds anything and `overwrite` is false, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: give the name of a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise FileExistsError(f"{folder} is not empty: choose another folder or ask to overwrite")


def write_calibration(folder: Path, result: CalibrationResult, *, overwrite: bool) -> None:
    """Write a calibration's four files; see `CalibrationResult.save`."""
    from napari_deepblur.operators.family_file import write_family

    check_folder(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(calibration_content(result), indent=2, ensure_ascii=False)
    (folder / "calibration.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.html").write_text(report_html(result), encoding="utf-8")
    table = result.beads.copy()
    table.insert(3, "y_um", table["y"] * result.pixel_size_um)
    table.insert(4, "x_um", table["x"] * result.pixel_size_um)
    table.to_csv(folder / "beads.csv", index=False, float_format="%.6g")
    # Last: a folder that has a family is complete.
    write_family(folder / "family.npz", result.family)


def calibration_content(result: CalibrationResult) -> dict[str, Any]:
    """Settings and figures of a calibration, for `calibration.json` and for machines."""
    figures = field_figures(result)
    used = result.beads[result.beads["status"] == "used"]
    optics = None if result.optics is None else result.optics.model_dump()
    return {
        "format": _FORMAT,
        "acquisitions": [
            {"name": name, "taken": taken}
            for name, taken in zip(result.names, result.planes, strict=True)
        ],
        "field_shape": list(result.field_shape),
        "pixel_size_um": result.pixel_size_um,
        "optics": optics,
        "cutoff": _digits(result.family.cutoff),
        "cutoff_from": "optics" if result.optics else "measured PSF",
        "window": result.window,
        "n_beads": len(result.beads),
        "n_used": result.n_used,
        "n_left_out": result.n_left_out,
        "n_eigen_psfs": len(result.eigen_psfs),
        "n_coefficients": result.coefficients.shape[1],
        "coefficients": _digits(result.coefficients),
        "energy": _digits(result.energy),
        "varying_energy": _digits(result.varying_energy),
        "left_out_error_db": _digits(result.left_out_error_db),
        "error_db": _digits(result.error_db),
        "fwhm_um": {
            "beads_mean": _digits(used["fwhm_um"].mean()),
            "beads_std": _digits(used["fwhm_um"].std(ddof=0)),
            "field_least": _digits(figures.fwhm_um.min()),
            "field_largest": _digits(figures.fwhm_um.max()),
        },
        "ellipticity": {
            "beads_mean": _digits(used["ellipticity"].mean()),
            "beads_std": _digits(used["ellipticity"].std(ddof=0)),
        },
        "variation": _digits(figures.variation),
        "notes": list(result.notes),
        "settings": dict(result.settings),
        "units": _UNITS,
    }


def _digits(value: Any) -> Any:
    """Five significant digits, in the types of JSON."""
    if value is None:
        return None
    values = np.asarray(value, float)
    if values.ndim:
        return [_digits(part) for part in values]
    return float(f"{values:.5g}") if np.isfinite(values) else None
