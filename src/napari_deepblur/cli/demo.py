"""`deepblur demo`: the main job on an image whose truth is known."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import (
    PLUS_MINUS_NOTE,
    blur_object,
    check_lines,
    check_object,
    optics_line,
    print_json,
    twin_note,
    warn_of_concerns,
)
from napari_deepblur.cli.tables import estimated_text, table
from napari_deepblur.io import check_output, write_image

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck
    from napari_deepblur.samples import Sample

__all__ = ["demo"]

_FILES = ("observed.ome.tif", "sharp.ome.tif", "deblurred.ome.tif", "psf.ome.tif", "blur.json")
_N_MEAN = 512
_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


@dataclass(frozen=True, slots=True)
class _Scores:
    """Figures of merit in dB; higher is better."""

    psf_snr: float
    psf_snr_unaberrated: float
    psf_snr_mean_psf: float
    psnr_observed: float
    psnr_deblurred: float


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("deepblur-demo"),
    model: given.ModelOption = None,
    device: given.DeviceOption = "auto",
    gui: Annotated[bool, typer.Option(help="Open napari where there is a display.")] = True,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Estimate and remove the blur of a sample image, and compare with the truth."""
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.request import Request
    from napari_deepblur.engine.restore import restore_job
    from napari_deepblur.samples import SAMPLES

    _prepare(out, overwrite=overwrite)
    sample = SAMPLES["podosomes"]()
    request = Request(image=sample.image, optics=sample.optics, model=model, device=device)
    restored = drive(restore_job(request))
    blur, deblurred, check = restored.blur, restored.sharp, restored.check
    assert isinstance(blur, BlurEstimate)
    warn_of_concerns(blur)
    if check is not None:
        warn_of_concerns(check)
    scores = _score(sample, blur, deblurred)
    layers: dict[str, NDArray[Any]] = {
        "observed": sample.image,
        "sharp": sample.sharp,
        "deblurred": deblurred,
    }
    _write(out, layers | {"psf": blur.psf()}, blur, overwrite=overwrite)
    if as_json:
        _print_object(out, sample, blur, scores, check)
        return
    typer.echo("\n".join(_lines(sample, blur, scores, check)))
    typer.echo(f"wrote {', '.join(_FILES)} into {out.resolve()}")
    if gui and _has_display():
        _show(layers, sample)
    elif gui:
        typer.echo("no display, or no napari with Qt: look at the files with another program")


def _prepare(out: Path, *, overwrite: bool) -> None:
    """Refuse before the work, not after it."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} exists and is no folder: choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        check_output(out / name, overwrite=overwrite)


def _score(sample: "Sample", blur: "BlurEstimate", deblurred: NDArray[np.float32]) -> _Scores:
    import torch

    from napari_deepblur.engine.metrics import psf_snr, psnr
    from napari_deepblur.operators import ZernikeFamily

    family = ZernikeFamily().at_cutoff(sample.optics.cutoff)
    with torch.no_grad():
        true = family.psf(torch.from_numpy(sample.coefficients[0]))
        unaberrated = family.psf(torch.zeros(family.n_coefficients))
        mean = family.psf(family.admissible_set.sample(_N_MEAN, seed=0)).mean(0)
    estimated = torch.from_numpy(blur.psf())
    inside = (slice(len(true) // 2, -(len(true) // 2)),) * 2

    def fidelity(image: NDArray[Any]) -> float:
        part, truth = (torch.from_numpy(a.astype(np.float32)) for a in (image, sample.sharp))
        return float(psnr(part[inside], truth[inside]))

    return _Scores(
        psf_snr=float(psf_snr(estimated, true)),
        psf_snr_unaberrated=float(psf_snr(unaberrated, true)),
        psf_snr_mean_psf=float(psf_snr(mean, true)),
        psnr_observed=fidelity(sample.image),
        psnr_deblurred=fidelity(deblurred),
    )


def _lines(
    sample: "Sample", blur: "BlurEstimate", scores: _Scores, check: "DeblurringCheck | None"
) -> list[str]:
    # A sample has no modes but its own, and no extra blur.
    true = np.zeros(len(blur.coefficient_names))
    true[: sample.coefficients.shape[1]] = sample.coefficients[0]
    rows = [
        [name, f"{value:+.3f}", estimated_text(found, std)]
        for name, value, found, std in zip(
            blur.coefficient_names,
            true,
            blur.coefficients[0],
            blur.std[0],
            strict=True,
        )
    ]
    return [
        f"sample {sample.name}: {sample.axes} {sample.image.shape}, model {blur.model}",
        optics_line(sample.optics, dict.fromkeys(type(sample.optics).model_fields, "sample")),
        *table(["waves", "true", "estimated (95 %)"], rows),
        PLUS_MINUS_NOTE,
        twin_note(blur),
        f"PSF-SNR {scores.psf_snr:.1f} dB estimated",
        f"PSF-SNR {scores.psf_snr_unaberrated:.1f} dB if the answer were the unaberrated PSF",
        f"PSF-SNR {scores.psf_snr_mean_psf:.1f} dB if the answer were the mean PSF",
        f"PSNR {scores.psnr_observed:.2f} dB observed, {scores.psnr_deblurred:.2f} dB deblurred",
        *check_lines(check),
    ]


def _print_object(
    out: Path,
    sample: "Sample",
    blur: "BlurEstimate",
    scores: _Scores,
    check: "DeblurringCheck | None",
) -> None:
    print_json(
        {
            "sample": sample.name,
            "true_coefficients": sample.coefficients,
            **blur_object(blur),
            **{field: getattr(scores, field) for field in _Scores.__slots__},
            "check": check_object(check),
            "written": [out / name for name in _FILES],
        }
    )


def _write(
    out: Path, images: dict[str, NDArray[Any]], blur: "BlurEstimate", *, overwrite: bool
) -> None:
    size = blur.optics.pixel_size_um
    for name, image in images.items():
        path = out / f"{name}.ome.tif"
        write_image(path, image, "YX", pixel_size_um=size, overwrite=overwrite)
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
            scale=(sample.optics.pixel_size_um,) * 2,
            units="um",
            axis_labels=("y", "x"),
            contrast_limits=limits,
        )
    napari.run()
