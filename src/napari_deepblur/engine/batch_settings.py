"""Settings that many images share, as a YAML file holds them: of a batch, or of the dock's job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from napari_deepblur.atomic import replacing
from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.known.choice import KnownChoice
from napari_deepblur.engine.request import Request, TypedOptics
from napari_deepblur.errors import describe
from napari_deepblur.untrusted import read_bounded

__all__ = ["BatchSettings", "read_settings", "write_settings"]

_LARGEST_FILE = 1_000_000


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


class BatchSettings(BaseModel):
    """Settings that all images of a batch share: the fields of `Request` but the image.

    Attributes
    ----------
    optics
        Optical values; what is missing is taken from each file.
    channels
        Channels to deblur, from 0, and what their optics have besides; by default all channels.
    axes, blur, blur_plane, known, model, per, focus_series, z_step_um, light_sheet_fwhm_um, device
        As in `Request`.
    format
        Ending of the outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optics: TypedOptics = TypedOptics()
    channels: dict[int, TypedOptics] | None = None
    axes: str | None = None
    blur: Annotated[Path | None, BeforeValidator(_path)] = None
    blur_plane: int | None = None
    known: KnownChoice | None = None
    model: str | None = None
    per: Scope = "plane"
    focus_series: bool = False
    z_step_um: float | None = None
    light_sheet_fwhm_um: float | None = None
    device: Device = "auto"
    format: Literal[".ome.zarr", ".ome.tif"] = ".ome.zarr"

    def request(self, image: Path, series: int, channel: int | None) -> Request:
        """Ask for one channel of one image of a file."""
        own = (self.channels or {}).get(channel or 0, TypedOptics())
        shared = self.model_dump(exclude={"channels", "format", "optics"})
        # From the root, for workers may be in another folder, and it may be another time.
        image = image.resolve()
        if self.blur is not None:
            shared["blur"] = self.blur.resolve()
        if self.model is not None and Path(self.model).is_dir():
            shared["model"] = str(Path(self.model).resolve())
        optics = self.optics.model_dump() | own.model_dump(exclude_none=True)
        return Request(image=image, series=series, channel=channel, optics=optics, **shared)


def read_settings(path: Path | None) -> BatchSettings:
    """Read a settings file; None stands for an empty one.

    Raises
    ------
    ValueError
        If it is no YAML, or has fields or values that are not understood.
    """
    import yaml

    if path is None:
        return BatchSettings()
    try:
        content = yaml.safe_load(read_bounded(path, limit=_LARGEST_FILE))
        return BatchSettings.model_validate(content or {})
    except (yaml.YAMLError, ValidationError, RecursionError) as error:
        raise ValueError(f"{path} is not understood: {describe(error)}") from error


def write_settings(path: Path, settings: BatchSettings) -> None:
    """Write a settings file, in place of what is there; what is None is left out."""
    import yaml

    content = settings.model_dump(mode="json", exclude_none=True)
    with replacing(path) as aside:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        aside.write_text(text, encoding="utf-8")
