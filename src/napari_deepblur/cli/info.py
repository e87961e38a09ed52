"""`deepblur info`: what an image is, and whether its blur can be estimated."""

# No postponed annotations here: typer reads them when a command is declared.

from typing import Any

import numpy as np
import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.report import print_json
from napari_deepblur.io import list_images, read_image

__all__ = ["info"]

_METADATA = (
    "pixel_size_um",
    "z_step_um",
    "numerical_aperture",
    "wavelength_um",
    "refractive_index",
)


@given.expand_groups
def info(
    image: given.Image,
    *,
    optics: given.OpticsOptions,
    stored: given.ImageOptions,
    as_json: given.AsJson = False,
) -> None:
    """Show what IMAGE is, and whether its blur can be estimated."""
    from napari_deepblur.engine.known_optics import (
        merge_optics,
        missing_optics,
        optics_of,
        stated,
    )

    file = read_image(image, series=stored.series, channel=stored.channel, axes=stored.axes)
    content: dict[str, Any] = {
        "image": image,
        "axes": file.axes,
        "shape": file.shape,
        "dtype": np.dtype(file.data.dtype).name,
        "n_channels": file.n_channels,
    }
    content |= {field: getattr(file.metadata, field) for field in _METADATA}
    known = merge_optics(stated("typed", optics.typed), stated("file", file.metadata))
    if not missing_optics(known):
        complete = optics_of(known)
        content |= {"cutoff": complete.cutoff, "verdict": complete.sampling_text}
    images = [one.describe() for one in list_images(image)]
    if as_json:
        print_json(content | {"images": images})
        return
    for name, value in content.items():
        shown = "unknown" if value is None else value
        typer.echo(f"{name:<20}{shown:.5g}" if isinstance(shown, float) else f"{name:<20}{shown}")
    if len(images) > 1:
        typer.echo("\n".join(f"--series {n:<11}{text}" for n, text in enumerate(images)))
