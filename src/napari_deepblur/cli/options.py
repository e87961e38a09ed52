"""The options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Aperture",
    "AsJson",
    "Axes",
    "BlurPer",
    "Channel",
    "DeviceName",
    "DeviceOption",
    "FocusSeries",
    "Image",
    "ModelOption",
    "Network",
    "Overwrite",
    "PerOption",
    "PixelSize",
    "RefractiveIndex",
    "Wavelength",
    "ZStep",
]


class BlurPer(StrEnum):
    """Whether each plane has its own blur."""

    plane = "plane"
    stack = "stack"


class DeviceName(StrEnum):
    """Where the networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Network(StrEnum):
    """The network to train."""

    identification = "identification"
    deblurring = "deblurring"


Image = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="TIFF, OME-TIFF, OME-Zarr, PNG or JPEG.")
]
Aperture = Annotated[
    float | None, typer.Option("--na", help="Numerical aperture of the detection objective.")
]
Wavelength = Annotated[
    float | None, typer.Option("--wavelength", help="Emission wavelength in µm, e.g. 0.52.")
]
PixelSize = Annotated[
    float | None, typer.Option("--pixel-size", help="Side of a pixel in the sample, in µm.")
]
RefractiveIndex = Annotated[
    float | None,
    typer.Option("--refractive-index", help="Of the immersion medium; 1.518 (oil) if unknown."),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Bundled name or folder of a model.")
]
Axes = Annotated[
    str | None,
    typer.Option("--axes", help="Letters of TCZYX, one per dimension as stored, e.g. ZYX."),
]
Channel = Annotated[int | None, typer.Option("--channel", help="Channel, counted from 0.")]
PerOption = Annotated[
    BlurPer, typer.Option("--per", help="One blur for each plane or for the whole stack.")
]
FocusSeries = Annotated[
    bool,
    typer.Option(
        "--focus-series",
        help="IMAGE is a focus series of one thin object: tell the sign of the even modes from "
        "the distance between its planes.",
    ),
]
ZStep = Annotated[
    float | None,
    typer.Option(
        "--z-step",
        help="Distance between the planes of a focus series in µm, if the file does not say "
        "it; negative where they go up, out of the sample.",
    ),
]
DeviceOption = Annotated[DeviceName, typer.Option("--device", help="Where the networks run.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
