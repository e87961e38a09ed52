"""The commands but `demo`, each a few calls of the engine."""

# No postponed annotations here: typer reads them when a command is declared.

import sys
import warnings
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from napari_deepblur import __version__
from napari_deepblur.cli import options as given
from napari_deepblur.cli.inputs import (
    GivenOptics,
    focus_step_um,
    read_one_channel,
    warn_of_pixel_size,
)
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import (
    blur_lines,
    blur_object,
    check_lines,
    check_object,
    concern_lines,
    optics_line,
    plain,
    print_json,
    psf_stack,
    table,
    warn_of_concerns,
)
from napari_deepblur.engine.events import finish
from napari_deepblur.io import (
    ImageFile,
    ImageMetadata,
    check_image_output,
    check_output,
    read_image,
    write_image,
)

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck
    from napari_deepblur.engine.events import Job
    from napari_deepblur.training.loop import Validated

__all__ = ["deblur", "estimate", "info", "models", "train"]


def estimate(
    image: given.Image,
    *,
    na: given.Aperture = None,
    wavelength: given.Wavelength = None,
    pixel_size: given.PixelSize = None,
    refractive_index: given.RefractiveIndex = None,
    model: given.ModelOption = None,
    axes: given.Axes = None,
    channel: given.Channel = None,
    per: given.PerOption = given.BlurPer.plane,
    focus_series: given.FocusSeries = False,
    z_step: given.ZStep = None,
    device: given.DeviceOption = given.DeviceName.auto,
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
    if out is not None:
        check_output(out, overwrite=overwrite, source=image)
    if psf is not None:
        check_image_output(psf, overwrite=overwrite, source=image)
    optics = GivenOptics(na, wavelength, pixel_size, refractive_index)
    file = read_one_channel(image, channel=channel, axes=axes)
    step = focus_step_um(file, focus_series=focus_series, z_step_um=z_step)
    blur, origins = _estimate(file, optics, model, per.value, device.value, z_step_um=step)
    warn_of_concerns(blur)
    if step is not None and not blur.twin_resolved:
        warnings.warn(_NO_SIGN, UserWarning, stacklevel=2)
    written = [str(path) for path in (out, psf) if path is not None]
    if out is not None:
        blur.save(out, overwrite=overwrite)
    if psf is not None:
        _write_psf(psf, blur, file, overwrite=overwrite)
    if as_json:
        print_json({"image": image, **blur_object(blur), "origins": origins, "written": written})
        return
    typer.echo(f"{image}: {file.axes} {file.shape}, model {blur.model}")
    typer.echo(optics_line(blur.optics, origins))
    typer.echo(f"cutoff {blur.optics.cutoff:.3f} cycles/pixel")
    typer.echo("\n".join(blur_lines(blur)))
    for path in written:
        typer.echo(f"wrote {path}")


def deblur(
    image: given.Image,
    *,
    out: Annotated[Path, typer.Option(help="Image to write: .ome.tif, .tif or .ome.zarr.")],
    blur: Annotated[
        Path | None, typer.Option(help="Blur file of `deepblur estimate`, instead of optics.")
    ] = None,
    residual: Annotated[
        Path | None,
        typer.Option(help="Image to write of what the result does not explain, by the noise."),
    ] = None,
    na: given.Aperture = None,
    wavelength: given.Wavelength = None,
    pixel_size: given.PixelSize = None,
    refractive_index: given.RefractiveIndex = None,
    model: given.ModelOption = None,
    axes: given.Axes = None,
    channel: given.Channel = None,
    per: given.PerOption = given.BlurPer.plane,
    device: given.DeviceOption = given.DeviceName.auto,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Take the blur out of IMAGE, estimating it first unless it is given.

    The result is checked: blurred again, it should be IMAGE up to the noise. A warning says
    where it is not.
    """
    from napari_deepblur.engine.blur import load_blur
    from napari_deepblur.engine.deblur import deblur_job
    from napari_deepblur.engine.diagnostics import check_deblurring_job, residual_image_job

    check_image_output(out, overwrite=overwrite, source=image)
    if residual is not None:
        check_image_output(residual, overwrite=overwrite, source=image)
        if residual.resolve() == out.resolve():
            raise ValueError(f"--out and --residual are both {out}: choose two names")
    optics = GivenOptics(na, wavelength, pixel_size, refractive_index)
    if blur is not None and not optics.is_empty:
        raise ValueError("the blur file knows the optics: give either --blur or the optics")
    file = read_one_channel(image, channel=channel, axes=axes)
    if blur is not None:
        known = load_blur(blur)
        warn_of_pixel_size(file, known.optics)
    else:
        known, _ = _estimate(file, optics, model, per.value, device.value)
    warn_of_concerns(known)
    sharp = drive(deblur_job(file.data, known, model=model, axes=file.axes, device=device.value))
    write = partial(
        write_image,
        axes=file.axes,
        metadata=_on_grid_of(file, known, typed=pixel_size is not None),
        overwrite=overwrite,
    )
    provenance = _provenance(known)
    try:
        check = drive(check_deblurring_job(file.data, sharp, known, axes=file.axes))
    except Exception:
        # The result is what took the time.
        write(out, sharp, provenance=provenance)
        raise
    warn_of_concerns(check)
    provenance |= {"check": plain(check_object(check))}
    write(out, sharp, provenance=provenance)
    written = {"out": out}
    if residual is not None:
        remainder = drive(residual_image_job(file.data, sharp, known, axes=file.axes))
        write(residual, remainder, provenance=provenance)
        written["residual"] = residual
    _report_deblurred(image, file, sharp, written=written, blur=known, check=check, as_json=as_json)


def info(
    image: given.Image,
    *,
    na: given.Aperture = None,
    wavelength: given.Wavelength = None,
    pixel_size: given.PixelSize = None,
    refractive_index: given.RefractiveIndex = None,
    axes: given.Axes = None,
    channel: given.Channel = None,
    as_json: given.AsJson = False,
) -> None:
    """Show what IMAGE is, and whether its blur can be estimated."""
    file = read_image(image, channel=channel, axes=axes)
    content: dict[str, Any] = {
        "image": image,
        "axes": file.axes,
        "shape": file.shape,
        "dtype": np.dtype(file.data.dtype).name,
        "n_channels": file.n_channels,
    }
    content |= {field: getattr(file.metadata, field) for field in _METADATA}
    optics = GivenOptics(na, wavelength, pixel_size, refractive_index)
    if not optics.missing(file):
        known = optics.complete(file).optics
        content |= {"cutoff": known.cutoff, "verdict": known.sampling_text}
    if as_json:
        print_json(content)
        return
    for name, value in content.items():
        shown = "unknown" if value is None else value
        typer.echo(f"{name:<20}{shown:.5g}" if isinstance(shown, float) else f"{name:<20}{shown}")


def models(*, as_json: given.AsJson = False) -> None:
    """List the bundled models."""
    from napari_deepblur.engine.models import available_models

    cards = available_models()
    if as_json:
        print_json({"models": [card.model_dump(mode="json") for card in cards.values()]})
        return
    head = ["model", "status", "family", "networks"]
    rows = []
    for card in cards.values():
        networks = [kind for kind in ("identification", "deblurring") if getattr(card, kind)]
        rows.append([card.name, card.status, card.family.describe(), " + ".join(networks)])
    typer.echo("\n".join(table(head, rows)))
    for card in cards.values():
        for kind in ("identification", "deblurring"):
            network = getattr(card, kind)
            for name, value in (network.main_figures if network else {}).items():
                typer.echo(f"{card.name} {kind} {name}: {value:.1f} dB")


def train(
    network: Annotated[given.Network, typer.Argument(help="Which network.")],
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Settings of the run.")],
    *,
    as_json: given.AsJson = False,
) -> None:
    """Train a network headless; an interrupted run goes on where it stopped.

    On several GPUs: torchrun --nproc-per-node 2 -m napari_deepblur train NETWORK CONFIG.yaml
    """
    try:
        from napari_deepblur.training.config import read_config
        from napari_deepblur.training.processes import Processes
        from napari_deepblur.training.run import CONFIGS, train_model_job
    except ModuleNotFoundError as error:
        if error.name not in {"yaml", "PIL"}:
            raise
        raise ImportError(
            f"training needs {error.name}: pip install 'napari-deepblur[train]'"
        ) from error
    settings = read_config(config, CONFIGS[network.value])
    job = train_model_job(network.value, settings)
    if not Processes.of_environment().is_first:
        finish(job)
        return
    folder = drive(_tell_validations(job, to_stderr=as_json))
    if as_json:
        print_json({"model": folder})
    else:
        typer.echo(f"wrote the {network.value} network into {folder}")


def _tell_validations(job: "Job[Path]", *, to_stderr: bool) -> "Job[Path]":
    """The same job, with a line at each validation and one at the end."""
    from tqdm import tqdm

    from napari_deepblur.training.loop import Validated

    def tell(line: str) -> None:
        # Through the bar, which would stand in the middle of the line.
        tqdm.write(line, file=sys.stderr if to_stderr else sys.stdout)

    last: Validated | None = None
    with closing(job):
        while True:
            try:
                event = next(job)
            except StopIteration as stop:
                folder: Path = stop.value
                break
            if isinstance(event, Validated):
                tell(_validation_line(event))
                last = event
            yield event
    if last is not None:
        speed = last.n_crops / last.seconds
        tell(f"{last.n_crops} crops in {last.seconds:.0f} s, {speed:.1f} crops/s with validation")
    return folder


def _validation_line(event: "Validated") -> str:
    figures = "".join(f"  {name} {value:.2f}" for name, value in event.figures.items())
    return (
        f"step {event.done} of {event.total}  {event.stage}  "
        f"{event.crops_per_second:.1f} crops/s  loss {event.loss:.4f}{figures}"
    )


_METADATA = (
    "pixel_size_um",
    "z_step_um",
    "numerical_aperture",
    "wavelength_um",
    "refractive_index",
)


_NO_SIGN = (
    "the planes do not change as those of a focus series with this distance would, or too "
    "little to be sure: the sign of the even modes stays unknown"
)


def _estimate(
    file: ImageFile,
    optics: GivenOptics,
    model: str | None,
    per: Any,
    device: Any,
    *,
    z_step_um: float | None = None,
) -> tuple["BlurEstimate", dict[str, str]]:
    from napari_deepblur.engine.estimate import estimate_blur_job
    from napari_deepblur.engine.models import DEFAULT_MODEL

    known = optics.complete(file)
    blur = drive(
        estimate_blur_job(
            file.data,
            optics=known.optics,
            model=model or DEFAULT_MODEL,
            axes=file.axes,
            per=per,
            z_step_um=z_step_um,
            device=device,
        )
    )
    return blur, known.origins


def _write_psf(path: Path, blur: "BlurEstimate", file: ImageFile, *, overwrite: bool) -> None:
    psfs = psf_stack(blur, file.shape[:-2])
    size = blur.optics.pixel_size_um
    write_image(
        path,
        psfs,
        file.axes[-psfs.ndim :],
        metadata=ImageMetadata(pixel_sides_um=(size, size), z_step_um=file.metadata.z_step_um),
        provenance=_provenance(blur),
        overwrite=overwrite,
    )


def _on_grid_of(file: ImageFile, blur: "BlurEstimate", *, typed: bool) -> ImageMetadata:
    """What the input states, with a pixel size that was typed where it does not fit."""
    size = blur.optics.pixel_size_um
    told = file.metadata
    if told.pixel_sides_um is None or (typed and told.pixel_size_um is not None):
        return replace(told, pixel_sides_um=(size, size))
    return told


def _provenance(blur: "BlurEstimate") -> dict[str, Any]:
    """What an output file tells of its making."""
    return {
        "software": f"napari-deepblur {__version__}",
        "model": Path(blur.model).name,
        **blur.optics.model_dump(),
        "concerns": concern_lines(blur),
    }


def _report_deblurred(
    image: Path,
    file: ImageFile,
    sharp: np.ndarray,
    *,
    written: dict[str, Path],
    blur: "BlurEstimate",
    check: "DeblurringCheck",
    as_json: bool,
) -> None:
    observed = float(np.asarray(file.data).sum(dtype=np.float64))
    flux_change = float(sharp.sum(dtype=np.float64)) / observed - 1 if observed else 0.0
    if as_json:
        content = {"image": image, **written, "shape": sharp.shape, "axes": file.axes}
        content |= {"flux_change": flux_change, "check": check_object(check)}
        print_json(content | {"blur": blur_object(blur)})
        return
    typer.echo(f"{image}: {file.axes} {file.shape}, model {blur.model}")
    typer.echo(f"total flux {flux_change:+.2%}")
    typer.echo("\n".join(check_lines(check)))
    for path in written.values():
        typer.echo(f"wrote {path}")
