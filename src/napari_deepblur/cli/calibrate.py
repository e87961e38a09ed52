"""`deepblur calibrate`: from images of beads to the microscope's family of blurs."""

# No postponed annotations here: typer reads them when a command is declared.

import math
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import print_json
from napari_deepblur.io import ImageFile, check_output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_deepblur.calibration.result import CalibrationResult
    from napari_deepblur.calibration.settings import PlaneChoice
    from napari_deepblur.optics.settings import Optics

__all__ = ["calibrate"]

#: Files may differ by rounding in what they say of the same pixels.
_SAME_PIXEL = 0.001


@given.expand_groups
def calibrate(
    beads: Annotated[
        list[Path],
        typer.Argument(
            metavar="BEADS...",
            help="Images of beads or of isolated spots, of one field: TIFF, OME-TIFF, OME-Zarr, "
            "PNG or JPEG. Each, and each time point, is an acquisition.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write the calibration into.")],
    optics: given.OpticsOptions,
    plane: Annotated[
        str | None, typer.Option(help="Of stacks: number of the plane, from 0, or 'sharpest'.")
    ] = None,
    z_range: Annotated[
        str | None,
        typer.Option(
            "--z-range", metavar="A:B", help="Of stacks: sum the planes A to B, without B itself."
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Side of the PSFs in pixels, odd; chosen if not given.")
    ] = None,
    n_eigen_psfs: Annotated[
        int | None, typer.Option("--n-eigen-psfs", help="K; chosen if not given.")
    ] = None,
    saturation: Annotated[
        float | None, typer.Option(help="Counts at which pixels are saturated, if not the largest.")
    ] = None,
    inflation: Annotated[
        float,
        typer.Option(help="Factor by which the family reaches beyond the acquisitions' blurs."),
    ] = 1.1,
    positions: Annotated[
        Path | None,
        typer.Option(
            help="Table of the beads to use (.csv) with the columns y and x in pixels, and "
            "acquisition (from 0) if there are several; of a beads.csv the used ones are taken."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Another place for a copy of the report (.html).")
    ] = None,
    stored: given.ImageOptions,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Learn a microscope's blurs from images of BEADS.

    The folder gets family.npz, for `deepblur train`, beads.csv, calibration.json and
    report.html: which beads were used, the PSF over the field, and how far to trust it.
    Without --na and --wavelength the family fits images by their pixel size.
    """
    from napari_deepblur.calibration.files import calibration_content, check_folder
    from napari_deepblur.calibration.settings import CalibrationSettings
    from napari_deepblur.engine.calibrate import calibrate_job
    from napari_deepblur.engine.request import read_one_channel

    check_folder(out, overwrite=overwrite)
    if report is not None:
        check_output(report, overwrite=overwrite)
    files = [read_one_channel(path, **asdict(stored)) for path in beads]
    size = _pixel_size(files, beads, optics.pixel_size)
    settings = CalibrationSettings(
        pixel_size_um=size,
        optics=_optics(replace(optics, pixel_size=size), files[0]),
        plane=_plane(plane),
        z_range=_z_range(z_range),
        window=window,
        n_eigen_psfs=n_eigen_psfs,
        saturation=saturation,
        inflation=inflation,
    )
    # Files may differ in their axes: each array goes with letters of its own.
    result = drive(
        calibrate_job(
            [file.data for file in files],
            settings,
            axes=[file.axes for file in files],
            positions=None if positions is None else _positions(positions),
            names=[path.name for path in beads],
        )
    )
    for note in result.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    result.save(out, overwrite=overwrite)
    written = [out]
    if report is not None:
        text = (out / "report.html").read_text(encoding="utf-8")
        report.write_text(text, encoding="utf-8")
        written.append(report)
    if as_json:
        print_json({"images": beads, **calibration_content(result), "written": written})
        return
    typer.echo("\n".join(_lines(result)))
    for path in written:
        typer.echo(f"wrote {path}")


def _pixel_size(files: list[ImageFile], paths: list[Path], size: float | None) -> float:
    if size is not None:
        return size
    sizes = [file.metadata.pixel_size_um for file in files]
    for path, one in zip(paths, sizes, strict=True):
        if one is None:
            raise ValueError(f"{path} does not say the pixel size: give --pixel-size")
    first = sizes[0]
    assert first is not None
    if any(not math.isclose(one or 0, first, rel_tol=_SAME_PIXEL) for one in sizes):
        shown = ", ".join(f"{one:g}" for one in sizes)
        raise ValueError(f"the images' pixel sizes differ ({shown} µm): give --pixel-size")
    return first


def _optics(optics: given.OpticsOptions, image: ImageFile) -> "Optics | None":
    """Optics of the microscope; None if neither command line nor file says enough."""
    from napari_deepblur.engine.known_optics import merge_optics, missing_optics, stated
    from napari_deepblur.engine.request import Source

    known = merge_optics(stated("typed", optics.typed), stated("file", image.metadata))
    if missing_optics(known) and (optics.na, optics.wavelength, optics.refractive_index) == (
        None,
        None,
        None,
    ):
        return None
    return Source(image.data, image.axes, known).optics


def _positions(path: Path) -> "list[NDArray[np.float64] | None]":
    """Positions of the beads of each acquisition in a table; None for those not in it."""
    import numpy as np
    import pandas as pd

    try:
        table = pd.read_csv(path)
        if "status" in table:
            table = table[table["status"] == BeadStatus.USED]
        number = table["acquisition"].astype(int) if "acquisition" in table else 0 * table.index
        places = table[["y", "x"]].to_numpy(np.float64)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is no table with the columns y and x") from error
    if not len(places) or min(number) < 0 or not np.isfinite(places).all():
        raise ValueError(f"{path} holds no positions of beads, or some that are no numbers")
    each = [places[np.asarray(number == n)] for n in range(max(number) + 1)]
    return [own if len(own) else None for own in each]


def _plane(text: str | None) -> "PlaneChoice | None":
    if text is None:
        return None
    if text == "sharpest":
        return "sharpest"
    if not text.isdecimal():
        raise ValueError(f"--plane must be a number from 0 or 'sharpest', got {text!r}")
    return int(text)


def _z_range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal()):
        raise ValueError(f"--z-range must be two numbers such as 3:8, got {text!r}")
    return int(first), int(end)


def _lines(result: "CalibrationResult") -> list[str]:
    from napari_deepblur.calibration.report.sentences import drift_sentence

    left_out = ", ".join(f"{count} {reason}" for reason, count in result.n_rejected.items())
    used = result.beads[result.beads["status"] == BeadStatus.USED]
    width = used["fwhm_um"].mean()
    spread = f" ± {used['fwhm_um'].std(ddof=0):.2g}" if len(used) > 1 else ""
    number, window = len(result.eigen_psfs), result.window
    kept = result.energy[number - 1]
    n_found, ellipticity = len(result.beads), used["ellipticity"].mean()
    size = f"{window} × {window} pixels"
    plural = "s" if number > 1 else ""
    lines = [
        f"{result.n_used} of {n_found} beads used"
        + (f"; left out: {left_out}" if left_out else ""),
        f"FWHM {width:.3g}{spread} µm, ellipticity {ellipticity:.2f}",
        f"K = {number} eigen-PSF{plural}, {size}, {kept:.2%} of the energy",
    ]
    if result.error_db is not None:
        lines.append(f"beads left out are predicted to {result.error_db:.1f} dB")
    if result.error_db is not None and number > 1:
        lines[-1] += f" (by one PSF for the whole field: {result.cross_validation_db[0]:.1f} dB)"
    return [*lines, drift_sentence(result)]
