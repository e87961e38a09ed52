"""Space-varying families as files: arrays and names, nothing that could be executed."""

from __future__ import annotations

import math
import zlib
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deepblur.atomic import replacing
from napari_deepblur.errors import ModelError, describe
from napari_deepblur.operators.convex_hull import ConvexHull
from napari_deepblur.operators.product_convolution import ORDER
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.untrusted import read_bounded

__all__ = ["family_bytes", "read_family", "unpack_family", "write_family"]

_FORMAT = "napari-deepblur family 1"

#: Largest size of each array along each axis.
_LARGEST = {
    "eigen_psfs": (64, 255, 255),
    "maps": (256, 64, 32, 32),
    "vertices": (5000, 256),
    "coefficient_names": (256,),
}
_WORDS = ("format", "order")
_NUMBERS = ("cutoff", "pixel_size_um", "optics_known", "pixel_area", "seen_at")

#: Bytes of the file and of one array in it; characters of a word.
_LARGEST_FILE, _LARGEST_ARRAY, _LONGEST_WORD = 16_000_000, 70_000_000, 200

#: Errors of files that are no archives of plain arrays.
_UNREADABLE = (
    ValueError, OSError, EOFError, TypeError, BadZipFile, NotImplementedError, RuntimeError,
    SyntaxError, TokenError, OverflowError, zlib.error,
)  # fmt: skip

#: In front of the name of each array of an archive.
_ENTRY = b"PK\x01\x02"


def family_bytes(family: ProductConvolutionFamily) -> bytes:
    """Pack a family as an `.npz` file: the same family gives the same bytes.

    It holds `eigen_psfs` (K, h, w), `maps` (P, K, G, G), the `vertices` (V, P) of the
    admissible set, `coefficient_names`, `cutoff`, `pixel_size_um`, `optics_known`, and the
    `order` in which the operator multiplies and convolves; and, where they are not the usual
    ones, `pixel_area` and `seen_at`.

    Raises
    ------
    TypeError
        If the admissible set is no convex hull.
    """
    hull = family.admissible_set
    if not isinstance(hull, ConvexHull):
        raise TypeError(f"only families with a ConvexHull have files, got {type(hull).__name__}")
    content: dict[str, Any] = {
        "format": _FORMAT,
        "order": ORDER,
        "eigen_psfs": family.eigen_psfs.cpu().numpy(),
        "maps": family.maps.cpu().numpy(),
        "vertices": hull.vertices.cpu().numpy(),
        "coefficient_names": np.array(family.coefficient_names),
        "cutoff": family.cutoff,
        "pixel_size_um": family.pixel_size_um,
        "optics_known": family.optics_known,
    }
    if family.pixel_area:
        content["pixel_area"] = True
    if family.is_seen_coarser:
        content["seen_at"] = family.seen_at
    file = BytesIO()
    np.savez_compressed(file, **content)
    return file.getvalue()


def write_family(path: Path, family: ProductConvolutionFamily) -> None:
    """Write a family to an `.npz` file: see `family_bytes`."""
    content = family_bytes(family)
    with replacing(path) as aside:
        aside.write_bytes(content)


def read_family(path: Path, *, sha256: str | None = None) -> ProductConvolutionFamily:
    """Read a file of `write_family`.

    Sizes are checked before anything is unpacked, and nothing in the file is executed.

    Parameters
    ----------
    path
        Path of the file.
    sha256
        Digest that the file must have; by default any.

    Raises
    ------
    ModelError
        If the file is missing, of another kind, larger than any family, damaged, or of
        operators that convolve first.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing: give the folder that `deepblur calibrate` wrote")
    try:
        packed = read_bounded(path, limit=_LARGEST_FILE, sha256=sha256)
    except (OSError, ValueError) as error:
        raise ModelError(str(error)) from error
    return unpack_family(packed, str(path))


def unpack_family(packed: bytes, name: str) -> ProductConvolutionFamily:
    """Unpack a family from what `family_bytes` gave: see `read_family`.

    Parameters
    ----------
    packed
        Content of the file.
    name
        Name of the file, or of what it is part of, for errors.

    Raises
    ------
    ModelError
        As `read_family`.
    """
    try:
        content = _unpack(packed)
    except _UNREADABLE as error:
        raise ModelError(f"{name} is not a family file: get it again") from error
    if str(content.get("format")) != _FORMAT:
        raise ModelError(f"{name} is not a file of {_FORMAT!r}")
    if str(content.get("order")) != ORDER:
        raise ModelError(
            f"{name} holds operators of the order {str(content.get('order'))!r}; this program "
            f"applies {ORDER!r} only, and the two are different operators"
        )
    try:
        return _family(content)
    except KeyError as error:
        raise ModelError(f"{name} is damaged: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"{name} is damaged: {describe(error)}") from error


def _family(content: dict[str, NDArray[Any]]) -> ProductConvolutionFamily:
    for name, largest in _LARGEST.items():
        shape = content[name].shape
        if len(shape) == len(largest) and any(map(int.__gt__, shape, largest)):
            raise ValueError(f"{name} of shape {shape} are larger than any, {largest}")
    return ProductConvolutionFamily(
        _tensor(content["eigen_psfs"]),
        _tensor(content["maps"]),
        ConvexHull(_tensor(content["vertices"])),
        cutoff=_positive(content["cutoff"]),
        pixel_size_um=_positive(content["pixel_size_um"]),
        optics_known=bool(content["optics_known"]),
        coefficient_names=[str(name) for name in content["coefficient_names"]],
        pixel_area=bool(content.get("pixel_area", False)),
        seen_at=_positive(content["seen_at"]) if "seen_at" in content else None,
    )


def _unpack(packed: bytes) -> dict[str, NDArray[Any]]:
    """Unpack the arrays of an archive by name, once size and kind of each are found valid."""
    names = (*_LARGEST, *_WORDS, *_NUMBERS)
    if packed.count(_ENTRY) > 2 * len(names):
        raise ValueError("it holds more arrays than a family")
    with ZipFile(BytesIO(packed)) as archive:
        present = {name for name in names if f"{name}.npy" in archive.namelist()}
        return {name: _array(archive, f"{name}.npy") for name in present}


def _array(archive: ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("it was not written by this program")
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
        n_bytes = math.prod(shape) * dtype.itemsize
        is_word = dtype.kind == "U" and dtype.itemsize <= 4 * _LONGEST_WORD
        if not (is_word or dtype.kind in "bif") or not 0 <= n_bytes <= _LARGEST_ARRAY:
            raise ValueError(f"{name} is of kind {dtype} or too large")
        # One byte more than expected, so that its check sum is looked at.
        content = file.read(n_bytes + 1)
    if len(content) != n_bytes:
        raise ValueError(f"{name} has another size than it says")
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order="F" if by_columns else "C")


def _positive(value: NDArray[Any]) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"cutoff and pixel size must be positive, got {number:g}")
    return number


def _tensor(array: NDArray[Any]) -> Tensor:
    numbers = torch.from_numpy(array.astype(np.float32))
    if not bool(numbers.isfinite().all()):
        raise ValueError("it holds NaN or infinity")
    return numbers
