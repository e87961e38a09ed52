"""Resolve the user's settings and the layer's facts into one value that a job can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_deepblur.engine.blur import BlurEstimate, Per
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.known_optics import (
    Known,
    merge_optics,
    missing_optics,
    optics_of,
    stated,
)
from napari_deepblur.engine.request import Request, TypedOptics
from napari_deepblur.errors import describe
from napari_deepblur.optics.settings import Optics, Sampling
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.layers.facts import LayerFacts, axes_of, facts_of, pixels_of
from napari_deepblur.widgets.layers.optics_fields import OPTICS_FIELDS, with_labels

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["Resolved", "Verdict", "blur_request", "resolve"]


class Verdict(Enum):
    """Verdict on whether the blur of a layer can be estimated."""

    NO_LAYER = "no image"
    UNUSABLE = "unusable image"
    MISSING = "missing values"
    INVALID = "invalid values"
    REFUSED = "refused"
    UNDERSAMPLED = "undersampled"
    WELL_SAMPLED = "well sampled"


_VERDICTS = {
    Sampling.TOO_FINE: Verdict.REFUSED,
    Sampling.TOO_COARSE: Verdict.REFUSED,
    Sampling.UNDERSAMPLED: Verdict.UNDERSAMPLED,
    Sampling.WELL_SAMPLED: Verdict.WELL_SAMPLED,
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """Values that a task is started with, or the reason why none can be.

    Attributes
    ----------
    verdict
        Verdict on whether the blur can be estimated.
    message
        The verdict in words, with what to do.
    fields
        Optical values and their sources, by name.
    optics
        Optics, where all values are there and valid.
    axes
        One letter of TCZYX per dimension of the layer.
    shape
        Number of pixels along each of them.
    model
        Bundled name of the model, or its folder.
    per
        ``plane`` for a blur of each plane, ``stack`` for one of all planes.
    device
        Device that the networks run on.
    focus_step_um
        Distance between the layer's planes, µm, where they can be a focus series.
    z_step_um
        Distance between the planes, µm, where the user says that they are a focus series.
    residual_layer
        True if deblurring also adds a layer of what the result does not explain.
    bare_scale
        Side of a pixel in a unit that is no length, which may be meant in µm.
    asks_axes
        Whether the user must say what the axes are.
    n_channels
        Number of channels in the layer; several must be split.
    """

    verdict: Verdict
    message: str
    fields: Mapping[str, Known] = field(default_factory=dict)
    optics: Optics | None = None
    axes: str = ""
    shape: tuple[int, ...] = ()
    model: str = ""
    per: Per = "plane"
    device: Device = "auto"
    focus_step_um: float | None = None
    z_step_um: float | None = None
    residual_layer: bool = False
    bare_scale: float | None = None
    asks_axes: bool = False
    n_channels: int = 1

    def request(self, image: Any, blur: BlurEstimate | None = None) -> Request:
        """Request to the engine for an image, whose blur may be known already.

        Parameters
        ----------
        image
            Pixels of the layer.
        blur
            Its blur.
        """
        assert self.optics is not None
        return Request(
            image=image,
            axes=self.axes,
            optics=self.optics,
            blur=blur,
            model=self.model if blur is None else None,
            per=self.per,
            focus_series=self.z_step_um is not None,
            z_step_um=self.z_step_um,
            device=self.device,
            residual=self.residual_layer,
        )

    @property
    def can_run(self) -> bool:
        """True if a blur can be estimated."""
        return self.verdict in (Verdict.UNDERSAMPLED, Verdict.WELL_SAMPLED)


def resolve(
    settings: DeblurSettings, facts: LayerFacts | None, *, varies: bool = False
) -> Resolved:
    """Judge the wishes for a layer; what was typed goes before what the layer says.

    Parameters
    ----------
    settings
        Choices of the user.
    facts
        Facts about the layer; None if there is no layer.
    varies
        True if the model's blurs vary over the field: a focus series tells nothing about those.
    """
    fields = merge_optics(stated("typed", settings), facts.known if facts else {})
    verdict, message, optics = _judge(fields, facts)
    may_be_series = settings.per == "plane" and not varies
    focus_step = facts.z_step_um if facts and may_be_series else None
    return Resolved(
        verdict,
        message,
        fields,
        optics,
        facts.axes if facts else "",
        facts.shape if facts else (),
        settings.model,
        settings.per,
        settings.device,
        focus_step,
        focus_step if settings.focus_series else None,
        settings.residual_layer,
        facts.bare_scale if facts and "pixel_size_um" not in fields else None,
        facts.asks_axes if facts else False,
        facts.n_channels if facts else 1,
    )


def _judge(
    fields: Mapping[str, Known], facts: LayerFacts | None
) -> tuple[Verdict, str, Optics | None]:
    if facts is None:
        return Verdict.NO_LAYER, "Open an image, or a sample from File > Open Sample.", None
    if facts.problem:
        return Verdict.UNUSABLE, facts.problem, None
    if facts.asks_axes:
        return Verdict.MISSING, "Say what the axes are: one of them may be channels.", None
    missing = missing_optics(fields)
    if missing:
        return Verdict.MISSING, _ask_for(missing, facts), None
    try:
        optics = optics_of(fields)
    except ValidationError as error:
        return Verdict.INVALID, with_labels(describe(error)), None
    return _VERDICTS[optics.sampling], optics.sampling_text, optics


def _ask_for(missing: list[str], facts: LayerFacts) -> str:
    names = ", ".join(OPTICS_FIELDS[name].lower().replace("(µm)", "in µm") for name in missing)
    message = f"Please fill in: {names}."
    if "pixel_size_um" in missing and facts.hint:
        message += f" {facts.hint[0].upper()}{facts.hint[1:]}."
    return message


def blur_request(layer: Image, path: str | Path) -> Request:
    """Request to the engine for the blur in a file, for a layer that states what it can."""
    pixel = facts_of(layer).known.get("pixel_size_um")
    size_um = None if pixel is None else pixel.value
    return Request(
        image=pixels_of(layer),
        axes=axes_of(layer),
        optics=TypedOptics(pixel_size_um=size_um),
        blur=Path(path),
    )
