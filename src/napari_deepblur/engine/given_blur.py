"""A given blur, brought to the image that it is used for."""

from __future__ import annotations

import math
from pathlib import Path

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.blur_file import load_blur
from napari_deepblur.engine.events import Job, Warned
from napari_deepblur.engine.request import Request, Source
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.stacks import Stacks

__all__ = ["fitted_job", "given_blur_job", "in_other_light"]


def in_other_light(blur: BlurEstimate | VolumeBlurEstimate) -> str:
    """Say what became of a blur that was brought to another wavelength; empty if it was not."""
    if blur.read_at_um is None or blur.read_at_um == blur.optics.wavelength_um:
        return ""
    ratio = blur.optics.wavelength_um / blur.read_at_um
    if isinstance(blur, VolumeBlurEstimate) or blur.family.in_wavelengths:
        return f"its aberrations, the same in nm, are {1 / ratio:.2f} times as many waves"
    if blur.known is not None and blur.known.kind == "psf":
        return "a PSF image is taken as it is"
    return f"its PSF was made {ratio:.2f} times as wide"


def given_blur_job(request: Request, source: Source) -> Job[BlurEstimate | VolumeBlurEstimate]:
    """Read a given blur and bring it to the planes, voxels and wavelength of the image."""
    given = request.blur
    blur = load_blur(given) if isinstance(given, Path) else given
    if isinstance(blur, BlurEstimate) and request.per == "volume":
        raise ValueError("the given blur is one of planes, not of volumes: leave out --per volume")
    if request.blur_plane is not None:
        blur = blur.only(request.blur_plane)
    if isinstance(blur, VolumeBlurEstimate):
        fitted: BlurEstimate | VolumeBlurEstimate = yield from _fitted_volume_job(blur, source)
    else:
        fitted = yield from fitted_job(blur, source)
    light = in_other_light(fitted)
    if isinstance(given, Path) and light:  # an object tells it itself
        yield Warned(
            f"the blur was read at {fitted.read_at_um:g} µm, the image was taken at "
            f"{fitted.optics.wavelength_um:g} µm: {light}"
        )
    had, has = blur.optics.numerical_aperture, source.said("numerical_aperture")
    if has is not None and not math.isclose(had, has, rel_tol=0.01):
        yield Warned(
            f"the blur is one of an objective of NA {had:g}, the image's has {has:g}: a blur "
            "serves images of the same objective"
        )
    return fitted


def fitted_job(blur: BlurEstimate, source: Source) -> Job[BlurEstimate]:
    """Bring a blur to the planes, pixels and wavelength of the image."""
    planes = Planes.of(source.data, source.axes)
    moved = blur.at(
        wavelength_um=source.said("wavelength_um"),
        pixel_size_um=source.pixel_size_um,
        plane_shape=planes.plane_shape,
    )
    was_um, now_um = blur.optics.pixel_size_um, moved.optics.pixel_size_um
    # A known PSF has pixels of its own, which nobody takes for the image's.
    if blur.known is None and now_um != was_um:
        yield Warned(
            f"the blur was estimated for pixels of {was_um:g} µm, the image's are "
            f"{now_um:g} µm: it was computed anew for those, from its optics and coefficients"
        )
    return moved.for_planes(planes)


def _fitted_volume_job(blur: VolumeBlurEstimate, source: Source) -> Job[VolumeBlurEstimate]:
    """Bring a 3-D blur to the voxels and the wavelength of the image, where they are known."""
    was, was_um = blur.stack_optics, blur.optics.pixel_size_um
    step_um = source.z_step_um
    moved = blur.at(
        wavelength_um=source.said("wavelength_um"),
        pixel_size_um=source.pixel_size_um,
        z_step_um=None if step_um is None else abs(step_um),
    )
    now, now_um = moved.stack_optics, moved.optics.pixel_size_um
    if (now.z_step_um, now_um) != (was.z_step_um, was_um):
        yield Warned(
            f"the blur was estimated for voxels of {was.z_step_um:g} × {was_um:g} × {was_um:g} µm "
            f"(Z, Y, X), the image's are {now.z_step_um:g} × {now_um:g} × {now_um:g} µm: it was "
            "computed anew for those"
        )
    moved.require_fit(Stacks.of(source.data, source.axes).n_volumes)
    return moved
