"""Sentences of the report that say what a calibration means for the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.calibration.field_figures import FieldFigures

if TYPE_CHECKING:
    from napari_deepblur.calibration.result import CalibrationResult

__all__ = ["drift_sentence", "sentences"]

#: Relative change of the PSF over the field below which it is small, or hardly there.
_SMALL, _HARDLY = 0.1, 0.03

#: Distance to the nearest bead, by the field's longer side, that is far.
_FAR = 0.15


def sentences(result: CalibrationResult, figures: FieldFigures) -> list[str]:
    """Say how the blur varies over the field, and how far to trust that."""
    return [
        *_of_field(result, figures),
        *_of_width(result, figures),
        *_of_trust(result),
        *_of_gap(result, figures),
        drift_sentence(result),
    ]


def _percent_of(error_db: float) -> str:
    """Write a relative error in dB as a percentage: −20 dB is 10 %."""
    return f"{10 ** (error_db / 20):.1%}".replace("%", " %")


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _of_field(result: CalibrationResult, figures: FieldFigures) -> Iterator[str]:
    share = f"{figures.variation:.0%}".replace("%", " %")
    first = " in the first acquisition" if result.n_acquisitions > 1 else ""
    if not result.resolves_field:
        yield "<b>One PSF for the whole field</b>: so few beads do not tell how the blur varies."
    elif len(result.eigen_psfs) == 1:
        yield (
            "<b>The blur is the same all over the field</b>, as far as these beads tell: places "
            "do not differ by more than the noise."
        )
    elif figures.variation < _HARDLY:
        yield (
            "<b>The blur hardly changes over the field</b>: one and the same PSF everywhere "
            f"would be wrong by {share} only{first}."
        )
    else:
        how = "a little" if figures.variation < _SMALL else "clearly"
        yield (
            f"<b>The blur changes {how} over the field</b>: one and the same PSF everywhere "
            f"would be wrong by {share} (root mean square over the field{first})."
        )


def _of_width(result: CalibrationResult, figures: FieldFigures) -> Iterator[str]:
    beads = result.beads["fwhm_um"][result.beads["status"] == BeadStatus.USED]
    spread = f" ± {beads.std(ddof=0):.2g}" if len(beads) > 1 else ""
    text = f"The beads are {beads.mean():.3g}{spread} µm wide (FWHM)"
    if len(result.eigen_psfs) > 1:
        low, high = figures.fwhm_um.min(), figures.fwhm_um.max()
        text += f"; over the field the PSF's width goes from {low:.3g} to {high:.3g} µm"
    yield f"{text}. The size of the beads themselves is part of it."


def _of_trust(result: CalibrationResult) -> Iterator[str]:
    error = result.error_db
    if error is None:
        yield "How good the PSF is cannot be told from so few beads: none could be left out."
        return
    text = (
        "Beads were left out in turn and predicted from the others: the prediction differs from "
        f"the bead by <b>{_percent_of(error)}</b> ({_signed(error)} dB), noise apart. "
        f"That is {result.trust.value}."
    )
    if len(result.eigen_psfs) > 1:
        constant = float(result.cross_validation_db[0])
        everywhere = "the whole field" + " and all acquisitions" * (result.n_acquisitions > 1)
        text += f" With one PSF for {everywhere} it would be {_percent_of(constant)}."
    yield text


def _of_gap(result: CalibrationResult, figures: FieldFigures) -> Iterator[str]:
    side_um = max(result.field_shape) * result.pixel_size_um
    if len(result.eigen_psfs) > 1 and figures.gap_um > _FAR * side_um:
        y, x = figures.gap_yx
        rows = "upper" if y < -1 / 3 else "lower" if y > 1 / 3 else "middle"
        columns = "left" if x < -1 / 3 else "right" if x > 1 / 3 else "centre"
        yield (
            f"In the {rows} {columns} the nearest bead is up to {figures.gap_um:.3g} µm away: "
            "there the PSF is extrapolated."
        )


def drift_sentence(result: CalibrationResult) -> str:
    """Say how the blur changes from acquisition to acquisition."""
    n_acquisitions, n_coefficients = result.coefficients.shape
    if n_acquisitions == 1:
        return (
            "One acquisition makes a family of one operator (P = 1, γ = 1): there is nothing to "
            "identify, the operator itself is the calibration. Images of several times, "
            "temperatures or samples make a family of blurs."
        )
    if n_coefficients == 1:
        return (
            f"The {n_acquisitions} acquisitions do not differ by more than their noise: the "
            "family has one operator (P = 1, γ = 1)."
        )
    ways = "one way" if n_coefficients == 2 else f"{n_coefficients - 1} independent ways"
    return (
        f"Between the {n_acquisitions} acquisitions the blur changes in {ways}: P = "
        f"{n_coefficients}."
    )
