"""Tables and pictures of one plane's blur and of its check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.blur_figures import with_unit
from napari_deepblur.engine.concerns import ConcernKind, one_of_each_kind
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.widgets.deblur.tasks import Estimated
from napari_deepblur.widgets.deblur.view import BlurTable, CheckTable, OverField, ShownPsf

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = [
    "blur_table",
    "check_table",
    "flagged_planes",
    "psf_picture",
]


def psf_picture(estimated: Estimated, plane: int, position_yx: tuple[int, int] | None) -> ShownPsf:
    """Make the picture of the PSF at a pixel, by default at the field's centre."""
    row, blur, field = estimated.row(plane), estimated.blur, estimated.field
    psf = estimated.psfs[row]
    if field is None or isinstance(blur, VolumeBlurEstimate):
        return ShownPsf(psf)
    if position_yx is not None:
        # Not `blur.psf`, which looks whether the model's folder is still there.
        psf = blur.psf_field(row, field.grid.field_yx(np.array([position_yx])))[0]
    return ShownPsf(psf, psf_width(psf) * blur.optics.pixel_size_um, position_yx)


def blur_table(
    layer: Image, estimated: Estimated, plane: int, position_yx: tuple[int, int] | None
) -> BlurTable:
    """Make the table of one plane's blur."""
    row, blur = estimated.row(plane), estimated.blur
    planes = "time point" if estimated.is_3d else "plane"
    modes = slice(estimated.n_modes)
    return BlurTable(
        title=f"{layer.name}, {planes} {row}" if len(estimated.psfs) > 1 else layer.name,
        names=estimated.names[modes],
        coefficients=blur.coefficients[row][modes],
        std=blur.std[row][modes],
        unit=estimated.unit,
        optics=blur.optics,
        z_step_um=blur.stack_optics.z_step_um if isinstance(blur, VolumeBlurEstimate) else None,
        others=_others(estimated, row),
        quality=estimated.quality,
        curves=_curves(estimated),
        plane=row,
        psf=psf_picture(estimated, plane, position_yx),
        over_field=_over_field(estimated, row),
        concerns=one_of_each_kind([blur.concerns[row]]) if blur.concerns else None,
        flagged=flagged_planes(blur),
        n_planes=len(blur.coefficients),
        planes=planes,
        of_stack=isinstance(blur, BlurEstimate) and blur.n_planes > 1,
        twin_resolved=_signs_are_known(blur, row),
        known=estimated.known,
        n_beads=_n_beads(blur, row),
    )


def check_table(layer: Image, check: DeblurringCheck, plane: int) -> CheckTable:
    """Make the table of one plane's check."""
    n = len(check.residual)
    row = min(plane, n - 1)
    one_of = f", plane {row}" if n > 1 else ""
    flagged = tuple(index for index, reasons in enumerate(check.concerns) if reasons)
    residual, ringing, moved = (
        (float(values[row]), float(np.nanmedian(values)), float(np.nanmax(values)))
        for values in (check.residual, check.border_ringing, check.flux_moved)
    )
    title = f"{layer.name}{one_of}"
    return CheckTable(title, residual, ringing, moved, check.concerns[row], flagged, n)


def flagged_planes(blur: BlurEstimate | VolumeBlurEstimate) -> tuple[int, ...]:
    """Return the rows of a blur that have concerns."""
    return tuple(int(row) for row in np.flatnonzero(~blur.in_domain))


def _signs_are_known(blur: BlurEstimate | VolumeBlurEstimate, row: int) -> bool:
    """Tell whether the signs of the even modes are the true ones."""
    if isinstance(blur, BlurEstimate):
        return blur.twin_resolved
    concerns = blur.concerns[row] if blur.concerns else ()
    return all(concern.kind is not ConcernKind.TELLS_NOTHING for concern in concerns)


def _curves(estimated: Estimated) -> dict[str, NDArray[np.float32]]:
    """Name the numbers that all planes have; first the one that tells most of the PSF."""
    quality = estimated.quality
    if quality is None:
        return {}
    curves = quality.figures
    if estimated.field is not None:  # of a field the ratio is that of its centre alone
        del curves["Strehl ratio"]
    if not estimated.known:
        for name, values in zip(estimated.names, estimated.blur.coefficients.T, strict=True):
            curves[with_unit(name, estimated.unit)] = values
    return curves


def _n_beads(blur: BlurEstimate | VolumeBlurEstimate, row: int) -> int:
    """Tell from how many isolated beads a row was read."""
    return blur.n_beads[row] if isinstance(blur, BlurEstimate) and blur.n_beads else 0


def _others(estimated: Estimated, row: int) -> tuple[str, ...]:
    """Say the coefficients that are not in the unit of the others: lengths by λ / 4NA."""
    blur, n_modes = estimated.blur, estimated.n_modes
    if n_modes is None:
        return ()
    unit_um = blur.optics.wavelength_um / (4 * blur.optics.numerical_aperture)
    further = zip(
        estimated.names[n_modes:],
        unit_um * blur.coefficients[row][n_modes:],
        2 * unit_um * blur.std[row][n_modes:],
        strict=True,
    )
    return tuple(
        f"{name.removesuffix(' (λ/4NA)')}: {value:.2f} ± {error:.2f} µm"
        for name, value, error in further
    )


def _over_field(estimated: Estimated, row: int) -> OverField | None:
    if estimated.field is None:
        return None
    return OverField(*estimated.field.widths[row], estimated.field.grid.zoom)
