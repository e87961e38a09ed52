"""Requests: everything that finding a blur, or restoring an image, needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.known.choice import NO_CALIBRATION_IN_3D, KnownChoice, MeasuredPsf
from napari_deepblur.engine.known_optics import (
    Known,
    merge_optics,
    missing_optics,
    optics_of,
    require_square_pixels,
    stated,
)
from napari_deepblur.errors import ImageError
from napari_deepblur.io import ImageFile, ImageMetadata, read_image
from napari_deepblur.optics.settings import Optics

__all__ = ["Request", "Source", "TypedOptics", "open_source", "read_one_channel"]

#: Words for a value that is missing, and the option by which the command line takes it.
_ASKED_FOR = {
    "numerical_aperture": ("numerical aperture", "--na"),
    "wavelength_um": ("emission wavelength", "--wavelength"),
    "pixel_size_um": ("pixel size", "--pixel-size"),
}


class TypedOptics(BaseModel):
    """Optical values that the user typed; None where the file decides.

    Attributes
    ----------
    numerical_aperture
        NA of the detection objective.
    wavelength_um
        Emission wavelength in vacuum, µm.
    pixel_size_um
        Side of a pixel in the sample, µm.
    refractive_index
        Refractive index of the immersion medium.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    numerical_aperture: float | None = None
    wavelength_um: float | None = None
    pixel_size_um: float | None = None
    refractive_index: float | None = None


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


def _typed(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Optics) else value


