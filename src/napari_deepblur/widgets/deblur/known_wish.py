"""The known PSF that the user wishes for: what is on offer, what is chosen, what is missing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_deepblur.calibration.files import acquisitions_in
from napari_deepblur.engine.known.choice import IdealPsf, KnownChoice, MeasuredPsf, PsfImage
from napari_deepblur.errors import ImageError, ModelError
from napari_deepblur.io import read_image
from napari_deepblur.widgets.deblur.settings import DeblurSettings, PsfSource
from napari_deepblur.widgets.layers.facts import pixel_size_of, pixels_of
from napari_deepblur.widgets.made import Made

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["MADE", "KnownWish", "is_same", "wish_of"]

#: Stands for the calibration that was made last in the viewer.
MADE = "made"

_ASK_IMAGE = "Choose the PSF image: a layer or a file."
_ASK_SIZE = "Type the pixel size of the PSF image."
_ASK_CALIBRATION = "Choose the folder of a calibration, or calibrate from beads in its own dock."


@dataclass(frozen=True, slots=True)
class KnownWish:
    """A known PSF as it is chosen now.

    Attributes
    ----------
    source
        Where the PSF comes from; ``estimate`` wishes for no known one.
    choice
        For a request to the engine; None where none is wished for, or something is missing.
    ask
        What the user must do first; empty if nothing.
    images
        Names and values of the PSF images on offer.
    image
        The chosen one; None if none is.
    pixel_size_um
        Side of a pixel of it, µm, as typed or as it states; None if nobody says it.
    calibrations
        Names and values of the calibrations on offer.
    calibration
        The chosen one; None if none is.
    acquisitions
        Names of its acquisitions.
    acquisition
        Number of the chosen one.
    """

    source: PsfSource = "estimate"
    choice: KnownChoice | None = None
    ask: str = ""
    images: tuple[tuple[str, Hashable], ...] = ()
    image: Hashable = None
    pixel_size_um: float | None = None
    calibrations: tuple[tuple[str, Hashable], ...] = ()
    calibration: Hashable = None
    acquisitions: tuple[str, ...] = ()
    acquisition: int = 0


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
    if settings.psf_source == "psf":
        return _image_wish(settings, [one for one in viewer.layers if one is not layer])
    if settings.psf_source == "calibration":
        return _calibration_wish(settings, Made.of(viewer))
    choice = IdealPsf() if settings.psf_source == "ideal" else None
    return KnownWish(settings.psf_source, choice)


def is_same(one: KnownChoice | None, other: KnownChoice | None) -> bool:
    """Tell whether two choices are the same; arrays and results are compared as objects."""
    if one is None or other is None or type(one) is not type(other):
        return one is other
    pairs = ((getattr(one, name), getattr(other, name)) for name in type(one).model_fields)
    plain = (str, int, float, Path)
    return all(a is b or (isinstance(a, plain) and a == b) for a, b in pairs)


def _image_wish(settings: DeblurSettings, layers: Sequence[Any]) -> KnownWish:
    offered = {one.unique_id: one for one in layers if isinstance(one, Image) and not one.rgb}
    images = [(one.name, key) for key, one in reversed(offered.items())]
    chosen = settings.psf_image
    if isinstance(chosen, Path):
        images.append((chosen.name, chosen))
    image = chosen if isinstance(chosen, Path) or chosen in offered else None
    stated = None
    if isinstance(image, Path):
        stated = _stated_pixel_um(image)
    elif image is not None:
        stated = pixel_size_of(offered[image])
    size_um = settings.psf_pixel_size_um or stated
    shown = KnownWish("psf", images=tuple(images), image=image, pixel_size_um=size_um)
    if image is None or size_um is None:
        return replace(shown, ask=_ASK_IMAGE if image is None else _ASK_SIZE)
    if isinstance(image, Path):
        return replace(shown, choice=PsfImage(image=image, pixel_size_um=size_um))
    layer = offered[image]
    choice = PsfImage(image=pixels_of(layer), pixel_size_um=size_um, name=layer.name)
    return replace(shown, choice=choice)


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


@lru_cache(maxsize=16)
def _stated_pixel_um(path: Path) -> float | None:
    try:
        return read_image(path).metadata.pixel_size_um
    except (OSError, ImageError):
        return None  # the task says what is wrong with it


@lru_cache(maxsize=16)
def _acquisitions_in(folder: Path) -> tuple[str, ...]:
    try:
        return acquisitions_in(folder)
    except (OSError, ModelError):
        return ()
