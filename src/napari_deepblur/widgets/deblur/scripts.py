"""The call that repeats a click on Deblur, as Python and as a command."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from napari_deepblur.engine.batch_settings import BatchSettings
from napari_deepblur.engine.blur_file import BLUR_SUFFIX
from napari_deepblur.engine.known.choice import MeasuredPsf, PsfImage
from napari_deepblur.engine.request import Request
from napari_deepblur.widgets.layers.facts import axes_of, pixels_of
from napari_deepblur.widgets.layers.source_file import file_of

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["Script", "as_batch", "as_command", "as_python", "file_with"]

_PYTHON = """\
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import restore_job

request = Request(
{arguments}
)
restored = finish(restore_job(request))
sharp, blur = restored.sharp, restored.blur
"""

#: Options of `deepblur deblur` by the fields of a request, and of its optics.
_OPTIONS = {
    "axes": "--axes",
    "blur": "--blur",
    "blur_plane": "--blur-plane",
    "model": "--model",
    "per": "--per",
    "z_step_um": "--z-step",
    "light_sheet_fwhm_um": "--light-sheet-fwhm",
    "device": "--device",
}
_OPTICS = {
    "numerical_aperture": "--na",
    "wavelength_um": "--wavelength",
    "pixel_size_um": "--pixel-size",
    "refractive_index": "--refractive-index",
}


@dataclass(frozen=True, slots=True)
class Script:
    """Text to be run elsewhere.

    Attributes
    ----------
    text
        The text.
    first
        What must be done before it can run, for the user; empty if nothing.
    """

    text: str
    first: str = ""


@dataclass(slots=True)
class _Places:
    """Where pixels and results are found again, and what is in no file yet."""

    folder: Path = Path()
    missing: list[str] = field(default_factory=list)

    def file(self, path: Path | None, name: str, suffix: str) -> Path:
        """Return the path, or the one under which something is to be saved first."""
        if path is None:
            path = self.folder / f"{name.replace('/', '_')}{suffix}"
            self.missing.append(f"{name!r} as {path}")
        return path


def file_with(layer: Image) -> Path | None:
    """Return the path of the file that holds the pixels of a layer as they are; None if none does.

    Parameters
    ----------
    layer
        Layer whose axes are known.
    """
    file, path = file_of(layer), layer.source.path
    shape = tuple(int(n) for n in pixels_of(layer).shape)
    if file is None or path is None:
        return None
    same = ("".join(file.sizes), tuple(file.sizes.values())) == (axes_of(layer), shape)
    return Path(path).resolve() if same else None


def as_python(request: Request, layer: Image, psf: Image | None = None) -> Script:
    """Write a request as Python; pixels that are in no file are those of the viewer's layers.

    Parameters
    ----------
    request
        What a click on Deblur would ask for.
    layer
        Layer of its image.
    psf
        Layer of its PSF image, if that is one.
    """
    places = _Places()
    fields = _stated(_with_file(request, places))
    if file_with(layer) is not None:
        fields.pop("name", None)
    arguments = {"image": _pixels(layer), **{name: repr(value) for name, value in fields.items()}}
    known = request.known
    if known is not None:
        parts = _stated(known) | {"kind": known.kind}
        if known.kind == "calibration" and not isinstance(known.calibration, Path):
            parts["calibration"] = str(places.file(None, "calibration", ""))
        written = {name: repr(value) for name, value in parts.items()}
        if psf is not None:
            written["image"] = _pixels(psf)
        inside = ", ".join(f"{name!r}: {text}" for name, text in written.items())
        arguments["known"] = f"{{{inside}}}"
    lines = (f"    {name}={text}," for name, text in arguments.items())
    return Script(_PYTHON.format(arguments="\n".join(lines)), _first(places))


def as_command(request: Request, layer: Image, psf: Image | None = None) -> Script:
    """Write a request as a command, with the result beside the image.

    Parameters
    ----------
    request
        What a click on Deblur would ask for.
    layer
        Layer of its image.
    psf
        Layer of its PSF image, if that is one.
    """
    places = _Places()
    fields = _stated(_with_file(request, places))
    image = places.file(file_with(layer), layer.name, ".tif")
    if request.focus_series:  # it tells the signs of some coefficients, and not the PSF
        fields.pop("z_step_um", None)
    words = ["deepblur", "deblur", str(image)]
    for name, value in fields.get("optics", {}).items():
        # A blur file knows the objective.
        if request.blur is None or name in ("pixel_size_um", "wavelength_um"):
            words += [_OPTICS[name], repr(value)]
    for name, option in _OPTIONS.items():
        if name in fields:
            words += [option, str(fields[name])]
    words += _known_options(request, psf, places)
    words += ["--out", str(image.with_name(f"{image.stem} deblurred.ome.tif"))]
    if request.residual:
        words += ["--residual", str(image.with_name(f"{image.stem} residual.ome.tif"))]
    return Script(shlex.join(words), _first(places))


def _with_file(request: Request, places: _Places) -> Request:
    """Name the file that a blur is to be saved in first, if it is in none yet."""
    blur = request.blur
    if blur is None or isinstance(blur, Path):
        return request
    path = places.folder / f"{blur.source.replace('/', '_') or 'blur'}{BLUR_SUFFIX}"
    places.missing.append(f"the blur of {blur.source!r} as {path}")
    return request.model_copy(update={"blur": path})


def as_batch(
    request: Request, layer: Image, file: Path, *, stated: Collection[str], psf: Image | None = None
) -> tuple[BatchSettings, Script]:
    """Write a request as settings for many images, and the command that uses them.

    Parameters
    ----------
    request
        What a click on Deblur would ask for.
    layer
        Layer of its image; the command deblurs the folder of its file.
    file
        File that the settings are meant for; what is in no file yet is to be saved beside it.
    stated
        Optical values and those of a stack that each image's file states itself.
    psf
        Layer of its PSF image, if that is one.
    """
    places = _Places(file.parent)
    given = _with_file(request, places)
    # Other images may have other axes.
    shared = set(BatchSettings.model_fields) - {"known", "optics", "axes"}
    fields = given.model_dump(include=shared)
    optics = given.optics.model_dump(exclude=set(stated))
    known = given.known
    if isinstance(known, PsfImage) and not isinstance(known.image, Path):
        path = None if psf is None else file_with(psf)
        known = known.model_copy(update={"image": places.file(path, known.name, ".tif")})
    elif isinstance(known, MeasuredPsf) and not isinstance(known.calibration, Path):
        path = places.file(None, "calibration", "")
        known = known.model_copy(update={"calibration": path})
    if "z_step_um" in stated or not (given.per == "volume" or given.focus_series):
        fields["z_step_um"] = None
    settings = BatchSettings(**fields, optics=optics, known=known)
    path = file_with(layer)
    images = file.parent if path is None else path.parent
    words = ["deepblur", "batch", str(images), "--settings", str(file)]
    words += ["--out", str(images / "deblurred")]
    return settings, Script(shlex.join(words), _first(places))


def _known_options(request: Request, psf: Image | None, places: _Places) -> list[str]:
    known = request.known
    if known is None:
        return []
    if isinstance(known, PsfImage):
        is_file = isinstance(known.image, Path)
        path = known.image if is_file else None if psf is None else file_with(psf)
        words = ["--psf", str(places.file(path, known.name, ".tif"))]
        words += ["--psf-pixel-size", repr(known.pixel_size_um)]
        return words if known.z_step_um is None else [*words, "--psf-z-step", repr(known.z_step_um)]
    if known.kind == "ideal":
        return ["--ideal"]
    folder = known.calibration if isinstance(known.calibration, Path) else None
    words = ["--calibration", str(places.file(folder, "calibration", ""))]
    return [*words, "--acquisition", str(known.acquisition)]


def _stated(model: BaseModel) -> dict[str, Any]:
    """Plain fields that are not as by default, with paths as text."""
    fields: dict[str, Any] = {}
    for name, description in type(model).model_fields.items():
        value = getattr(model, name)
        if name == "optics":
            fields[name] = value.model_dump(exclude_none=True)
        elif isinstance(value, Path):
            fields[name] = str(value)
        elif isinstance(value, str | int | float) and value != description.default:
            fields[name] = value
    return fields


def _pixels(layer: Image) -> str:
    """Expression for the pixels of a layer."""
    path = file_with(layer)
    if path is not None:
        return repr(str(path))
    return f"viewer.layers[{layer.name!r}].data{'[0]' if layer.multiscale else ''}"


def _first(places: _Places) -> str:
    return f"save {' and '.join(places.missing)}" if places.missing else ""