class Request(BaseModel):
    """A blur to be found, or an image to be restored; JSON can hold it where files are named.

    Attributes
    ----------
    image
        Image file, or an array of counts, shape (…, Y, X) with up to five axes.
    name
        Name of an array, for people; a file has its own.
    axes
        Letters of TCZYX, one per dimension as stored; by default what the file says, or the
        last ones.
    channel
        Channel of the file to read, counted from 0.
    series
        Number of the image in a file of several, counted from 0.
    optics
        Optical values that the user typed; what is missing is taken from the file.
    blur
        Blur file, or a `BlurEstimate` or `VolumeBlurEstimate`, instead of an estimate from the
        image.
    blur_plane
        Number of the plane, or of the volume, of `blur` that serves all planes; by default each
        plane has its own.
    known
        A PSF that is known, instead of an estimate from the image.
    model
        Bundled name or folder of the model; by default that of the blur, or the default model. Of
        a known PSF it is the model whose deblurring network is used.
    per
        ``plane``: a blur for each plane. ``stack``: one blur, read off all of them together.
        ``volume``: a 3-D blur of each z-stack.
    focus_series
        Whether the planes are a focus series of one thin object.
    bead
        Whether the volume is a z-stack of one bead, whose blur is fitted as that of a point.
    z_step_um
        Distance between the planes of a focus series or of a volume, µm, if the file does not
        say it.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet of volumes, µm; None for widefield.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    residual
        Whether to compute the image of what the result does not explain, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: Annotated[Any, BeforeValidator(_path)]
    name: str = ""
    axes: str | None = None
    channel: int | None = None
    series: int | None = None
    optics: Annotated[TypedOptics, BeforeValidator(_typed)] = TypedOptics()
    blur: Annotated[Any, BeforeValidator(_path)] = None
    blur_plane: int | None = None
    known: KnownChoice | None = None
    model: str | None = None
    per: Scope = "plane"
    focus_series: bool = False
    bead: bool = False
    z_step_um: float | None = None
    light_sheet_fwhm_um: float | None = None
    device: Device = "auto"
    residual: bool = False

    @property
    def source_name(self) -> str:
        """Name of the image, and its channel if one was chosen, for people."""
        name = self.image.name if isinstance(self.image, Path) else self.name
        return name if self.channel is None else f"{name}, channel {self.channel}"


@dataclass(frozen=True, slots=True)
class Source:
    """The image of a request, opened.

    Attributes
    ----------
    data
        Array, lazy where the file allows.
    axes
        One letter of TCZYX per dimension.
    known
        Optical values and their sources, by their field of `Optics`.
    z_step_um
        Distance between planes, µm; None if nobody states it.
    metadata
        What the file states; nothing for an array.
    """

    data: Any
    axes: str
    known: Mapping[str, Known]
    z_step_um: float | None = None
    metadata: ImageMetadata = field(default_factory=ImageMetadata)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def pixel_size_um(self) -> float | None:
        """Side of a pixel, µm, if anyone states it."""
        return self.said("pixel_size_um")

    def said(self, name: str) -> float | None:
        """Value of a field of `Optics`, if anyone states it."""
        known = self.known.get(name)
        return None if known is None else known.value

    @property
    def optics(self) -> Optics:
        """Optics of the image.

        Raises
        ------
        ValueError
            If something is not known, or no microscope has such values.
        """
        missing = missing_optics(self.known)
        if missing:
            names = " and ".join(_ASKED_FOR[name][0] for name in missing)
            options = ", ".join(_ASKED_FOR[name][1] for name in missing)
            raise ValueError(f"the file does not say the {names}: give {options}")
        return optics_of(self.known)

    @property
    def origins(self) -> dict[str, str]:
        """Source of each optical value, by its field of `Optics`."""
        return {name: known.source for name, known in self.known.items()}


def open_source(request: Request) -> Source:
    """Open the image of a request, without reading its pixels where the file allows.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImageError
        If the image cannot be used: damaged, in colour, of several channels, or of pixels that
        are not square.
    ValueError
        If the image cannot be the focus series that it is said to be, or choices contradict each
        other.
    """
    typed = stated("typed", request.optics)
    if not isinstance(request.image, Path):
        planes = Planes.of(request.image, request.axes)
        step = _z_step_um(request, planes.axes, planes.shape, None)
        return Source(planes.data, planes.axes, merge_optics(typed), step)
    file = read_one_channel(
        request.image, channel=request.channel, series=request.series, axes=request.axes
    )
    known = merge_optics(typed, stated("file", file.metadata))
    step = _z_step_um(request, file.axes, file.shape, file.metadata.z_step_um)
    return Source(file.data, file.axes, known, step, file.metadata)


def read_one_channel(
    path: Path, *, channel: int | None = None, series: int | None = None, axes: str | None = None
) -> ImageFile:
    """Read an image file, one channel of which is left, with square pixels.

    Parameters
    ----------
    path
        Image file.
    channel, series, axes
        As for `read_image`.

    Raises
    ------
    ImageError
        If the image has several channels and none was chosen, or pixels that are not square,
        besides the errors of `read_image`.
    """
    file = read_image(path, series=series, channel=channel, axes=axes)
    if file.n_channels > 1:
        raise ImageError(
            f"the image has {file.n_channels} channels, each with its own wavelength: "
            f"choose one with --channel 0 … {file.n_channels - 1}"
        )
    if file.metadata.pixel_sides_um is not None:
        require_square_pixels(file.metadata.pixel_sides_um)
    return file


def _z_step_um(
    request: Request, axes: str, shape: tuple[int, ...], stated_um: float | None
) -> float | None:
    """Distance between planes; None if nobody states it and nothing asked for needs it."""
    _require_consistent(request)
    step = stated_um if request.z_step_um is None else request.z_step_um
    if request.focus_series and (axes != "ZYX" or shape[0] < 2):
        raise ImageError(
            "a focus series has the axes ZYX and two planes or more, the image is "
            f"{axes} {shape}: name its axes with --axes if they are others"
        )
    estimated = request.per == "volume" and request.blur is None
    if step is None and (request.focus_series or estimated):
        raise ValueError(
            "the file does not say the distance between its planes: give it in µm with --z-step"
        )
    return step


def _require_consistent(request: Request) -> None:
    """Refuse choices that go with another ``per``."""
    of_volumes = request.per == "volume"
    if request.blur_plane is not None and request.blur is None:
        raise ValueError("--blur-plane is a plane of the blur file: give --blur too")
    if request.known is not None and request.blur is not None:
        raise ValueError("the blur is given and its PSF too: choose one of them")
    if request.known is not None and (request.bead or request.focus_series):
        raise ValueError(
            "a known PSF is given, and nothing is read off the image: leave out --bead and "
            "--focus-series"
        )
    if isinstance(request.known, MeasuredPsf) and of_volumes:
        raise ValueError(NO_CALIBRATION_IN_3D)
    if of_volumes and request.focus_series:
        raise ValueError("a 3-D blur tells the sign of the even modes: leave out --focus-series")
    if request.bead and not of_volumes:
        raise ValueError("--bead is for 3-D blurs: give --per volume too")
    if request.light_sheet_fwhm_um is not None and not of_volumes:
        raise ValueError("--light-sheet-fwhm is for 3-D blurs: give --per volume too")
    needs_step = of_volumes or request.focus_series or request.blur is not None
    if request.z_step_um is not None and not needs_step:
        raise ValueError(
            "--z-step is for a focus series or a 3-D blur: give --focus-series or --per volume too"
        )
