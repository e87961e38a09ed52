"""`deepblur deblur`: an image without its blur, checked."""

# No postponed annotations here: typer reads them when a command is declared.

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.outputs import write_restored
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import (
    blur_object,
    check_lines,
    check_object,
    maker_of,
    print_json,
    warn_of_concerns,
)
from napari_deepblur.io import check_image_output, check_space

if TYPE_CHECKING:
    from napari_deepblur.engine.request import Source
    from napari_deepblur.engine.restore import Restored

__all__ = ["deblur"]

#: Of float32, in which results are written.
_BYTES_PER_PIXEL = 4


@given.expand_groups
def deblur(
    image: given.Image,
    *,
    out: Annotated[Path, typer.Option(help="Image to write: .ome.tif, .tif or .ome.zarr.")],
    blur: Annotated[
        Path | None,
        typer.Option(help="Blur file of `deepblur estimate`, instead of optics."),
    ] = None,
    residual: Annotated[
        Path | None,
        typer.Option(help="Image to write of what the result does not explain, by the noise."),
    ] = None,
    known: given.KnownOptions,
    optics: given.OpticsOptions,
    model: given.ModelOption = None,
    stored: given.ImageOptions,
    per: given.PerOption = "plane",
    third: given.StackOptions,
    device: given.DeviceOption = "auto",
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Take the blur out of IMAGE, estimating it first unless it or its PSF is given.

    The result is checked: blurred again, it should be IMAGE up to the noise. A warning says
    where it is not.
    """
    from napari_deepblur.engine.request import Request, open_source
    from napari_deepblur.engine.restore import find_blur_job, restore_job

    check_image_output(out, overwrite=overwrite, source=image)
    if residual is not None:
        check_image_output(residual, overwrite=overwrite, source=image)
        if residual.resolve() == out.resolve():
            raise ValueError(f"--out and --residual are both {out}: choose two names")
    if blur is not None and (optics.na, optics.wavelength, optics.refractive_index) != (None,) * 3:
        raise ValueError("the blur file knows the optics: give either --blur or the optics")
    if blur is not None and third.light_sheet_fwhm is not None:
        raise ValueError("the blur file knows the light sheet: leave out --light-sheet-fwhm")
    given.refuse_model(model, per)
    request = Request(
        image=image,
        axes=stored.axes,
        channel=stored.channel,
        series=stored.series,
        optics=optics.typed,
        blur=blur,
        known=known.choice,
        model=model,
        per=per,
        z_step_um=third.z_step,
        light_sheet_fwhm_um=third.light_sheet_fwhm,
        device=device,
        residual=residual is not None,
    )
    source = open_source(request)
    n_images = 1 if residual is None else 2
    check_space(out, n_images * _BYTES_PER_PIXEL * math.prod(source.shape))
    # In two jobs, so that doubts about the blur are told before the long part.
    found = drive(find_blur_job(request, source))
    warn_of_concerns(found)
    restored = drive(restore_job(request.model_copy(update={"blur": found}), source))
    if restored.check is not None:
        warn_of_concerns(restored.check)
    written = write_restored(restored, source, out, residual, overwrite=overwrite)
    _report(image, source, restored, written, as_json=as_json)


def _report(
    image: Path,
    source: "Source",
    restored: "Restored",
    written: dict[str, Path],
    *,
    as_json: bool,
) -> None:
    sharp, check = restored.sharp, restored.check
    data = np.asarray(source.data)
    held = np.isfinite(data) & np.isfinite(sharp)  # what is no number holds no light
    observed = float(data.sum(dtype=np.float64, where=held))
    after = float(sharp.sum(dtype=np.float64, where=held))
    flux_change = after / observed - 1 if observed else 0.0
    if as_json:
        content = {"image": image, **written, "shape": sharp.shape, "axes": source.axes}
        content |= {"flux_change": flux_change, "blur": blur_object(restored.blur)}
        print_json(content | {"check": check_object(check)})
        return
    typer.echo(f"{image}: {source.axes} {source.shape}, {maker_of(restored.blur)}")
    typer.echo(f"total flux {flux_change:+.2%}")
    for line in check_lines(check):
        typer.echo(line)
    for path in written.values():
        typer.echo(f"wrote {path}")
