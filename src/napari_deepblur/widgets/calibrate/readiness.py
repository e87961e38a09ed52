"""Readiness of the chosen layers, and the frozen plan of what would be computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from napari_deepblur.calibration.settings import CalibrationSettings
from napari_deepblur.engine.known_optics import Known, merge_optics, optics_of, stated
from napari_deepblur.errors import describe
from napari_deepblur.widgets.calibrate.wishes import CalibrationWishes, PlaneWish
from napari_deepblur.widgets.layers.facts import LayerFacts, facts_of, pixels_of

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["BeadSource", "CalibrationPlan", "Readiness", "plan_calibration"]

#: Relative difference up to which the pixels of two layers count as equally large.
_EQUAL_WITHIN = 0.01

_UNNAMED_AXES = (
    "nobody says what its axes are, and one may be channels: name them in the dock Deep-Blur, "
    "section Image, or split the layer"
)


class Readiness(Enum):
    """State of the chosen layers and values before a calibration."""

    NO_LAYER = "no image"
    UNUSABLE = "unusable images"
    MISSING = "missing values"
    INVALID = "invalid values"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class BeadSource:
    """Name, shape and facts of a layer."""

    name: str
    shape: tuple[int, ...]
    facts: LayerFacts

    @classmethod
    def of(cls, layer: Image) -> BeadSource:
        """Look at a layer without reading its pixels."""
        return cls(layer.name, tuple(pixels_of(layer).shape), facts_of(layer))

    def size(self, axis: str) -> int:
        """Length along an axis; 1 where the layer has none."""
        axes = self.facts.axes
        return int(self.shape[axes.index(axis)]) if axis in axes else 1


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """Plan of a calibration, or the reason why there is none.

    Attributes
    ----------
    readiness
        State of the layers and values.
    message
        The state in words, with what to do.
    fields
        Optical values and their sources, by name.
    settings
        Settings for the engine, where all is valid.
    axes
        One letter of TCZYX per dimension of each layer.
    has_stacks
        True if one plane of several must be chosen.
    plane
        What is taken of stacks.
    bare_scale
        Scale of the first layer that has no unit of length, where the pixel size is missing.
    """

    readiness: Readiness
    message: str
    fields: Mapping[str, Known] = field(default_factory=dict)
    settings: CalibrationSettings | None = None
    axes: str = ""
    has_stacks: bool = False
    plane: PlaneWish = "sharpest"
    bare_scale: float | None = None

    @property
    def can_run(self) -> bool:
        """True if the calibration can be computed."""
        return self.readiness is Readiness.READY


def plan_calibration(
    wishes: CalibrationWishes, sources: Sequence[BeadSource], current_plane: int = 0
) -> CalibrationPlan:
    """Judge the wishes for layers; what was typed goes before what the layers say.

    Parameters
    ----------
    wishes
        Values that were typed and chosen.
    sources
        The chosen layers.
    current_plane
        Plane of stacks that the slider stands at.
    """
    if not sources:
        text = "Open an image of beads, or the sample “Bead field” from File > Open Sample."
        return CalibrationPlan(Readiness.NO_LAYER, text, merge_optics(stated("typed", wishes)))
    facts = sources[0].facts
    fields = merge_optics(stated("typed", wishes), facts.known)
    has_stacks = any(source.size("Z") > 1 for source in sources)
    plan = partial(CalibrationPlan, fields=fields, has_stacks=has_stacks, plane=wishes.plane)
    problem = _unusable(wishes, sources)
    if problem:
        return plan(Readiness.UNUSABLE, problem)
    if "pixel_size_um" not in fields:
        return plan(Readiness.MISSING, _ask_for_pixel(facts.hint), bare_scale=facts.bare_scale)
    try:
        taken = _of_stacks(wishes, current_plane) if has_stacks else {}
        settings = _settings(wishes, fields, taken)
    except ValueError as error:
        return plan(Readiness.INVALID, describe(error))
    return plan(Readiness.READY, _ready(sources, settings), settings=settings, axes=facts.axes)


def _unusable(wishes: CalibrationWishes, sources: Sequence[BeadSource]) -> str:
    """Reason why the layers cannot be used, alone or together; empty if they can."""
    first = sources[0]
    for source in sources:
        problem = _UNNAMED_AXES if source.facts.asks_axes else source.facts.problem
        if problem:
            return problem if source.name in problem else f"{source.name}: {problem}"
        if source.facts.axes != first.facts.axes:
            return (
                "choose layers of the same axes: "
                f"{first.name} has {first.facts.axes}, {source.name} has {source.facts.axes}"
            )
        if source.shape[-2:] != first.shape[-2:]:
            return (
                f"all images must show the same field: {first.name} is {_sides(first)} pixels, "
                f"{source.name} is {_sides(source)}"
            )
    return "" if wishes.pixel_size_um is not None else _different_pixels(sources)


def _different_pixels(sources: Sequence[BeadSource]) -> str:
    known = [source.facts.known.get("pixel_size_um") for source in sources]
    sizes = [size.value for size in known if size is not None]
    if len(sizes) < len(sources) or np.allclose(sizes, sizes[0], rtol=_EQUAL_WITHIN):
        return ""
    listed = ", ".join(f"{size:g}" for size in dict.fromkeys(sizes))
    return (
        f"the layers' pixels differ in size ({listed} µm): acquisitions must be of the same "
        "field. Correct the layers' scale, or type the pixel size"
    )


def _sides(source: BeadSource) -> str:
    return " × ".join(map(str, source.shape[-2:]))


def _ask_for_pixel(hint: str) -> str:
    more = f" {hint[0].upper()}{hint[1:]}." if hint else ""
    return f"Please fill in: pixel size in µm.{more}"


def _of_stacks(wishes: CalibrationWishes, current_plane: int) -> dict[str, Any]:
    """Make the settings that say what to take of stacks."""
    if wishes.plane != "sum":
        return {"plane": current_plane if wishes.plane == "current" else wishes.plane}
    if wishes.first_plane is None or wishes.last_plane is None:
        raise ValueError("fill in the first and the last plane of the sum")
    return {"z_range": (wishes.first_plane, wishes.last_plane + 1)}


def _settings(
    wishes: CalibrationWishes, fields: Mapping[str, Known], taken: Mapping[str, Any]
) -> CalibrationSettings:
    """Make the settings for the engine.

    Raises
    ------
    ValueError
        If a value is impossible, or half of the optics was typed.
    """
    optics = None
    if {"numerical_aperture", "wavelength_um"} <= set(fields):
        try:
            optics = optics_of(fields)
        except ValidationError as error:
            raise ValueError(describe(error)) from error
    elif wishes.numerical_aperture is not None or wishes.wavelength_um is not None:
        raise ValueError("fill in both numerical aperture and wavelength, or neither")
    return CalibrationSettings.model_validate(
        {
            "pixel_size_um": fields["pixel_size_um"].value,
            "optics": optics,
            **taken,
            **{name: getattr(wishes, name) for name in ("window", "n_eigen_psfs", "saturation")},
            **({} if wishes.inflation is None else {"inflation": wishes.inflation}),
        }
    )


def _ready(sources: Sequence[BeadSource], settings: CalibrationSettings) -> str:
    n = sum(source.size("T") for source in sources)
    many = "1 acquisition" if n == 1 else f"{n} acquisitions"
    text = f"{many} of {_sides(sources[0])} pixels of {settings.pixel_um:g} µm"
    return f"{text}, optics known" if settings.optics else text
