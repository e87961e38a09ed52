"""The folder that a calibration is kept in."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_deepblur.atomic import check_writable, replacing_files
from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.calibration.field_figures import field_figures
from napari_deepblur.calibration.report import report_html
from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.errors import ModelError, describe
from napari_deepblur.optics.settings import Optics
from napari_deepblur.untrusted import read_bounded

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.operators import ProductConvolutionFamily

__all__ = [
    "acquisitions_in",
    "calibration_content",
    "check_folder",
    "load_calibration",
    "save_calibration",
]

_FORMAT = "napari-deepblur calibration 2"

_UNITS = {
    "pixel_size_um": "µm",
    "window": "pixels",
    "fwhm_um": "µm",
    "cross_validation_db": "dB",
    "coefficients": "dimensionless",
    "cutoff": "cycles per pixel",
}

#: Largest files that are read, bytes.
_LARGEST_JSON, _LARGEST_TABLE = 10_000_000, 500_000_000

#: Columns of the bead table that hold numbers.
_NUMBERS = ("y", "x", "peak", "background", "snr", "fwhm", "fwhm_um", "ellipticity", "residual_db")

Number = Annotated[float, Field(allow_inf_nan=False)]


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that a calibration may be written into a folder, before the work.

    Raises
    ------
    FileExistsError
        If it holds anything and `overwrite` is false, or is a file.
    OSError
        If nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: give the name of a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise FileExistsError(f"{folder} is not empty: choose another folder or ask to overwrite")
    for path in (folder, folder / "calibration.json"):
        check_writable(path)


def save_calibration(
    result: CalibrationResult, folder: str | Path, *, overwrite: bool = False
) -> None:
    """Write `family.npz`, `beads.csv`, `calibration.json` and `report.html` into a folder.

    Parameters
    ----------
    result
        The calibration.
    folder
        Folder to create or to write into; all four files are put in place, or none.
    overwrite
        Replace the files of a former calibration; other files stay.

    Raises
    ------
    FileExistsError
        If the folder holds anything and `overwrite` is false.
    """
    from napari_deepblur.operators.family_file import write_family

    check_folder(Path(folder), overwrite=overwrite)
    with replacing_files(Path(folder)) as aside:
        text = json.dumps(calibration_content(result), indent=2, ensure_ascii=False)
        (aside / "calibration.json").write_text(text + "\n", encoding="utf-8")
        (aside / "report.html").write_text(report_html(result), encoding="utf-8")
        table = result.beads.copy()
        table.insert(3, "y_um", table["y"] * result.pixel_size_um)
        table.insert(4, "x_um", table["x"] * result.pixel_size_um)
        table.to_csv(aside / "beads.csv", index=False, float_format="%.9g")
        write_family(aside / "family.npz", result.family)


def load_calibration(folder: str | Path) -> CalibrationResult:
    """Read a calibration that `CalibrationResult.save` or `deepblur calibrate` wrote.

    Parameters
    ----------
    folder
        The folder.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the files do not belong together.
    """
    from napari_deepblur.operators.family_file import read_family

    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}: give one that `deepblur calibrate` wrote")
    content = _read_content(folder / "calibration.json")
    family = read_family(folder / "family.npz")
    _check_family(content, family, folder)
    return CalibrationResult(
        beads=_read_table(folder / "beads.csv", len(content.acquisitions)),
        family=family,
        coefficients=np.array(content.coefficients, np.float32),
        field_shape=content.field_shape,
        pixel_size_um=content.pixel_size_um,
        window=content.window,
        energy=np.array(content.energy),
        varying_energy=np.array(content.varying_energy),
        cross_validation_db=np.array(content.cross_validation_db),
        names=tuple(one.name for one in content.acquisitions),
        planes=tuple(one.taken for one in content.acquisitions),
        optics=content.optics,
        notes=content.notes,
        settings=content.settings,
    )


def acquisitions_in(folder: Path) -> tuple[str, ...]:
    """Read the names of a calibration's acquisitions, and nothing else.

    Parameters
    ----------
    folder
        The calibration's folder.

    Raises
    ------
    ModelError
        If it holds no calibration, or a damaged one.
    """
    content = _read_content(folder / "calibration.json")
    return tuple(one.name for one in content.acquisitions)


class _Acquisition(BaseModel):
    name: str = Field(max_length=1000)
    taken: str = Field(max_length=1000)


class _Content(BaseModel):
    """Content of `calibration.json`, as far as it is read."""

    model_config = ConfigDict(extra="ignore")

    format: Literal["napari-deepblur calibration 2"]
    acquisitions: list[_Acquisition] = Field(min_length=1, max_length=100_000)
    field_shape: tuple[
        Annotated[int, Field(ge=1, le=1_000_000)], Annotated[int, Field(ge=1, le=1_000_000)]
    ]
    pixel_size_um: float = Field(gt=0, lt=1000, allow_inf_nan=False)
    optics: Optics | None
    window: int = Field(ge=5, le=1001)
    coefficients: list[Annotated[list[Number], Field(min_length=1)]]
    energy: list[Number] = Field(min_length=1)
    varying_energy: list[Number] = Field(min_length=1)
    cross_validation_db: list[Number]
    notes: tuple[str, ...]
    settings: dict[str, Any]


def _read_content(path: Path) -> _Content:
    try:
        return _Content.model_validate_json(read_bounded(path, limit=_LARGEST_JSON))
    except FileNotFoundError as error:
        raise ModelError(_missing(path)) from error
    except ValidationError as error:
        raise ModelError(
            f"{path} is damaged, or of another version: {describe(error)}; calibrate again"
        ) from error
    except ValueError as error:
        raise ModelError(str(error)) from error


def _missing(path: Path) -> str:
    return f"{path} is missing: give a folder that `deepblur calibrate` wrote"


def _check_family(content: _Content, family: ProductConvolutionFamily, folder: Path) -> None:
    """Check that the family is the one that the calibration tells of."""
    n_coefficients = {len(gamma) for gamma in content.coefficients}
    number, side = len(family.eigen_psfs), family.eigen_psfs.shape[-1]
    belongs = (
        n_coefficients == {family.n_coefficients}
        and len(content.coefficients) == len(content.acquisitions)
        and side == content.window
        and min(len(content.energy), len(content.varying_energy)) >= number
        and np.isclose(family.pixel_size_um, content.pixel_size_um)
    )
    if not belongs:
        raise ModelError(f"the files in {folder} do not belong together: calibrate again")


def _read_table(path: Path, n_acquisitions: int) -> DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(BytesIO(read_bounded(path, limit=_LARGEST_TABLE)))
        for name in _NUMBERS:
            table[name] = pd.to_numeric(table[name]).astype(float)
        is_known = table["status"].isin(list(BeadStatus)).all()
        numbers = table["acquisition"].astype(int)
    except FileNotFoundError as error:
        raise ModelError(_missing(path)) from error
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise ModelError(f"{path} is no table of beads: calibrate again") from error
    used = table[table["status"] == BeadStatus.USED]
    counts = numbers.between(0, n_acquisitions - 1).all()
    if not (
        is_known and counts and len(used) and np.isfinite(used[["y", "x", "fwhm"]].to_numpy()).all()
    ):
        raise ModelError(f"{path} is damaged: calibrate again")
    return table.drop(columns=["y_um", "x_um"], errors="ignore")


def calibration_content(result: CalibrationResult) -> dict[str, Any]:
    """Gather settings and figures of a calibration, as plain JSON values."""
    figures = field_figures(result)
    used = result.beads[result.beads["status"] == BeadStatus.USED]
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
        "n_rejected": result.n_rejected,
        "n_eigen_psfs": len(result.eigen_psfs),
        "n_coefficients": result.coefficients.shape[1],
        "coefficients": _digits(result.coefficients, 9),
        "energy": _digits(result.energy, 9),
        "varying_energy": _digits(result.varying_energy, 9),
        "cross_validation_db": _digits(result.cross_validation_db),
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


def _digits(value: Any, n: int = 5) -> Any:
    """Round to significant digits, in the types of JSON."""
    if value is None:
        return None
    values = np.asarray(value, float)
    if values.ndim:
        return [_digits(part, n) for part in values]
    return float(f"{values:.{n}g}") if np.isfinite(values) else None
