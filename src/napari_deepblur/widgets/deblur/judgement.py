"""Judge whether the blur of a layer can be estimated, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pydantic import ValidationError

from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.known_optics import Known, missing_optics, optics_of
from napari_deepblur.errors import describe
from napari_deepblur.optics.settings import Optics, Sampling
from napari_deepblur.widgets.layers.facts import LayerFacts
from napari_deepblur.widgets.layers.optics_fields import (
    AS_LAST_TIME,
    LABELS,
    STACK_FIELDS,
    with_labels,
)

__all__ = ["Verdict", "judge"]


class Verdict(Enum):
    """Verdict on whether the blur of a layer can be estimated."""

    NO_LAYER = "no image"
    UNUSABLE = "unusable image"
    MISSING = "missing values"
    INVALID = "invalid values"
    REFUSED = "refused"
    REMEMBERED = "remembered values"
    UNDERSAMPLED = "undersampled"
    WELL_SAMPLED = "well sampled"


_VERDICTS = {
    Sampling.TOO_FINE: Verdict.REFUSED,
    Sampling.TOO_COARSE: Verdict.REFUSED,
    Sampling.UNDERSAMPLED: Verdict.UNDERSAMPLED,
    Sampling.WELL_SAMPLED: Verdict.WELL_SAMPLED,
}

#: Longest step between planes of a z-stack, µm: what is longer was meant in nm.
_LONGEST_STEP_UM = 20.0

#: Smallest pixel size that may be meant in nm, µm.
_SMALLEST_IN_NM = 10.0

#: Values of the objective in a sentence.
_SHORT = {"numerical_aperture": "NA {:g}", "refractive_index": "n {:g}"}

_NO_LENGTH = {
    "z_step_um": "The z step must be above 0 µm, not {:g}: type the distance from one plane to the "
    "next.",
    "light_sheet_fwhm_um": "The light sheet must be above 0 µm, not {:g}: type its full "
    "width at half maximum, or leave the field empty for widefield.",
}


def judge(
    fields: Mapping[str, Known], facts: LayerFacts | None, per: Scope, coarsest_cutoff: float
) -> tuple[Verdict, str, Optics | None]:
    """Judge whether a blur can be estimated; say it in words, with the optics where they are valid.

    Parameters
    ----------
    fields
        Optical values and those of a stack with their sources, by name.
    facts
        Facts about the layer; None if there is no layer.
    per
        What the blur is of.
    coarsest_cutoff
        Largest cutoff at which the model reads blurs, cycles per pixel.
    """
    if facts is None:
        return Verdict.NO_LAYER, "Open an image, or a sample from File > Open Sample.", None
    if facts.problem:
        return Verdict.UNUSABLE, facts.problem, None
    if facts.asks_axes:
        return Verdict.MISSING, "Say what the axes are: one of them may be channels.", None
    return _judge_fields(fields, facts, per, coarsest_cutoff)


def _judge_fields(
    fields: Mapping[str, Known], facts: LayerFacts, per: Scope, coarsest_cutoff: float
) -> tuple[Verdict, str, Optics | None]:
    missing = missing_optics(fields)
    if per == "volume" and "z_step_um" not in fields:
        missing.append("z_step_um")
    if missing:
        return Verdict.MISSING, _ask_for(missing, facts), None
    try:
        optics = optics_of(fields)
    except ValidationError as error:
        return Verdict.INVALID, with_labels(describe(error)), None
    for name in STACK_FIELDS:
        if name in fields and fields[name].value <= 0:
            return Verdict.INVALID, _NO_LENGTH[name].format(fields[name].value), None
    if question := _meant_in_nm(optics, fields):
        return Verdict.INVALID, question, None
    verdict, text = _VERDICTS[optics.sampling], optics.sampling_text
    if optics.suits_wide_blur(coarsest_cutoff):
        verdict = Verdict.WELL_SAMPLED
        text = (
            f"coarse pixels, wide blur: cutoff NA · pixel / λ = {optics.cutoff:.3f} cycles/pixel "
            "suits this model, whose blurs reach over several pixels"
        )
    if verdict is not Verdict.REFUSED and (old := _remembered_in_words(fields)):
        return Verdict.REMEMBERED, f"As last time: {old}. Is that this image, too?", optics
    return verdict, text, optics


def _meant_in_nm(optics: Optics, fields: Mapping[str, Known]) -> str:
    """Ask whether a length that is far too large was meant in nm; empty where none is."""
    if "z_step_um" in fields and (step := fields["z_step_um"].value) > _LONGEST_STEP_UM:
        return (
            f"A z step of {step:g} µm is too long: if these are nanometres, type {step / 1000:g}."
        )
    side = optics.pixel_size_um
    if optics.sampling is not Sampling.TOO_COARSE or side < _SMALLEST_IN_NM:
        return ""
    if optics.moved(pixel_size_um=side / 1000).sampling.is_refused:
        return ""
    return f"A pixel size of {side:g} µm is too large: did you mean {side:g} nm ({side / 1000:g})?"


def _remembered_in_words(fields: Mapping[str, Known]) -> str:
    """Name the values of last time; empty where there are none."""
    old = {name: one.value for name, one in fields.items() if one.source == AS_LAST_TIME}
    names = [words.format(old[name]) for name, words in _SHORT.items() if name in old]
    if "wavelength_um" in old:
        names.append(f"{1000 * old['wavelength_um']:.0f} nm")
    return ", ".join(names)


def _ask_for(missing: list[str], facts: LayerFacts) -> str:
    names = ", ".join(LABELS[name].lower().replace("(µm)", "in µm") for name in missing)
    message = f"Please fill in: {names}."
    if "pixel_size_um" in missing and facts.hint:
        message += f" {facts.hint[0].upper()}{facts.hint[1:]}."
    return message
