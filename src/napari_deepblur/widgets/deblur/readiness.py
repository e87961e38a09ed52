"""Resolve the user's settings and the layer's facts into one value that a job can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_deepblur.engine.blur import BlurEstimate, Scope
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.known_optics import Known, merge_optics, stated
from napari_deepblur.engine.request import Request, TypedOptics
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE, Optics
from napari_deepblur.widgets.deblur.judgement import Verdict, judge
from napari_deepblur.widgets.deblur.known_wish import FEWEST_PLANES, KnownWish, ReusedBlur
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.layers.facts import LayerFacts, axes_of, facts_of, pixels_of
from napari_deepblur.widgets.layers.optics_fields import AS_LAST_TIME, STACK_FIELDS

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["Resolved", "blur_request", "resolve"]


_ESTIMATE = KnownWish()

#: What there is for every layer.
_OF_PLANES: tuple[Scope, ...] = ("plane", "stack")


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
        Optical values and those of a stack with their sources, by name.
    optics
        Optics, where all values are there and valid.
    axes
        One letter of TCZYX per dimension of the layer.
    shape
        Number of pixels along each of them.
    model
        Bundled name of the model, or its folder.
    per
        ``plane`` for a blur of each plane, ``stack`` for one of all planes, ``volume`` for a 3-D
        one of each z-stack.
    scopes
        What `per` can be for this layer.
    device
        Device that the networks run on.
    focus_step_um
        Distance between the layer's planes, µm, where they can be a focus series.
    z_step_um
        Distance between the planes, µm, where the user says that they are a focus series, or for a
        3-D blur.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm, for a 3-D blur; None for widefield.
    residual_layer
        True if deblurring also adds a layer of what the result does not explain.
    bare_scale
        Side of a pixel in a unit that is no length, which may be meant in µm.
    asks_axes
        Whether the user must say what the axes are.
    n_channels
        Number of channels in the layer; several must be split.
    is_stack
        Whether the layer has planes along Z.
    known
        The known blur that is used, if one is wished for.
    name
        Name of the layer.
    as_last_time
        Settings that are as they were the last time, and were not chosen since.
    is_proposed
        True where nobody chose `per`, and a 3-D blur is proposed.
    shares_light_over_um
        Depth of a z-stack of a widefield microscope, µm, whose planes are read one by one.
    """

    verdict: Verdict
    message: str
    fields: Mapping[str, Known] = field(default_factory=dict)
    optics: Optics | None = None
    axes: str = ""
    shape: tuple[int, ...] = ()
    model: str = ""
    per: Scope = "plane"
    scopes: tuple[Scope, ...] = _OF_PLANES
    device: Device = "auto"
    focus_step_um: float | None = None
    z_step_um: float | None = None
    light_sheet_fwhm_um: float | None = None
    residual_layer: bool = False
    bare_scale: float | None = None
    asks_axes: bool = False
    n_channels: int = 1
    is_stack: bool = False
    known: KnownWish = field(default_factory=KnownWish)
    name: str = ""
    as_last_time: frozenset[str] = frozenset()
    is_proposed: bool = False
    shares_light_over_um: float | None = None

    def note_of(self, setting: str) -> str:
        """Say where a setting comes from, where that is not the user or the program."""
        return AS_LAST_TIME if setting in self.as_last_time else ""

    def request(self, image: Any, blur: BlurEstimate | VolumeBlurEstimate | None = None) -> Request:
        """Request to the engine for an image, whose blur may be known already.

        Parameters
        ----------
        image
            Pixels of the layer.
        blur
            Its blur.
        """
        assert self.optics is not None
        choice = self.known.choice if blur is None else None
        plane = None
        if isinstance(choice, ReusedBlur):
            blur, plane = choice.blur, choice.plane
        elif choice is not None:
            return Request(
                image=image,
                name=self.name,
                axes=self.axes,
                optics=self.optics,
                known=choice,
                **self._in_3d if self.per == "volume" else {},
                device=self.device,
                residual=self.residual_layer,
            )
        per = self.per if blur is None else blur.per
        in_3d = per == "volume"
        return Request(
            image=image,
            name=self.name,
            axes=self.axes,
            optics=self.optics,
            blur=blur,
            blur_plane=plane,
            model=self.model if blur is None and not in_3d else None,
            per=per,
            focus_series=self.is_focus_series and not in_3d,
            z_step_um=self.z_step_um if in_3d or self.is_focus_series else None,
            light_sheet_fwhm_um=self.light_sheet_fwhm_um if in_3d else None,
            device=self.device,
            residual=self.residual_layer,
        )

    @property
    def remembered(self) -> dict[str, float]:
        """Optical values of last time, which nobody has looked at for this layer."""
        known = self.fields.items()
        return {name: one.value for name, one in known if one.source == AS_LAST_TIME}

    @property
    def _in_3d(self) -> dict[str, Any]:
        """Fields of a request for a 3-D blur."""
        return {
            "per": "volume",
            "z_step_um": self.z_step_um,
            "light_sheet_fwhm_um": self.light_sheet_fwhm_um,
        }

    @property
    def is_focus_series(self) -> bool:
        """True if the planes are taken for a focus series of one thin object."""
        return self.per == "plane" and self.z_step_um is not None

    @property
    def can_run(self) -> bool:
        """True if a blur can be estimated, or the known one be used."""
        return not self.known.ask and self.verdict in (Verdict.UNDERSAMPLED, Verdict.WELL_SAMPLED)


