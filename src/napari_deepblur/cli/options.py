"""Options that several commands share, alone and in groups."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.known.choice import IdealPsf, MeasuredPsf, PsfImage

if TYPE_CHECKING:
    from napari_deepblur.engine.known.choice import KnownChoice
    from napari_deepblur.engine.request import TypedOptics

__all__ = [
    "AsJson",
    "DeviceOption",
    "Image",
    "ImageOptions",
    "KnownOptions",
    "ModelOption",
    "OpticsOptions",
    "Overwrite",
    "PerOption",
    "StackOptions",
    "expand_groups",
    "refuse_model",
]

Image = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="TIFF, OME-TIFF, OME-Zarr, PNG or JPEG.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Bundled name or folder of a model.")
]
PerOption = Annotated[
    Scope,
    typer.Option(
        "--per",
        help="A blur for each plane, one for the whole stack, or the 3-D blur of each z-stack.",
    ),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@dataclass(frozen=True, slots=True)
class OpticsOptions:
    """Options about the microscope; what is missing is taken from the file."""

    na: Annotated[
        float | None, typer.Option("--na", help="Numerical aperture of the detection objective.")
    ] = None
    wavelength: Annotated[
        float | None, typer.Option("--wavelength", help="Emission wavelength in µm, e.g. 0.52.")
    ] = None
    pixel_size: Annotated[
        float | None, typer.Option("--pixel-size", help="Side of a pixel in the sample, in µm.")
    ] = None
    refractive_index: Annotated[
        float | None,
        typer.Option("--refractive-index", help="Of the immersion medium; 1.518 (oil) if unknown."),
    ] = None

    @property
    def typed(self) -> "TypedOptics":
        """The typed values, for a request to the engine."""
        from napari_deepblur.engine.request import TypedOptics

        return TypedOptics(
            numerical_aperture=self.na,
            wavelength_um=self.wavelength,
            pixel_size_um=self.pixel_size,
            refractive_index=self.refractive_index,
        )


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Options that choose an image in a file and name its dimensions."""

    axes: Annotated[
        str | None,
        typer.Option("--axes", help="Letters of TCZYX, one per dimension as stored, e.g. ZYX."),
    ] = None
    channel: Annotated[int | None, typer.Option("--channel", help="Channel, counted from 0.")] = (
        None
    )
    series: Annotated[
        int | None,
        typer.Option("--series", help="Number of the image in a file of several, from 0."),
    ] = None


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Options about the third dimension of a stack."""

    z_step: Annotated[
        float | None,
        typer.Option(
            "--z-step",
            help="Distance between the planes of a z-stack in µm, if the file does not say it; of "
            "a focus series negative where they go up, out of the sample.",
        ),
    ] = None
    light_sheet_fwhm: Annotated[
        float | None,
        typer.Option(
            "--light-sheet-fwhm",
            help="With --per volume: full width at half maximum of the light sheet in µm.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class KnownOptions:
    """Options that name a known PSF, instead of an estimate."""

    ideal: Annotated[
        bool, typer.Option("--ideal", help="Use the PSF of a perfect objective of these optics.")
    ] = False
    psf: Annotated[
        Path | None,
        typer.Option(
            "--psf",
            help="Use the PSF in this image: of a bead, or a computed one; with --per volume a "
            "z-stack of it.",
        ),
    ] = None
    psf_pixel_size: Annotated[
        float | None,
        typer.Option(
            "--psf-pixel-size", help="Side of a pixel of the PSF image, in µm, if it is not stated."
        ),
    ] = None
    psf_z_step: Annotated[
        float | None,
        typer.Option(
            "--psf-z-step",
            help="With --per volume: distance between the planes of the PSF image, in µm, if it "
            "is not stated.",
        ),
    ] = None
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", help="Use the PSFs in this folder of `deepblur calibrate`."),
    ] = None
    acquisition: Annotated[
        int, typer.Option("--acquisition", help="With --calibration: which acquisition, from 0.")
    ] = 0

    @property
    def choice(self) -> "KnownChoice | None":
        """The known PSF, for a request to the engine; None for an estimate.

        Raises
        ------
        ValueError
            If there are several, or an option belongs to one that is not there.
        """
        if self.ideal + (self.psf is not None) + (self.calibration is not None) > 1:
            raise ValueError("--ideal, --psf and --calibration are three PSFs: give one of them")
        if self.psf_pixel_size is not None and self.psf is None:
            raise ValueError("--psf-pixel-size is that of a PSF image: give --psf too")
        if self.psf_z_step is not None and self.psf is None:
            raise ValueError("--psf-z-step is that of a PSF image: give --psf too")
        if self.acquisition and self.calibration is None:
            raise ValueError("--acquisition is one of a calibration: give --calibration too")
        if self.psf is not None:
            return PsfImage(
                image=self.psf, pixel_size_um=self.psf_pixel_size, z_step_um=self.psf_z_step
            )
        if self.calibration is not None:
            return MeasuredPsf(calibration=self.calibration, acquisition=self.acquisition)
        return IdealPsf() if self.ideal else None


def refuse_model(model: str | None, per: Scope) -> None:
    """Refuse a model where none is used.

    Raises
    ------
    ValueError
        If one was chosen for blurs of volumes.
    """
    if per == "volume" and model is not None:
        raise ValueError("a 3-D blur is read off the stack without a model: leave out --model")


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Show typer the fields of a command's dataclass parameters as options of their own.

    Parameters
    ----------
    command
        Command with keyword parameters, some of which are dataclasses such as `OpticsOptions`.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        if name in groups:
            parameters += _options_of(groups[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def _expanded(**options: Any) -> None:
        for name, kind in groups.items():
            options[name] = kind(**{field.name: options.pop(field.name) for field in fields(kind)})
        command(**options)

    _expanded.__annotations__ = {
        parameter.name: parameter.annotation for parameter in parameters
    } | {"return": None}
    _expanded.__signature__ = signature(command).replace(  # type: ignore[attr-defined]
        parameters=parameters
    )
    return _expanded


def _options_of(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
