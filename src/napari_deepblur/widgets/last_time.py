"""Choices of last time: a small file in the user's settings folder, which is never needed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_deepblur.atomic import replacing
from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.devices import Device
from napari_deepblur.untrusted import read_bounded
from napari_deepblur.widgets.deblur.settings import CompareContrast

__all__ = ["LastTime", "recall", "remember", "settings_file"]

_LOG = logging.getLogger(__name__)
_LARGEST_FILE = 100_000


class LastTime(BaseModel):
    """Choices of last time; None where there was none.

    Pixel size and z step are not among them: they are of one image only, and wrong ones make a
    result wrong without any sign of it.

    Attributes
    ----------
    numerical_aperture, refractive_index, wavelength_um
        Optical values that were typed.
    model, per, device, compare_contrast
        As in `DeblurSettings`.
    folder
        Folder of the file that was chosen last.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    numerical_aperture: float | None = None
    refractive_index: float | None = None
    wavelength_um: float | None = None
    model: str | None = None
    per: Scope | None = None
    device: Device | None = None
    compare_contrast: CompareContrast | None = None
    folder: str | None = None


def settings_file() -> Path:
    """Return the path of the file."""
    return platformdirs.user_config_path("napari-deepblur", appauthor=False) / "last-time.json"


def recall() -> LastTime:
    """Read the choices of last time; a file that cannot be read is as good as none."""
    path = settings_file()
    try:
        return LastTime.model_validate_json(read_bounded(path, limit=_LARGEST_FILE))
    except FileNotFoundError:
        return LastTime()
    except (OSError, ValueError, ValidationError) as error:
        _LOG.warning("%s is not used: %s", path, error)
        return LastTime()


def remember(**choices: Any) -> None:
    """Put choices in place of those of last time; where nothing can be written, nothing is.

    Parameters
    ----------
    **choices
        Fields of `LastTime`.
    """
    known = recall()
    now = known.model_copy(update=choices)
    if now == known:
        return
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as aside:
            aside.write_text(now.model_dump_json(indent=2, exclude_none=True), encoding="utf-8")
    except OSError as error:
        _LOG.warning("%s was not written: %s", path, error)
