"""The known blur that the user wishes for: what is on offer, what is chosen, what is missing."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_deepblur.calibration.files import acquisitions_in
from napari_deepblur.engine.blur import BlurEstimate, Scope
from napari_deepblur.engine.known.choice import IdealPsf, KnownChoice, MeasuredPsf, PsfImage
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.errors import ImageError, ModelError
from napari_deepblur.io import read_image
from napari_deepblur.widgets.deblur.settings import DeblurSettings, PsfSource
from napari_deepblur.widgets.layers.facts import (
    facts_of,
    pixel_size_of,
    pixels_of,
    z_step_of,
)
from napari_deepblur.widgets.made import Made

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["FEWEST_PLANES", "MADE", "KnownWish", "ReusedBlur", "is_same", "wish_of"]

#: Stands for the calibration that was made last in the viewer.
MADE = "made"

_ASK_LAYER = "No other layer has a blur yet: choose that layer above and estimate it first."
_ASK_PLANE = "{!r} has {} blurs, and this layer other planes: choose the one that all planes get."
_ASK_IMAGE = "Choose the PSF image: a layer or a file."
_ASK_SIZE = "Type the pixel size of the PSF image."
_ASK_STEP = "Type the z step of the PSF image."
_ASK_PLANE_OF_PSF = (
    "This PSF image is a z-stack, and the image has no 5 planes or more: choose the PSF image of "
    "one plane, in focus."
)
_NO_3D_IMAGE = (
    "Plane by plane, as one plane of a PSF does not tell how light spreads along z: for a 3-D PSF "
    "choose the z-stack of a bead."
)
_NO_3D_CALIBRATION = (
    "Plane by plane, as a calibration does not tell how light spreads along z: for a 3-D PSF "
    "choose the z-stack of a bead as the PSF image."
)

_N_SIDES_3D = 3

#: Planes of a z-stack from which on a 3-D blur is on offer.
FEWEST_PLANES = 5
_ASK_CALIBRATION = "Choose the folder of a calibration, or calibrate from beads in its own dock."


@dataclass(frozen=True, slots=True)
class ReusedBlur:
    """The blur of another layer.

    Attributes
    ----------
    blur
        The blur, as it is known of that layer.
    plane
        Number of its plane, or volume, whose blur serves all planes; None where each has its own.
    """

    blur: BlurEstimate | VolumeBlurEstimate
    plane: int | None = None


@dataclass(frozen=True, slots=True)
class KnownWish:
    """A known blur as it is chosen now.

    Attributes
    ----------
    source
        Where the PSF comes from; ``estimate`` wishes for no known one.
    choice
        A known PSF for a request to the engine, or the blur of another layer; None where none is
        wished for, or something is missing.
    ask
        What the user must do first; empty if nothing.
    scopes
        What the blur can be one of: ``stack``, of planes in focus, or ``volume``, in 3-D.
    note
        Why a z-stack gets no 3-D PSF, and what would give one; empty where it can have one.
    images
        Names and values of the PSF images on offer.
    image
        The chosen one; None if none is.
    pixel_size_um
        Side of a pixel of it, µm, as typed or as it states; None if nobody says it.
    image_is_stack
        Whether it is a z-stack.
    image_z_step_um
        From one of its planes to the next, µm; None if nobody says it.
    calibrations
        Names and values of the calibrations on offer.
    calibration
        The chosen one; None if none is.
    acquisitions
        Names of its acquisitions.
    acquisition
        Number of the chosen one.
    layers
        Names and `unique_id` of the layers whose blur is on offer.
    layer
        The chosen one; None if none is.
    planes
        What each plane can get, and the values of that choice; empty where there is none.
    plane
        The chosen value.
    """

    source: PsfSource = "estimate"
    choice: KnownChoice | ReusedBlur | None = None
    ask: str = ""
    scopes: tuple[Scope, ...] = ("stack",)
    note: str = ""
    images: tuple[tuple[str, Hashable], ...] = ()
    image: Hashable = None
    pixel_size_um: float | None = None
    image_is_stack: bool = False
    image_z_step_um: float | None = None
    calibrations: tuple[tuple[str, Hashable], ...] = ()
    calibration: Hashable = None
    acquisitions: tuple[str, ...] = ()
    acquisition: int = 0
    layers: tuple[tuple[str, Hashable], ...] = ()
    layer: Hashable = None
    planes: tuple[tuple[str, int | None], ...] = ()
    plane: int | None = None


def wish_of(settings: DeblurSettings, viewer: ViewerModel, layer: Image | None) -> KnownWish:
    """Look at what is chosen and what there is.

    Parameters
    ----------
    settings
        Choices of the user.
    viewer
        Viewer whose layers and calibration are on offer.
    layer
        Layer that is worked on, which is no PSF.
    """
    if settings.psf_source == "layer":
        return _layer_wish(settings, viewer, layer)
    is_deep = layer is not None and facts_of(layer).n_depths >= FEWEST_PLANES
    if settings.psf_source == "psf":
        others = [one for one in viewer.layers if one is not layer]
        return _image_wish(settings, others, is_deep=is_deep)
    if settings.psf_source == "calibration":
        wish = _calibration_wish(settings, Made.of(viewer))
        return replace(wish, note=_NO_3D_CALIBRATION if is_deep else "")
    choice = IdealPsf() if settings.psf_source == "ideal" else None
    scopes: tuple[Scope, ...] = ("stack", "volume") if is_deep else ("stack",)
    return KnownWish(settings.psf_source, choice, scopes=scopes)


def is_same(one: KnownChoice | ReusedBlur | None, other: KnownChoice | ReusedBlur | None) -> bool:
    """Tell whether two choices are the same; arrays, blurs and results are compared as objects."""
    if one is None or other is None or type(one) is not type(other):
        return one is other
    names = type(one).__annotations__
    pairs = ((getattr(one, name), getattr(other, name)) for name in names)
    plain = (str, int, float, Path)
    return all(a is b or (isinstance(a, plain) and a == b) for a, b in pairs)


def _layer_wish(settings: DeblurSettings, viewer: ViewerModel, layer: Image | None) -> KnownWish:
    blurs = Made.of(viewer).blurs
    others = [one for one in reversed(list(viewer.layers)) if one in blurs and one is not layer]
    if not others or layer is None:
        return KnownWish("layer", ask=_ASK_LAYER)
    source = next((one for one in others if one.unique_id == settings.blur_layer), others[0])
    blur = blurs[source]
    n_rows, fits = len(blur.coefficients), _serves_each(blur, layer)
    planes: list[tuple[str, int | None]] = [("each its own", None)] if fits else []
    word = "time point" if isinstance(blur, VolumeBlurEstimate) else "plane"
    planes += [(f"{word} {row} for all", row) for row in range(n_rows)]
    plane = settings.blur_plane
    shown = KnownWish(
        "layer",
        layers=tuple((one.name, one.unique_id) for one in others),
        layer=source.unique_id,
        planes=tuple(planes) if n_rows > 1 else (),
        plane=plane if plane is not None and plane < n_rows else None,
    )
    if not fits and shown.plane is None:
        return replace(shown, ask=_ASK_PLANE.format(source.name, n_rows))
    scope: Scope = "volume" if isinstance(blur, VolumeBlurEstimate) else "stack"
    return replace(shown, choice=ReusedBlur(blur, shown.plane), scopes=(scope,))


def _serves_each(blur: BlurEstimate | VolumeBlurEstimate, layer: Image) -> bool:
    """Tell whether each plane, or volume, of a layer has a blur of its own among those."""
    n_rows, lead = len(blur.coefficients), pixels_of(layer).shape[:-2]
    if isinstance(blur, VolumeBlurEstimate):
        return n_rows in (1, math.prod(lead[:-1]))
    return n_rows in (1, math.prod(lead)) or lead[-1:] == (n_rows,)


def _image_wish(settings: DeblurSettings, layers: Sequence[Any], *, is_deep: bool) -> KnownWish:
    offered = {one.unique_id: one for one in layers if isinstance(one, Image) and not one.rgb}
    images = [(one.name, key) for key, one in reversed(offered.items())]
    chosen = settings.psf_image
    if isinstance(chosen, Path):
        images.append((chosen.name, chosen))
    image = chosen if isinstance(chosen, Path) or chosen in offered else None
    if image is None:
        return KnownWish("psf", images=tuple(images), ask=_ASK_IMAGE)
    layer = None if isinstance(image, Path) else offered[image]
    stated = _stated_in_file(image) if isinstance(image, Path) else _stated_by_layer(offered[image])
    size_um = settings.psf_pixel_size_um or stated.pixel_size_um
    step_um = (settings.psf_z_step_um or stated.z_step_um) if stated.is_stack else None
    shown = KnownWish(
        "psf",
        scopes=("volume",) if stated.is_stack and is_deep else ("stack",),
        note=_NO_3D_IMAGE if is_deep and not stated.is_stack else "",
        images=tuple(images),
        image=image,
        pixel_size_um=size_um,
        image_is_stack=stated.is_stack,
        image_z_step_um=step_um,
    )
    if stated.is_stack and not is_deep:
        return replace(shown, ask=_ASK_PLANE_OF_PSF)
    if size_um is None:
        return replace(shown, ask=_ASK_SIZE)
    if stated.is_stack and step_um is None:
        return replace(shown, ask=_ASK_STEP)
    given: dict[str, Any] = {"image": image}
    if layer is not None:
        given = {"image": pixels_of(layer), "name": layer.name}
    return replace(shown, choice=PsfImage(**given, pixel_size_um=size_um, z_step_um=step_um))


def _calibration_wish(settings: DeblurSettings, made: Made) -> KnownWish:
    calibrations: list[tuple[str, Hashable]] = []
    if made.result is not None:
        calibrations.append(("the one just made", MADE))
    chosen = settings.calibration
    if isinstance(chosen, Path):
        calibrations.append((chosen.name, chosen))
    values = [value for _, value in calibrations]
    calibration = chosen if chosen in values else next(iter(values), None)
    given: Any = calibration
    names: tuple[str, ...] = ()
    if calibration == MADE and made.result is not None:
        given, names = made.result, made.result.names
    elif isinstance(calibration, Path):
        names = _acquisitions_in(calibration)
    acquisition = min(settings.acquisition, max(len(names) - 1, 0))
    shown = KnownWish(
        "calibration",
        calibrations=tuple(calibrations),
        calibration=calibration,
        acquisitions=names,
        acquisition=acquisition,
    )
    if given is None:
        return replace(shown, ask=_ASK_CALIBRATION)
    return replace(shown, choice=MeasuredPsf(calibration=given, acquisition=acquisition))


@dataclass(frozen=True, slots=True)
class _Stated:
    """Voxels and shape that a PSF image states."""

    pixel_size_um: float | None = None
    z_step_um: float | None = None
    is_stack: bool = False


def _stated_by_layer(layer: Image) -> _Stated:
    is_stack = _is_stack(pixels_of(layer).shape)
    return _Stated(pixel_size_of(layer), z_step_of(layer) if is_stack else None, is_stack)


@lru_cache(maxsize=16)
def _stated_in_file(path: Path) -> _Stated:
    try:
        file = read_image(path)
    except (OSError, ImageError):
        return _Stated()  # the task says what is wrong with it
    stated = file.metadata
    return _Stated(stated.pixel_size_um, stated.z_step_um, _is_stack(file.shape))


def _is_stack(shape: Sequence[int]) -> bool:
    """Tell whether a PSF image has three sides; axes of length 1 do not count."""
    return sum(int(n) > 1 for n in shape) == _N_SIDES_3D


@lru_cache(maxsize=16)
def _acquisitions_in(folder: Path) -> tuple[str, ...]:
    try:
        return acquisitions_in(folder)
    except (OSError, ModelError):
        return ()
