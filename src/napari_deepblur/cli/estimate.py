"""`deepblur estimate`: the blur of an image."""

# No postponed annotations here: typer reads them when a command is declared.

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.outputs import write_psf
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import (
    blur_lines,
    blur_object,
    maker_of,
    optics_line,
    print_json,
    warn_of_concerns,
)
from napari_deepblur.cli.volume import halves_lines, halves_object
from napari_deepblur.io import check_image_output, check_output

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.events import Job
    from napari_deepblur.engine.request import Source
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
    from napari_deepblur.engine.volume.halves import PlaneHalves
    from napari_deepblur.engine.volume.stack_optics import StackOptics

__all__ = ["estimate"]


@given.expand_groups
def estimate(
    image: given.Image,
    *,
    optics: given.OpticsOptions,
    model: given.ModelOption = None,
    stored: given.ImageOptions,
    per: given.PerOption = "plane",
    focus_series: Annotated[
        bool,
        typer.Option(
            "--focus-series",
            help="IMAGE is a focus series of one thin object: tell the sign of the even modes "
            "from the distance between its planes.",
        ),
    ] = False,
    bead: Annotated[
        bool,
        typer.Option(
            "--bead",
            help="With --per volume: IMAGE is a z-stack of one bead, which tells the width of the "
            "PSF too.",
        ),
    ] = False,
    halves: Annotated[
        bool,
        typer.Option(
            "--halves",
            help="With --per volume: read the blur off the even and off the odd planes, too, and "
            "say whether they agree.",
        ),
    ] = False,
    third: given.StackOptions,
    device: given.DeviceOption = "auto",
    out: Annotated[Path | None, typer.Option(help="Blur file (.json) to write.")] = None,
    psf: Annotated[
        Path | None,
        typer.Option(
            help="PSF image (.tif, .zarr) to write; a mosaic over the field if it varies."
        ),
    ] = None,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Estimate the blur of IMAGE: aberrations, how far to trust them, and the PSF.

    Printed as value ± 2·std (95 %); files and --json hold std. A warning says why an estimate
    may be wrong beyond that.
    """
    from napari_deepblur.engine.request import Request, open_source
    from napari_deepblur.engine.restore import find_blur_job
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

    if out is not None:
        check_output(out, overwrite=overwrite, source=image)
    if psf is not None:
        check_image_output(psf, overwrite=overwrite, source=image)
    given.refuse_model(model, per)
    request = Request(
        image=image,
        axes=stored.axes,
        channel=stored.channel,
        series=stored.series,
        optics=optics.typed,
        model=model,
        per=per,
        focus_series=focus_series,
        bead=bead,
        z_step_um=third.z_step,
        light_sheet_fwhm_um=third.light_sheet_fwhm,
        device=device,
    )
    if halves and (per != "volume" or bead):
        raise ValueError("--halves compares 3-D blurs of a sample: give --per volume")
    source = open_source(request)
    blur = drive(find_blur_job(request, source))
    warn_of_concerns(blur)
    compared = (
        drive(_halves_job(source, blur.stack_optics))
        if halves and isinstance(blur, VolumeBlurEstimate)
        else None
    )
    written: list[Path] = []
    try:
        if out is not None:
            blur.save(out, overwrite=overwrite)
            written.append(out)
        if psf is not None:
            write_psf(psf, blur, source, overwrite=overwrite)
            written.append(psf)
    finally:
        # A file that cannot be written does not cost the estimate.
        _report(image, source, blur, written, compared, as_json=as_json)


def _halves_job(source: "Source", known: "StackOptics") -> "Job[PlaneHalves]":
    from napari_deepblur.engine.volume.halves import estimate_halves_job

    return estimate_halves_job(
        source.data,
        optics=known.optics,
        z_step_um=known.z_step_um,
        axes=source.axes,
        light_sheet_fwhm_um=known.light_sheet_fwhm_um,
    )


def _report(
    image: Path,
    source: "Source",
    blur: "BlurEstimate | VolumeBlurEstimate",
    written: list[Path],
    compared: "PlaneHalves | None",
    *,
    as_json: bool,
) -> None:
    if as_json:
        told = {"origins": source.origins, "written": written}
        if compared is not None:
            told["halves"] = halves_object(compared)
        print_json({"image": image, **blur_object(blur), **told})
        return
    typer.echo(f"{image}: {source.axes} {source.shape}, {maker_of(blur)}")
    typer.echo(optics_line(blur.optics, source.origins))
    typer.echo(f"cutoff {blur.optics.cutoff:.3f} cycles/pixel")
    typer.echo("\n".join(blur_lines(blur)))
    if compared is not None:
        typer.echo("\n".join(halves_lines(compared)))
    for path in written:
        typer.echo(f"wrote {path}")
