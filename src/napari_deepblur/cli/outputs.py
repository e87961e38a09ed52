"""Image files that the commands write, with what they say of their making."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur import __version__
from napari_deepblur.cli.report import check_object, concern_lines, known_object, plain, psf_stack
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.errors import describe
from napari_deepblur.io import Channel, ImageMetadata, write_image

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.request import Source
    from napari_deepblur.engine.restore import Restored

__all__ = ["write_psf", "write_restored"]

_OBJECTIVE = ("numerical_aperture", "refractive_index")


def write_psf(
    path: Path, blur: BlurEstimate | VolumeBlurEstimate, source: Source, *, overwrite: bool
) -> None:
    """Write the PSF of each plane or volume, or the one that serves all, at the image's voxels."""
    if isinstance(blur, VolumeBlurEstimate):
        psfs = np.stack([blur.psf_3d(volume=volume) for volume in range(blur.n_volumes)])
        psfs = psfs[0] if blur.n_volumes == 1 else psfs
        axes: str = "TZYX"[-psfs.ndim :]
        z_step_um: float | None = blur.stack_optics.z_step_um
    else:
        psfs = psf_stack(blur, source.shape[:-2])
        axes, z_step_um = source.axes[-psfs.ndim :], source.metadata.z_step_um
    write_image(
        path,
        psfs,
        axes,
        pixel_size_um=blur.optics.pixel_size_um,
        z_step_um=z_step_um,
        provenance=_provenance(blur),
        overwrite=overwrite,
    )


def write_restored(
    restored: Restored, source: Source, out: Path, residual: Path | None, *, overwrite: bool
) -> dict[str, Path]:
    """Write a deblurred image and its residual, if there is one, on the grid of the image.

    Parameters
    ----------
    restored
        What was computed.
    source
        The image that it was computed from.
    out
        File for the deblurred image.
    residual
        File for the residual.
    overwrite
        Whether to replace existing files.

    Returns
    -------
        The files that were written, by the option that named them.

    Raises
    ------
    OSError
        If one of them cannot be written; the message says where it was put instead.
    """
    checked = {"check": plain(check_object(restored.check))} if restored.check else {}
    provenance = _provenance(restored.blur) | checked
    images = {"out": (out, restored.sharp)}
    if residual is not None and restored.residual is not None:
        images["residual"] = (residual, restored.residual)
    metadata, failures = _on_grid_of(source, restored.blur), []
    for path, pixels in images.values():
        try:
            write_image(
                path,
                pixels,
                source.axes,
                metadata=metadata,
                provenance=provenance,
                overwrite=overwrite,
            )
        # The other image is written all the same.
        except OSError as error:
            failures.append(describe(error))
    if failures:
        raise OSError("; ".join(failures))
    return {option: path for option, (path, _) in images.items()}


def _on_grid_of(source: Source, blur: BlurEstimate | VolumeBlurEstimate) -> ImageMetadata:
    """Metadata of the input; a typed pixel size replaces the stated one."""
    typed = {name: known.value for name, known in source.known.items() if known.source == "typed"}
    metadata = source.metadata
    if "pixel_size_um" in typed or metadata.pixel_sides_um is None:
        size = blur.optics.pixel_size_um
        metadata = replace(metadata, pixel_sides_um=(size, size))
    if isinstance(blur, VolumeBlurEstimate):
        metadata = replace(metadata, z_step_um=blur.stack_optics.z_step_um)
    if "wavelength_um" in typed:
        channel = next(iter(metadata.channels), Channel())
        metadata = replace(
            metadata, channels=(replace(channel, wavelength_um=typed["wavelength_um"]),)
        )
    objective: dict[str, Any] = {name: typed[name] for name in _OBJECTIVE if name in typed}
    return replace(metadata, **objective)


def _provenance(blur: BlurEstimate | VolumeBlurEstimate) -> dict[str, Any]:
    """Software, model, optics and concerns, which an output file states."""
    if isinstance(blur, VolumeBlurEstimate):
        made: dict[str, Any] = {
            "z_step_um": blur.stack_optics.z_step_um,
            "light_sheet_fwhm_um": blur.stack_optics.light_sheet_fwhm_um,
            "coefficients": plain(blur.coefficients),
        }
    else:
        made = {"model": Path(blur.model).name}
        if blur.known is not None:
            made["psf"] = known_object(blur.known)
    return {
        "software": f"napari-deepblur {__version__}",
        **made,
        **blur.optics.model_dump(),
        "concerns": concern_lines(blur),
    }
