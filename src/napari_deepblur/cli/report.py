"""Output of the commands: tables for people, one JSON object for machines."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from napari_deepblur.cli.tables import coefficient_rows, coefficient_summary, table
from napari_deepblur.cli.varying import psf_mosaic, varying_lines, varying_object
from napari_deepblur.cli.volume import volume_lines, volume_object
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.known.psf import KnownPsf
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_deepblur.engine.diagnostics import DeblurringCheck

    Judged = BlurEstimate | VolumeBlurEstimate | DeblurringCheck

__all__ = [
    "PLUS_MINUS_NOTE",
    "blur_lines",
    "blur_object",
    "check_lines",
    "check_object",
    "concern_lines",
    "known_object",
    "maker_of",
    "optics_line",
    "plain",
    "print_json",
    "psf_stack",
    "strehl_ratios",
    "twin_note",
    "warn_of_concerns",
]

PLUS_MINUS_NOTE = (
    "± is twice the standard error: of images like those of the training, 95 % of the true "
    "values lie within"
)
_TWIN_NOTE = (
    "note: one plane cannot tell the common sign of the even modes (defocus, astigmatism): "
    "flipped together they give the same PSF"
)
_RESOLVED_NOTE = "note: the focus series told the sign of the even modes (defocus, astigmatism)"
_CHECK_NOTE = (
    "residual and ringing are about 1 where all is well; a residual of 1 does not prove the blur: "
    "too weak a blur explains an image as well"
)
_MOST_COLUMNS = 4

#: The engine itself warns of these, or the estimate's own concerns were shown.
_ALREADY_TOLD = {
    ConcernKind.UNDERSAMPLED,
    ConcernKind.OUTSIDE_TRAINING,
    ConcernKind.DOUBTED_BLUR,
}


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; what is not finite becomes null."""
    typer.echo(json.dumps(plain(content), ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Convert a value into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        # Single precision holds no more than seven digits.
        return plain(np.asarray(value, float).round(7).tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int | str | None) else str(value)


def optics_line(optics: Optics, origins: Mapping[str, str]) -> str:
    """Optics with the origin of each value."""
    shown = {
        "numerical_aperture": f"NA {optics.numerical_aperture:g}",
        "wavelength_um": f"λ {optics.wavelength_um:g} µm",
        "pixel_size_um": f"pixel {optics.pixel_size_um:.5g} µm",
        "refractive_index": f"n {optics.refractive_index:g}",
    }
    return ", ".join(f"{text} ({origins[field]})" for field, text in shown.items())


def strehl_ratios(blur: BlurEstimate) -> NDArray[np.float32]:
    """Peak of each PSF relative to that of the unaberrated one, shape (N,)."""
    import torch

    with torch.no_grad():
        psfs = blur.family.psf(torch.from_numpy(blur.coefficients))
        best = blur.family.psf(torch.zeros(blur.coefficients.shape[-1]))
    ratios: NDArray[np.float32] = (psfs.amax((-2, -1)) / best.max()).numpy()
    return ratios


def psf_stack(blur: BlurEstimate, lead_shape: tuple[int, ...]) -> NDArray[np.float32]:
    """PSF of each plane, shape (*lead_shape, h, w); (h, w) where one serves all planes.

    Of a blur that varies over the field a mosaic of PSFs on the image's own grid.
    """
    one = psf_mosaic if blur.varies else BlurEstimate.psf
    if blur.per == "stack":
        return one(blur, 0)
    psfs = np.stack([one(blur, plane) for plane in range(blur.n_planes)])
    return psfs.reshape(*lead_shape, *psfs.shape[-2:])


def maker_of(blur: BlurEstimate | VolumeBlurEstimate) -> str:
    """Describe what an estimate was made with."""
    if isinstance(blur, VolumeBlurEstimate):
        return blur.known_as or "3-D blur"
    return f"model {blur.model}" if blur.known is None else blur.known.name


def blur_lines(blur: BlurEstimate | VolumeBlurEstimate) -> list[str]:
    """Coefficients ± 2·std: each plane's or volume's, or a summary of many."""
    if isinstance(blur, VolumeBlurEstimate):
        return volume_lines(blur)
    if blur.varies:
        return varying_lines(blur)
    n = len(blur.coefficients)
    rms = _rms_waves(blur)
    strehl = strehl_ratios(blur)
    if n > _MOST_COLUMNS:
        read = ~blur.is_blank
        head, rows = coefficient_summary(
            f"{read.sum()} planes", blur.coefficient_names, blur.coefficients[read], blur.std[read]
        )
        rms, strehl = rms[read], strehl[read]
        strength = f"RMS {_extent(rms)} waves, Strehl ratio {_extent(strehl)} (mean, min … max)"
    else:
        titles = ["waves (95 %)"] if n == 1 else [f"plane {index}" for index in range(n)]
        head = ["coefficient", *titles]
        rows = coefficient_rows(blur.coefficient_names, blur.coefficients, blur.std)
        strength = "; ".join(
            f"RMS {a:.3f} waves, Strehl ratio {b:.2f}" for a, b in zip(rms, strehl, strict=True)
        )
    notes = [*_bead_note(blur), PLUS_MINUS_NOTE, f"aberration: {strength}", twin_note(blur)]
    return [*table(head, rows), *notes]


def _bead_note(blur: BlurEstimate) -> list[str]:
    """Say how many planes were read from isolated beads, and from how many, if any were."""
    counts = [n for n in blur.n_beads if n]
    if not counts:
        return []
    extent = f"{min(counts)} … {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    of_planes = f" ({len(counts)} of {len(blur.n_beads)} planes)" if len(blur.n_beads) > 1 else ""
    return [f"read from {extent} isolated bead{'' if max(counts) == 1 else 's'}{of_planes}"]


def twin_note(blur: BlurEstimate) -> str:
    """Describe what is known of the sign of the even modes."""
    return _RESOLVED_NOTE if blur.twin_resolved else _TWIN_NOTE


def concern_lines(judged: Judged, *, advises: bool = False) -> list[str]:
    """List the concerns, a line for each kind, with the planes or volumes that it is about.

    Numbers in the text, such as a percentage, may differ from plane to plane: the line has those
    of the first.

    Parameters
    ----------
    judged
        A blur, or the check of a deblurred image.
    advises
        Whether each line says what to do next, too.
    """
    found: dict[Hashable, dict[int, Concern]] = {}
    for plane, reasons in enumerate(judged.concerns):
        for reason in reasons:
            found.setdefault(reason.group, {}).setdefault(plane, reason)
    one = len(judged.concerns) == 1
    row = "volume" if isinstance(judged, VolumeBlurEstimate) else "plane"
    lines = []
    for alike in found.values():
        advice = next(iter(alike.values())).advice if advises else ""
        line = _concern_line(alike, "" if one else row)
        lines.append(f"{line}. Next: {advice}" if advice else line)
    return lines


def _concern_line(reasons: Mapping[int, Concern], row: str) -> str:
    first, text = next(iter(reasons.items()))
    if not row:
        return text
    where = "" if len(set(reasons.values())) == 1 else f" ({row} {first})"
    return f"{_row_names(reasons, row)}: {text}{where}"


def warn_of_concerns(judged: Judged) -> None:
    """Warn of what speaks against a blur or a deblurred image."""
    news = [
        tuple(reason for reason in reasons if reason.kind not in _ALREADY_TOLD)
        for reasons in judged.concerns
    ]
    for line in concern_lines(replace(judged, concerns=tuple(news)), advises=True):
        warnings.warn(line, UserWarning, stacklevel=2)


def _row_names(rows: Iterable[int], row: str) -> str:
    """Such as ``planes 0–3, 7``."""
    # Numbers that follow one another differ from their places by the same.
    runs = [
        [plane for _, plane in run]
        for _, run in groupby(enumerate(rows), lambda pair: pair[1] - pair[0])
    ]
    names = ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f"{row} {names}" if names.isdecimal() else f"{row}s {names}"


def _extent(values: NDArray[np.float32]) -> str:
    return f"{values.mean():.3f} ({values.min():.3f} … {values.max():.3f})"


def blur_object(blur: BlurEstimate | VolumeBlurEstimate) -> dict[str, Any]:
    """Convert a blur into a JSON object."""
    if isinstance(blur, VolumeBlurEstimate):
        return volume_object(blur)
    return {
        "model": blur.model,
        "optics": blur.optics.model_dump(),
        "cutoff": blur.optics.cutoff,
        "per": blur.per,
        "n_planes": blur.n_planes,
        "coefficient_names": blur.coefficient_names,
        "coefficients": blur.coefficients,
        "std": blur.std,
        "concerns": blur.concerns or [[]] * len(blur.coefficients),
        "in_domain": blur.in_domain.tolist(),
        "twin_resolved": blur.twin_resolved,
        "known": None if blur.known is None else known_object(blur.known),
        "source": blur.source,
        "read_at_um": blur.read_at_um,
        "n_beads": list(blur.n_beads) or [0] * len(blur.coefficients),
        **_figures_object(blur),
    }


def _figures_object(blur: BlurEstimate) -> dict[str, Any]:
    """Numbers that say more than the coefficients."""
    if blur.varies:
        return varying_object(blur)
    if blur.known is None:
        return _strength_object(blur)
    return {"width_um": psf_width(blur.psf()) * blur.optics.pixel_size_um}


def known_object(known: KnownPsf) -> dict[str, str]:
    """Convert what is said of a known PSF into a JSON object."""
    return {"kind": known.kind, "name": known.name}


def _rms_waves(blur: BlurEstimate) -> NDArray[np.float32]:
    """RMS of each row's wavefront, waves, shape (N,)."""
    import torch

    from napari_deepblur.operators import ZernikeFamily

    assert isinstance(blur.family, ZernikeFamily)
    waves = blur.family.wavefront(torch.from_numpy(blur.coefficients))
    rms: NDArray[np.float32] = waves.square().sum(-1).sqrt().numpy()
    return rms


def _strength_object(blur: BlurEstimate) -> dict[str, Any]:
    return {
        "rms_waves": _rms_waves(blur),
        "strehl_ratio": strehl_ratios(blur),
    }


def check_lines(check: DeblurringCheck | None) -> list[str]:
    """List what the check found for each plane, or a summary of many planes."""
    if check is None:
        return []
    n = len(check.residual)
    rows = {
        "residual / noise": (check.residual, "{:.2f}"),
        "border ringing": (check.border_ringing, "{:.2f}"),
        "flux moved": (check.flux_moved, "{:.1%}"),
    }
    if n > _MOST_COLUMNS:
        head = [f"check of {n} planes", "median", "min", "max"]
        columns = {
            name: (np.nanmedian(values), np.nanmin(values), np.nanmax(values))
            for name, (values, _) in rows.items()
        }
    else:
        head = ["check", *([""] if n == 1 else [f"plane {index}" for index in range(n)])]
        columns = {name: tuple(values) for name, (values, _) in rows.items()}
    texts = [
        [name, *(rows[name][1].format(value) for value in values)]
        for name, values in columns.items()
    ]
    return [*table(head, texts), _CHECK_NOTE]


def check_object(check: DeblurringCheck | None) -> dict[str, Any] | None:
    """Convert a check into a JSON object; None if the check failed."""
    if check is None:
        return None
    return {
        "residual": check.residual,
        "border_ringing": check.border_ringing,
        "flux_moved": check.flux_moved,
        # Significant digits: its unit is the image's, whatever that is.
        "noise_deviation": [float(f"{value:.6g}") for value in check.noise_deviation],
        "residual_of_bright": check.residual_of_bright,
        "unsupported": check.unsupported,
        "concerns": check.concerns,
    }
