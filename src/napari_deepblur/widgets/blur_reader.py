"""Reader of napari: blur files, calibrations and models, shown as PSFs and eigen-PSFs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.files import load_calibration
from napari_deepblur.engine.blur_file import BLUR_SUFFIX, load_blur
from napari_deepblur.engine.model_files import CARD
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.errors import ModelError
from napari_deepblur.widgets.layers.names import result_name
from napari_deepblur.widgets.layers.tiles_picture import signed_colormap

__all__ = ["reader_of"]

LayerData = tuple[Any, dict[str, Any], str]

_CALIBRATION = "calibration.json"
#: Planes and sides of a 3-D PSF that is shown, pixels.
_SHAPE_3D = (31, 65, 65)
#: The rings are a hundredth of the peak.
_PSF_GAMMA = 0.5


def reader_of(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the function that reads a file of ours; None if it is none.

    Parameters
    ----------
    path
        A blur file, or the ``calibration.json`` or ``model.json`` in the folder of one.
    """
    if not isinstance(path, str):
        return None
    name = Path(path).name.lower()
    if name.endswith(BLUR_SUFFIX):
        return _blur_layers
    folder = Path(path).parent
    if name == _CALIBRATION and (folder / "family.npz").is_file():
        return _calibration_layers
    return _model_layers if name == CARD and _is_model(folder) else None


def _is_model(folder: Path) -> bool:
    """Tell whether a file of this common name is the description of a model."""
    try:
        load_model(folder)
    except (ModelError, OSError):
        return False
    return True


def _blur_layers(path: str) -> list[LayerData]:
    from napari_deepblur.operators import ProductConvolutionFamily

    blur = load_blur(path)
    name = Path(path).name.removesuffix(BLUR_SUFFIX)
    side = blur.optics.pixel_size_um
    if isinstance(blur, VolumeBlurEstimate):
        psfs = np.stack([blur.psf_3d(_SHAPE_3D, row) for row in range(blur.n_volumes)])
        return [_psf_layer(psfs, name, (blur.stack_optics.z_step_um, side, side), "t")]
    psfs = np.stack([blur.psf(row) for row in range(len(blur.coefficients))])
    layers = [_psf_layer(psfs, name, (side, side), "plane")]
    if blur.varies:
        assert isinstance(blur.family, ProductConvolutionFamily)
        layers.insert(0, _eigen_layer(blur.family.eigen_psfs.numpy(), name, side))
    return layers


def _calibration_layers(path: str) -> list[LayerData]:
    folder = Path(path).parent
    result = load_calibration(folder)
    side = result.pixel_size_um
    psfs = np.stack([result.psf(acquisition=one) for one in range(result.n_acquisitions)])
    return [
        _eigen_layer(result.eigen_psfs, folder.name, side),
        _psf_layer(psfs, folder.name, (side, side), "acquisition"),
    ]


def _model_layers(path: str) -> list[LayerData]:
    """Show the eigen-PSFs that a model reads its blurs in, at its own sampling."""
    from napari_deepblur.operators import ProductConvolutionFamily

    folder = Path(path).parent
    model = load_model(folder)
    family = model.family
    if isinstance(family, ProductConvolutionFamily):
        return [_eigen_layer(family.eigen_psfs.numpy(), folder.name, family.pixel_size_um)]
    return [_eigen_layer(model.identification.eigen_psfs.numpy(), folder.name, None)]


def _psf_layer(
    psfs: NDArray[np.float32], name: str, voxel_um: tuple[float, ...], each: str
) -> LayerData:
    """Make the layer of PSFs, shape (N, h, w) or (N, d, h, w), of which `each` is one."""
    lead = [each] if len(psfs) > 1 else []
    arguments = {
        "name": result_name("PSF", name),
        "scale": (*[1.0 for _ in lead], *voxel_um),
        "units": (*["pixel" for _ in lead], *["micrometer" for _ in voxel_um]),
        "axis_labels": (*lead, *"zyx"[-len(voxel_um) :]),
        "colormap": "inferno",
        "contrast_limits": (0.0, float(psfs.max())),
        "gamma": _PSF_GAMMA,
        "metadata": {"deepblur": {"kind": "psf"}},
    }
    return psfs if lead else psfs[0], arguments, "image"


def _eigen_layer(eigen_psfs: NDArray[np.float32], name: str, side: float | None) -> LayerData:
    """Make the layer of eigen-PSFs (K, h, w), one after the other; None for no physical size."""
    limit = float(np.abs(eigen_psfs).max())
    arguments = {
        "name": result_name("eigen-PSFs", name),
        "scale": (1.0, side or 1.0, side or 1.0),
        "units": ("pixel",) + (("micrometer",) if side else ("pixel",)) * 2,
        "axis_labels": ("eigen-PSF", "y", "x"),
        "colormap": signed_colormap(),
        "contrast_limits": (-limit, limit),
        "metadata": {"deepblur": {"kind": "eigen-psfs"}},
    }
    return eigen_psfs, arguments, "image"
