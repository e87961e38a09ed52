"""`deepblur deblur`: an image without its blur, checked."""

# No postponed annotations here: typer reads them when a command is declared.

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.report import (
    blur_object,
    check_lines,
    check_object,
    maker_of,
    print_json,
)
from napari_deepblur.io import check_image_output

if TYPE_CHECKING:
    from napari_deepblur.cli.restoration import RestoredFiles

__all__ = ["deblur"]


@given.expand_groups
def deblur(
    image: given.Image,
    *,
    out: Annotated[Path, typer.Option(help="Image to write: .ome.tif, .tif or .ome.zarr.")],
    blur: Annotated[
        Path | None,
        typer.Option(
            help="Blur file of `deepblur estimate`, instead of optics. For another channel its "
            "pupil is brought to the wavelength that IMAGE states or --wavelength says."
        ),
    ] = None,
    blur_plane: Annotated[
        int | None,
        typer.Option(help="With --blur: its plane or time point, from 0, that serves all planes."),
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
    where it is not. Planes are read and written one by one; a run that was interrupted goes on
    where it was when the same command is given again.
    """
    from napari_deepblur.cli.restoration import restore_files
    from napari_deepblur.engine.request import Request

    check_image_output(out, overwrite=overwrite, source=image)
    if residual is not None:
        check_image_output(residual, overwrite=overwrite, source=image)
        if residual.resolve() == out.resolve():
            raise ValueError(f"--out and --residual are both {out}: choose two names")
    if blur is not None and (optics.na, optics.refractive_index) != (None, None):
        raise ValueError("the blur file knows the objective: leave out --na and --refractive-index")
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
        blur_plane=blur_plane,
        known=known.choice,
        model=model,
        per=per,
        z_step_um=third.z_step,
        light_sheet_fwhm_um=third.light_sheet_fwhm,
        device=device,
        residual=residual is not None,
    )
    files = restore_files(request, out, residual)
    _report(image, files, as_json=as_json)


def _report(image: Path, files: "RestoredFiles", *, as_json: bool) -> None:
    source, restored = files.source, files.restored
    if as_json:
        content = {"image": image, **files.written, "shape": source.shape, "axes": source.axes}
        content |= {"flux_change": files.flux_change, "blur": blur_object(restored.blur)}
        print_json(content | {"check": check_object(restored.check)})
        return
    typer.echo(f"{image}: {source.axes} {source.shape}, {maker_of(restored.blur)}")
    typer.echo(f"total flux {files.flux_change:+.2%}")
    for line in check_lines(restored.check):
        typer.echo(line)
    for path in files.written.values():
        typer.echo(f"wrote {path}")
