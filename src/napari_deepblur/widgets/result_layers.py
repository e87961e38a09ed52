"""Results as napari layers on the grid of the layer they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur import __version__
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.widgets.jobs import Deblurred, Estimated
from napari_deepblur.widgets.layer_facts import axes_of, pixels_of

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["deblurred_layer", "geometry_of", "is_by_product", "psf_layer", "residual_layer"]

#: Distance between an image and its PSF, in pixels.
_GAP = 8

#: Contrast of a residual, in units of the noise: of noise alone 1 pixel in 16,000 is beyond.
_RESIDUAL_LIMIT = 4.0


def geometry_of(layer: Image) -> dict[str, Any]:
    """Everything that says where a layer lies; results inherit nothing by themselves."""
    return {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def deblurred_layer(layer: Image, result: Deblurred) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Data and arguments of the deblurred image's layer.

    The contrast is that of the observed image, so the two can be compared.
    """
    arguments = geometry_of(layer) | {
        "name": f"{layer.name} deblurred",
        "colormap": layer.colormap.name,
        "contrast_limits": tuple(layer.contrast_limits),
        "gamma": layer.gamma,
        "metadata": _metadata("deblurred", layer, result.estimated, result.check),
    }
    return result.sharp, arguments


def residual_layer(
    layer: Image, result: Deblurred
) -> tuple[NDArray[np.float32], dict[str, Any]] | None:
    """Data and arguments of the layer of what is not explained; None if it was not asked for.

    It lies on the image; zero has the middle colour.
    """
    if result.residual is None:
        return None
    arguments = geometry_of(layer) | {
        "name": f"{layer.name} residual",
        "colormap": "PiYG",
        "contrast_limits": (-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT),
        "metadata": _metadata("residual", layer, result.estimated, result.check),
    }
    return result.residual, arguments


def psf_layer(layer: Image, estimated: Estimated) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Data and arguments of the layer of PSFs, beside the image at the image's own scale.

    It has the image's leading axes, so it follows the sliders.
    """
    planes = Planes.of(pixels_of(layer), axes_of(layer))
    n_rows, height, width = estimated.psfs.shape
    psfs = estimated.psfs
    if n_rows > 1:
        psfs = psfs.reshape(*planes.lead_shape, height, width)
    else:
        psfs = np.broadcast_to(psfs[0], (*planes.lead_shape, height, width))
    arguments = geometry_of(layer) | {
        "name": f"{layer.name} PSF",
        "translate": _beside(layer, planes.plane_shape[1] + _GAP),
        "colormap": "inferno",
        "contrast_limits": (0.0, float(estimated.psfs.max())),
        # The rings are a hundredth of the peak.
        "gamma": 0.5,
        "metadata": _metadata("psf", layer, estimated),
    }
    return psfs, arguments


def is_by_product(layer: Any) -> bool:
    """Whether a layer is one of ours that shows no sample: PSFs or a residual."""
    own = layer.metadata.get("deepblur")
    return isinstance(own, dict) and own.get("kind") in ("psf", "residual")


def _beside(layer: Image, column: int) -> NDArray[np.float64]:
    """Translation that puts a layer's origin at a column of another of the same geometry."""
    target = np.zeros(layer.ndim)
    target[-1] = column
    step = np.subtract(layer.data_to_world(target), layer.data_to_world(np.zeros(layer.ndim)))
    linear = np.array(layer.affine.affine_matrix)[:-1, :-1]
    moved: NDArray[np.float64] = np.array(layer.translate) + np.linalg.solve(linear, step)
    return moved


def _numbers(values: NDArray[np.float32]) -> list[Any]:
    """Plain numbers, so that whoever writes the metadata can; single precision has 7 digits."""
    numbers: list[Any] = np.asarray(values, float).round(7).tolist()
    return numbers


def _metadata(
    kind: str, layer: Image, estimated: Estimated, check: DeblurringCheck | None = None
) -> dict[str, Any]:
    blur = estimated.blur
    checked = {} if check is None else {"check": _check_metadata(check)}
    return {
        "deepblur": {
            "kind": kind,
            "version": __version__,
            "model": blur.model,
            "optics": blur.optics.model_dump(),
            "per": blur.per,
            "coefficient_names": list(estimated.names),
            "coefficients": _numbers(blur.coefficients),
            "std": _numbers(blur.std),
            "concerns": [list(reasons) for reasons in blur.concerns],
            "in_domain": blur.in_domain.tolist(),
            "twin_resolved": blur.twin_resolved,
            "source": layer.name,
            **checked,
        }
    }


def _check_metadata(check: DeblurringCheck) -> dict[str, Any]:
    return {
        "residual": _numbers(check.residual),
        "border_ringing": _numbers(check.border_ringing),
        "flux_moved": _numbers(check.flux_moved),
        # Significant digits: its unit is the image's, whatever that is.
        "noise_deviation": [float(f"{value:.6g}") for value in check.noise_deviation],
        "concerns": [list(reasons) for reasons in check.concerns],
    }
