"""Space-varying families as files: arrays and names, nothing that could be executed."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deepblur.errors import ModelError
from napari_deepblur.operators.convex_hull import ConvexHull
from napari_deepblur.operators.product_convolution import ORDER
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily

__all__ = ["read_family", "write_family"]

_FORMAT = "napari-deepblur family 1"
_ARRAYS = ("eigen_psfs", "maps", "vertices")


def write_family(path: Path, family: ProductConvolutionFamily) -> None:
    """Write a family to an `.npz` file.

    It holds `eigen_psfs` (K, h, w), `maps` (P, K, G, G), the `vertices` (V, P) of the
    admissible set, `coefficient_names`, `cutoff`, `pixel_size_um`, `optics_known`, and the
    `order` in which the operator multiplies and convolves.

    Raises
    ------
    TypeError
        If the admissible set is no convex hull.
    """
    hull = family.admissible_set
    if not isinstance(hull, ConvexHull):
        raise TypeError(f"only families with a ConvexHull have files, got {type(hull).__name__}")
    # Written aside first: whoever reads the old file meanwhile gets all of it.
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(
            file,
            format=_FORMAT,
            order=ORDER,
            eigen_psfs=family.eigen_psfs.cpu().numpy(),
            maps=family.maps.cpu().numpy(),
            vertices=hull.vertices.cpu().numpy(),
            coefficient_names=np.array(family.coefficient_names),
            cutoff=family.cutoff,
            pixel_size_um=family.pixel_size_um,
            optics_known=family.optics_known,
        )
    partial.replace(path)


def read_family(path: Path) -> ProductConvolutionFamily:
    """Read what `write_family` wrote.

    Raises
    ------
    ModelError
        If the file is missing, of another kind, damaged, or of operators that convolve first.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing: give the folder that `deepblur calibrate` wrote")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    # A single array is no context manager; the others come from the archive within.
    except (ValueError, OSError, EOFError, TypeError, BadZipFile, zlib.error) as error:
        raise ModelError(f"{path} is not a family file: get it again") from error
    if str(content.get("format")) != _FORMAT:
        raise ModelError(f"{path} is not a file of {_FORMAT!r}")
    if str(content.get("order")) != ORDER:
        raise ModelError(
            f"{path} holds operators of the order {str(content.get('order'))!r}; this program "
            f"applies {ORDER!r} only, and the two are different operators"
        )
    try:
        eigen_psfs, maps, vertices = (_numbers(content[name]) for name in _ARRAYS)
        return ProductConvolutionFamily(
            eigen_psfs,
            maps,
            ConvexHull(vertices),
            cutoff=float(content["cutoff"]),
            pixel_size_um=float(content["pixel_size_um"]),
            optics_known=bool(content["optics_known"]),
            coefficient_names=[str(name) for name in content["coefficient_names"]],
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error


def _numbers(array: NDArray[np.generic]) -> Tensor:
    numbers = torch.from_numpy(array.astype(np.float32))
    if not bool(numbers.isfinite().all()):
        raise ValueError("it holds NaN or infinity")
    return numbers
