"""`deepblur demo`: the main job on an image whose truth is known."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from napari_deepblur.cli import options as given
from napari_deepblur.cli.demo_figures import Figures, figures_of
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import (
    blur_object,
    check_lines,
    check_object,
    maker_of,
    optics_line,
    print_json,
    psf_stack,
    warn_of_concerns,
)
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.io import check_output, write_image

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate, Scope
    from napari_deepblur.engine.diagnostics import DeblurringCheck
    from napari_deepblur.samples import Sample

__all__ = ["demo"]

_FILES = ("observed.ome.tif", "sharp.ome.tif", "deblurred.ome.tif", "psf.ome.tif", "blur.json")
_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


SampleName = Literal["podosomes", "spheroid", "lymphocyte"]


def demo(
    *,
    sample: Annotated[
        SampleName,
        typer.Option(
            help="Image to work on: podosomes and spheroid plane by plane, lymphocyte in 3-D."
        ),
    ] = "podosomes",
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("deepblur-demo"),
    model: given.ModelOption = None,
    device: given.DeviceOption = "auto",
    gui: Annotated[bool, typer.Option(help="Open napari where there is a display.")] = True,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Estimate and remove the blur of a sample image, and compare with the truth."""
    from napari_deepblur.engine.request import Request
    from napari_deepblur.engine.restore import restore_job
    from napari_deepblur.samples import SAMPLES

    _prepare(out, overwrite=overwrite)
    drawn = SAMPLES[sample]()
    per: Scope = "volume" if drawn.stack_optics else "plane"
    given.refuse_model(model, per)
    request = Request(
        image=drawn.image,
        axes=drawn.axes,
        optics=drawn.optics,
        model=model,
        per=per,
        z_step_um=drawn.z_step_um if per == "volume" else None,
        device=device,
    )
    restored = drive(restore_job(request))
    blur, deblurred, check = restored.blur, restored.sharp, restored.check
    warn_of_concerns(blur)
    if check is not None:
        warn_of_concerns(check)
    figures = figures_of(drawn, blur, deblurred)
    layers: dict[str, NDArray[Any]] = {
        "observed": drawn.image,
        "sharp": drawn.sharp,
        "deblurred": deblurred,
    }
    _write(out, layers, blur, drawn, overwrite=overwrite)
    if as_json:
        _print_object(out, drawn, blur, figures, check)
        return
    typer.echo(f"sample {drawn.name}: {drawn.axes} {drawn.image.shape}, {maker_of(blur)}")
    typer.echo(optics_line(drawn.optics, dict.fromkeys(type(drawn.optics).model_fields, "sample")))
    typer.echo("\n".join([*figures.lines, *check_lines(check)]))
    typer.echo(f"wrote {', '.join(_FILES)} into {out.resolve()}")
    if gui and _has_display():
        _show(layers, drawn)
    elif gui:
        typer.echo("no display, or no napari with Qt: look at the files with another program")


def _prepare(out: Path, *, overwrite: bool) -> None:
    """Refuse before the work, not after it."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} exists and is no folder: choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        check_output(out / name, overwrite=overwrite)


def _print_object(
    out: Path,
    sample: "Sample",
    blur: "BlurEstimate | VolumeBlurEstimate",
    figures: Figures,
    check: "DeblurringCheck | None",
) -> None:
    print_json(
        {
            "sample": sample.name,
            "true_coefficients": sample.coefficients,
            **blur_object(blur),
            **figures.values,
            "check": check_object(check),
            "written": [out / name for name in _FILES],
        }
    )


def _write(
    out: Path,
    images: dict[str, NDArray[Any]],
    blur: "BlurEstimate | VolumeBlurEstimate",
    sample: "Sample",
    *,
    overwrite: bool,
) -> None:
    psf = (
        blur.psf_3d()
        if isinstance(blur, VolumeBlurEstimate)
        else psf_stack(blur, sample.image.shape[:-2])
    )
    for name, image in (images | {"psf": psf}).items():
        write_image(
            out / f"{name}.ome.tif",
            image,
            sample.axes,
            pixel_size_um=blur.optics.pixel_size_um,
            z_step_um=sample.z_step_um,
            overwrite=overwrite,
        )
    blur.save(out / "blur.json", overwrite=overwrite)


def _has_display() -> bool:
    bindings = [name for name in _QT_BINDINGS if importlib.util.find_spec(name)]
    if not bindings or importlib.util.find_spec("napari") is None:
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show(layers: dict[str, NDArray[Any]], sample: "Sample") -> None:
    import napari

    viewer = napari.Viewer(title="napari-deepblur demo")
    limits = tuple(float(v) for v in np.percentile(sample.image, [1, 99.8]))
    for name, image in layers.items():
        viewer.add_image(
            image,
            name=name,
            scale=sample.scale_um,
            units="um",
            axis_labels=tuple(sample.axes.lower()),
            contrast_limits=limits,
        )
    napari.run()
