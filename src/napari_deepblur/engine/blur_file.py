"""The file of a blur: what it holds, how it is written, and how it is checked when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from napari_deepblur.atomic import replacing
from napari_deepblur.engine.blur import BlurEstimate, Per
from napari_deepblur.engine.card import Card, Sha256, SourceName, single_precision
from napari_deepblur.engine.concerns import Concern
from napari_deepblur.engine.known.file import KnownPart
from napari_deepblur.engine.known.psf import KnownPsf
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.volume.blur import (
    VOLUME_FORMAT,
    VolumeBlurEstimate,
    load_volume_blur,
)
from napari_deepblur.errors import describe
from napari_deepblur.optics.settings import Optics
from napari_deepblur.untrusted import read_bounded

__all__ = ["BLUR_SUFFIX", "load_blur", "write_blur"]

#: Ending of blur files by which napari knows them; others can be read, too.
BLUR_SUFFIX = ".deepblur.json"

#: Size of the largest blur file, bytes.
_LARGEST_FILE = 64_000_000

#: Distance from the admissible set that numbers rounded in a file may have.
_ROUNDING = 1e-4


class _BlurFile(Card):
    format: Literal["napari-deepblur blur 1"] = "napari-deepblur blur 1"
    model: str
    #: Digest of the model's family, which says what the coefficients mean. Older files lack it.
    family_sha256: Sha256 | None = None
    optics: Optics
    per: Per
    n_planes: PositiveInt
    coefficient_names: tuple[str, ...]
    coefficients: list[list[float]]
    std: list[list[NonNegativeFloat]]
    concerns: tuple[tuple[str, ...], ...] = ()
    twin_resolved: bool = False
    field_shape: tuple[PositiveInt, PositiveInt] | None = None
    known: KnownPart | None = None
    source: SourceName = ""
    read_at_um: PositiveFloat | None = None
    n_beads: tuple[NonNegativeInt, ...] = ()


def write_blur(path: Path, blur: BlurEstimate) -> None:
    """Write a blur to a JSON file."""
    known = blur.known
    content = _BlurFile(
        model=blur.model,
        family_sha256=blur.opened_model.card.family.digest if known is None else None,
        optics=blur.optics,
        per=blur.per,
        n_planes=blur.n_planes,
        coefficient_names=blur.coefficient_names,
        coefficients=np.asarray(blur.coefficients, float).round(7).tolist(),
        std=np.asarray(blur.std, float).round(7).tolist(),
        concerns=blur.concerns,
        twin_resolved=blur.twin_resolved,
        field_shape=blur.field_shape,
        known=None if known is None else KnownPart.of(known),
        source=blur.source,
        read_at_um=blur.read_at_um,
        n_beads=blur.n_beads,
    )
    with replacing(path) as aside:
        aside.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_blur(path: str | Path) -> BlurEstimate | VolumeBlurEstimate:
    """Read a blur that `BlurEstimate.save` or `VolumeBlurEstimate.save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, or does not fit the model that it names.
    ModelError
        If that model is not there.
    """
    try:
        text = read_bounded(Path(path), limit=_LARGEST_FILE)
        if VOLUME_FORMAT.encode() in text:
            return load_volume_blur(path)
        content = _BlurFile.model_validate_json(text)
        coefficients = single_precision(content.coefficients)
        std = single_precision(content.std)
    except ValueError as error:  # also of pydantic, and of ragged tables
        raise ValueError(f"{path} is not a blur file: {describe(error)}") from error
    n_rows = content.n_planes if content.per == "plane" else 1
    tables_fit = coefficients.shape == std.shape == (n_rows, len(content.coefficient_names))
    lengths = {len(content.concerns), len(content.n_beads)}
    if not tables_fit or not lengths <= {0, n_rows}:
        raise ValueError(f"{path} is damaged: its tables do not fit its planes and names")
    try:
        known = None if content.known is None else content.known.unpacked()
    except ValueError as error:  # also a `ModelError`
        raise ValueError(f"{path} is damaged: {describe(error)}") from error
    if known is None:
        _check_model(content, path)
    _check_coefficients(content, coefficients, known, path)
    blur = BlurEstimate(
        coefficients=coefficients,
        std=std,
        optics=content.optics,
        model=content.model,
        per=content.per,
        n_planes=content.n_planes,
        concerns=tuple(tuple(map(Concern.read, reasons)) for reasons in content.concerns),
        twin_resolved=content.twin_resolved,
        field_shape=content.field_shape,
        known=known,
        source=content.source,
        read_at_um=content.read_at_um,
        n_beads=content.n_beads,
    )
    try:
        blur.optics.require_resolved_blur(blur.coarsest_cutoff)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {describe(error)}") from error
    return blur


def _check_model(content: _BlurFile, path: str | Path) -> None:
    """Check that the coefficients of a file are named as those of its model."""
    model = load_model(content.model)
    if content.family_sha256 not in (None, model.card.family.digest):
        raise ValueError(
            f"{path} was made with another model of the name {content.model!r}, whose "
            "coefficients mean something else: estimate the blur anew"
        )
    if content.coefficient_names != model.family.coefficient_names:
        raise ValueError(
            f"{path} does not fit model {content.model!r}: it has the coefficients "
            f"{', '.join(content.coefficient_names)}, the model "
            f"{', '.join(model.family.coefficient_names)}"
        )


def _check_coefficients(
    content: _BlurFile,
    coefficients: NDArray[np.float32],
    known: KnownPsf | None,
    path: str | Path,
) -> None:
    """Check that the coefficients of a file are some of its family, or those of its known PSF."""
    import torch

    if known is not None:
        if not np.array_equal(coefficients, known.coefficients):
            raise ValueError(f"{path} is damaged: a known PSF has other coefficients")
        return
    family = load_model(content.model).family
    if family.in_wavelengths and content.read_at_um is not None:
        coefficients = coefficients * np.float32(content.optics.wavelength_um / content.read_at_um)
    possible = family.admissible_set
    gamma = possible.fold(torch.from_numpy(coefficients))
    if not bool(possible.contains(gamma, tolerance=_ROUNDING).all()):
        raise ValueError(
            f"{path} is damaged: it holds coefficients that no blur of model {content.model!r} has"
        )
