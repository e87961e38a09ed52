"""Names of results that tell them apart in a list: by the PSF, and by settings that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_deepblur.engine.blur import BlurEstimate, Scope
from napari_deepblur.engine.known.choice import MeasuredPsf
from napari_deepblur.widgets.layers.names import result_name

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.widgets.deblur.tasks import Estimated

__all__ = ["sharp_name", "told_apart"]

#: What an estimated PSF is one of, where that is no plane.
_SCOPES: dict[Scope, str] = {"plane": "", "stack": "one PSF", "volume": "3-D PSF"}

_OPTICS = {
    "numerical_aperture": "NA {:g}",
    "wavelength_um": "{:g} µm",
    "refractive_index": "n {:g}",
    "pixel_size_um": "pixels of {:g} µm",
}


def sharp_name(what: str, layer: Image, estimated: Estimated) -> str:
    """Name a result by the PSF that was taken out.

    Parameters
    ----------
    what
        What it shows, such as ``deblurred``.
    layer
        Observed image.
    estimated
        The PSF.
    """
    return result_name(", ".join(filter(None, [what, _psf(layer, estimated)])), layer.name)


def _psf(layer: Image, estimated: Estimated) -> str:
    """Name a PSF in a few words; none for the usual one, an estimate of each plane."""
    blur, known = estimated.blur, estimated.known
    if known.startswith("ideal"):
        return known
    if known:
        is_measured = isinstance(estimated.choice, MeasuredPsf)
        return "measured PSF" if is_measured else f"PSF of {known.split(', ')[0]}"
    if blur.source not in ("", layer.name):
        return f"PSF of {blur.source}"
    is_of_one_plane = isinstance(blur, BlurEstimate) and blur.n_planes == 1
    return "" if is_of_one_plane else _SCOPES[blur.per]


def told_apart(name: str, layer: Image, metadata: dict[str, Any], other: dict[str, Any]) -> str:
    """Add to the name of a result what differs from another one that has the same name.

    Parameters
    ----------
    name
        Name that both have.
    layer
        Observed image.
    metadata, other
        Of both results.
    """
    own, theirs = metadata["deepblur"], other["deepblur"]
    words = [
        form.format(own["optics"][field])
        for field, form in _OPTICS.items()
        if own["optics"][field] != theirs["optics"][field]
    ]
    if own.get("model") != theirs.get("model"):
        words.append(f"model {own.get('model')}")
    end = f" ({layer.name})"
    return f"{name.removesuffix(end)}{''.join(f', {word}' for word in words)}{end}"
