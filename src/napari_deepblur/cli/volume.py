"""Output of the commands about the 3-D blur of volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.cli.tables import coefficient_rows, coefficient_summary, table
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.halves import PlaneHalves

__all__ = ["SIGN_NOTE", "halves_lines", "halves_object", "volume_lines", "volume_object"]

#: Volumes that get a column each; of more there is a summary.
_MOST_COLUMNS = 4

_PLUS_MINUS_NOTE = (
    "± is twice the standard error, by the stack's own noise: a wrong NA, wavelength or voxel size "
    "is not in it"
)
SIGN_NOTE = "note: a z-stack tells the sign of all modes; defocus is where the sample lies"


def volume_lines(blur: VolumeBlurEstimate) -> list[str]:
    """Coefficients ± 2·std of each volume, or a summary of many."""
    estimated = blur.coefficient_names, blur.coefficients, blur.std
    if blur.n_volumes > _MOST_COLUMNS:
        head, rows = coefficient_summary(f"{blur.n_volumes} volumes", *estimated)
    else:
        one = blur.n_volumes == 1
        titles = ["waves (95 %)"] if one else [f"volume {n}" for n in range(blur.n_volumes)]
        head, rows = ["coefficient", *titles], coefficient_rows(*estimated)
    rms = ", ".join(f"{value:.3f}" for value in _rms_waves(blur))
    return [
        _voxel_line(blur),
        *table(head, rows),
        _PLUS_MINUS_NOTE,
        f"aberration: RMS {rms} waves",
        SIGN_NOTE,
    ]


def halves_lines(halves: PlaneHalves) -> list[str]:
    """Coefficients of the even and of the odd planes of each volume, and whether they agree."""
    lines = []
    for volume, agrees in enumerate(halves.agree):
        most = float(np.abs(halves.differences[volume]).max())
        rows = [
            [name, f"{even:+.3f}", f"{odd:+.3f}"]
            for name, even, odd in zip(
                halves.even.coefficient_names,
                halves.even.coefficients[volume],
                halves.odd.coefficients[volume],
                strict=True,
            )
        ]
        verdict = "they agree" if agrees else "they do not agree: do not rely on this blur"
        lines += table([f"volume {volume}", "even planes", "odd planes"], rows)
        lines.append(f"the halves differ by up to {most:.3f} waves: {verdict}")
    return lines


def halves_object(halves: PlaneHalves) -> dict[str, Any]:
    """Convert blurs of halves into a JSON object."""
    return {
        "even": halves.even.coefficients,
        "odd": halves.odd.coefficients,
        "agree": halves.agree.tolist(),
    }


def volume_object(blur: VolumeBlurEstimate) -> dict[str, Any]:
    """Convert a blur of volumes into a JSON object."""
    known = blur.stack_optics
    return {
        "optics": blur.optics.model_dump(),
        "cutoff": blur.optics.cutoff,
        "z_step_um": known.z_step_um,
        "light_sheet_fwhm_um": known.light_sheet_fwhm_um,
        "broadening_px": known.broadening_px,
        "per": "volume",
        "n_volumes": blur.n_volumes,
        "coefficient_names": blur.coefficient_names,
        "coefficients": blur.coefficients,
        "std": blur.std,
        "concerns": blur.concerns or [[]] * blur.n_volumes,
        "in_domain": blur.in_domain.tolist(),
        "rms_waves": _rms_waves(blur),
        "known": blur.known_as or None,
        "source": blur.source,
        "read_at_um": blur.read_at_um,
    }


def _voxel_line(blur: VolumeBlurEstimate) -> str:
    known = blur.stack_optics
    sheet = known.light_sheet_fwhm_um
    lit = "widefield" if sheet is None else f"light sheet of {sheet:g} µm"
    width = f"PSF broadened by {known.broadening_px:.2f} pixels"
    return f"z step {known.z_step_um:g} µm, {lit}, {width}"


def _rms_waves(blur: VolumeBlurEstimate) -> NDArray[np.float32]:
    """RMS of each wavefront: the modes are orthonormal."""
    return np.asarray(np.linalg.norm(blur.coefficients, axis=1))
