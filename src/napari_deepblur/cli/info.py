"""`deepblur info`: what a file holds, and whether its blur can be estimated."""

# No postponed annotations here: typer reads them when a command is declared.

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.report import print_json
from napari_deepblur.io import StoredImage, list_images, read_image

__all__ = ["info"]

_METADATA = (
    "name",
    "pixel_size_um",
    "pixel_sides_um",
    "z_step_um",
    "time_step_s",
    "position",
    "numerical_aperture",
    "wavelength_um",
    "refractive_index",
    "acquired",
)
#: Facts of which an image may be silent without loss.
_ONLY_IF_KNOWN = ("name", "pixel_sides_um", "time_step_s", "position", "channels", "acquired")


@given.expand_groups
def info(
    image: given.Image,
    *,
    optics: given.OpticsOptions,
    stored: given.ImageOptions,
    as_json: given.AsJson = False,
) -> None:
    """Show what IMAGE is, and whether its blur can be estimated.

    Of a file of several images all are listed, and one is described.
    """
    from napari_deepblur.engine.known_optics import (
        merge_optics,
        missing_optics,
        optics_of,
        stated,
    )

    images = list_images(image, axes=stored.axes)
    file = read_image(image, **asdict(stored))
    content: dict[str, Any] = {
        "image": image,
        "axes": file.axes,
        "shape": file.shape,
        "dtype": np.dtype(file.data.dtype).name,
        "n_channels": file.n_channels,
        **{field: _plain(getattr(file.metadata, field)) for field in _METADATA},
        "channels": [asdict(channel) for channel in file.metadata.channels],
    }
    known = merge_optics(stated("typed", optics.typed), stated("file", file.metadata))
    if not missing_optics(known):
        complete = optics_of(known)
        content |= {"cutoff": complete.cutoff, "verdict": complete.sampling_text}
    if as_json:
        print_json(content | {"images": [_listed(one) for one in images]})
        return
    typer.echo("\n".join(_lines(content, images)))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _listed(image: StoredImage) -> dict[str, Any]:
    return {
        "name": image.metadata.name,
        "axes": image.axes,
        "shape": image.shape,
        "dtype": image.dtype.name,
        "is_thumbnail": image.is_thumbnail,
    }


def _lines(content: dict[str, Any], images: Sequence[StoredImage]) -> list[str]:
    """One line for each fact, unknown or not, for each extra that is known, for each image."""
    shown = content | {"channels": _names(content["channels"])}
    if content["pixel_size_um"] is not None:
        del shown["pixel_sides_um"]
    lines = [
        f"{name:<20}{_shown(value)}"
        for name, value in shown.items()
        if value or name not in _ONLY_IF_KNOWN
    ]
    if len(images) > 1:
        lines += [f"--series {number:<11}{one.describe()}" for number, one in enumerate(images)]
    return lines


def _names(channels: Sequence[dict[str, Any]]) -> str:
    return ", ".join(channel["name"] for channel in channels if channel["name"])


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items() if one is not None)
    if isinstance(value, tuple):
        return " × ".join(_shown(one) for one in value)
    return str(value)
