"""Image files that the commands write, with what they say of their making."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur import __version__
from napari_deepblur.cli.report import check_object, concern_lines, known_object, plain, psf_stack
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.io import Channel, ImageMetadata, write_image
from napari_deepblur.io.partial_image import complete

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.file_run import FileRun
    from napari_deepblur.engine.request import Request, Source
    from napari_deepblur.engine.restore import Restored

__all__ = ["complete_outputs", "write_psf"]

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


def complete_outputs(
    run: FileRun, restored: Restored, source: Source, request: Request
) -> dict[str, Path]:
    """Put a deblurred image and its residual, if there is one, in place.

    Parameters
    ----------
    run
        Their pixels.
    restored
        What was computed.
    source
        The image that it was computed from.
    request
        What was asked for.

    Returns
    -------
        The files that were written, by the option that named them.

    Raises
    ------
    OSError
        If one of them cannot be written.
    """
    blur = restored.blur
    metadata, provenance = _on_grid_of(source, blur), _provenance(blur)
    provenance["settings"] = request.model_dump(mode="json", exclude={"image", "blur", "known"})
    provenance["coefficients"] = plain(blur.coefficients)
    if restored.check is not None:
        provenance["check"] = plain(check_object(restored.check))
    images = {"out": run.sharp}
    if restored.residual is not None and run.residual is not None:
        images["residual"] = run.residual
    complete(list(images.values()), metadata, provenance)
    if run.residual is not None:
        run.residual.discard()
    return {option: image.path for option, image in images.items()}


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
        }
        if blur.known_as:
            made["psf"] = blur.known_as
    else:
        card = blur.opened_model.card
        networks = {"identification": card.identification, "deblurring": card.deblurring}
        made = {
            "model": Path(blur.model).name,
            "model_sha256": {
                kind: network.sha256 for kind, network in networks.items() if network is not None
            },
        }
        if blur.known is not None:
            made["psf"] = known_object(blur.known)
    return {
        "software": f"napari-deepblur {__version__}",
        **made,
        **blur.optics.model_dump(),
        "concerns": concern_lines(blur),
    }