def resolve(
    settings: DeblurSettings,
    facts: LayerFacts | None,
    *,
    known: KnownWish = _ESTIMATE,
    varies: bool = False,
    coarsest_cutoff: float = NOTHING_LEFT_ABOVE,
    last_time: Mapping[str, Known] = MappingProxyType({}),
) -> Resolved:
    """Judge the wishes for a layer; what was typed goes before what the layer says.

    Parameters
    ----------
    settings
        Choices of the user.
    facts
        Facts about the layer; None if there is no layer.
    known
        The known blur that is wished for, if one is.
    varies
        True if the model's blurs vary over the field: a focus series tells nothing about those.
    coarsest_cutoff
        Largest cutoff at which the model reads blurs, cycles per pixel.
    last_time
        Optical values of last time, for what nobody says.
    """
    fields = merge_optics(_typed(settings), facts.known if facts else {}, last_time)
    is_known = known.source != "estimate"
    scopes = known.scopes if is_known else _scopes(facts)
    per = _scope(settings, facts, fields, varies=varies and not is_known)
    if is_known and (per := "volume" if per == "volume" else "stack") not in scopes:
        per = scopes[0]
    if is_known or per == "volume":  # then no model reads the blur
        coarsest_cutoff = NOTHING_LEFT_ABOVE
    verdict, message, optics = judge(fields, facts, per, coarsest_cutoff)
    step, sheet = (None if name not in fields else fields[name].value for name in STACK_FIELDS)
    may_be_series = per == "plane" and not varies and facts is not None and facts.axes == "ZYX"
    focus_step = step if may_be_series else None
    return Resolved(
        verdict,
        message,
        fields,
        optics,
        facts.axes if facts else "",
        facts.shape if facts else (),
        settings.model,
        per,
        scopes,
        settings.device,
        focus_step,
        step if per == "volume" else focus_step if settings.focus_series else None,
        sheet if per == "volume" else None,
        settings.residual_layer,
        facts.bare_scale if facts and "pixel_size_um" not in fields else None,
        facts.asks_axes if facts else False,
        facts.n_channels if facts else 1,
        facts is not None and facts.n_depths > 1,
        known,
        is_proposed=settings.per is None and per == "volume" and not is_known,
        shares_light_over_um=None
        if is_known or per == "volume" or settings.focus_series
        else _depth_um(facts, step, varies=varies),
    )


def _depth_um(facts: LayerFacts | None, step: float | None, *, varies: bool) -> float | None:
    """Depth of a z-stack that could have a 3-D blur; None of a light sheet's and other images."""
    if facts is None or step is None or "volume" not in _scopes(facts) or varies:
        return None
    return None if facts.is_light_sheet else (facts.n_depths - 1) * step


def _typed(settings: DeblurSettings) -> dict[str, Known]:
    of_stack = {name: getattr(settings, name) for name in STACK_FIELDS}
    typed = {name: Known(value, "typed") for name, value in of_stack.items() if value is not None}
    return stated("typed", settings) | typed


def _scopes(facts: LayerFacts | None) -> tuple[Scope, ...]:
    is_deep = facts is not None and facts.n_depths >= FEWEST_PLANES
    return (*_OF_PLANES, "volume") if is_deep else _OF_PLANES


def _scope(
    settings: DeblurSettings,
    facts: LayerFacts | None,
    fields: Mapping[str, Known],
    *,
    varies: bool,
) -> Scope:
    """Take the wish where the layer allows it, or else propose.

    A z-stack of a widefield microscope, whose planes hold each other's light, has a 3-D blur.
    """
    scopes = _scopes(facts)
    if settings.per is not None:
        return settings.per if settings.per in scopes else "plane"
    is_widefield = not varies and facts is not None and not facts.is_light_sheet
    is_proposed = "volume" in scopes and "z_step_um" in fields and is_widefield
    return "volume" if is_proposed else "plane"


def blur_request(layer: Image, path: str | Path, fields: Mapping[str, Known]) -> Request:
    """Request to the engine for the blur in a file, for a layer whose voxels may be known."""
    typed = {name: known for name, known in fields.items() if known.source == "typed"}
    known, step = {**facts_of(layer).known, **typed}, fields.get("z_step_um")
    stated = {
        name: known[name].value for name in ("pixel_size_um", "wavelength_um") if name in known
    }
    return Request(
        image=pixels_of(layer),
        name=layer.name,
        axes=axes_of(layer),
        optics=TypedOptics(**stated),
        z_step_um=None if step is None else step.value,
        blur=Path(path),
    )
