"""Standard errors of a pupil that was read off a stack, and doubts about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.volume.detail import Detail
from napari_deepblur.engine.volume.stack_optics import StackOptics

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["concerns_of_stack", "standard_errors", "tells_nothing"]

#: A stack tells nothing where more is left of a wrong start, waves RMS.
_MOST_LEFT = 0.012

_FEW_PLANES = 5

#: Planes further apart than this many depths of field hardly see each other's sample.
_COARSE_STEP = 4.0

#: Fine detail of the first or last plane, by the sharpest, above which the focus may lie outside.
_FOCUS_OUTSIDE_ABOVE = 0.9

#: Errors by what is left of a wrong start, and what the model leaves out, waves: so that 95 % of
#: true coefficients lie within 2 std.
_BY_LEFT, _FLOOR = 3.0, 0.003


def standard_errors(left: Tensor, prior_std: tuple[float, ...]) -> Tensor:
    """Compute the standard errors of γ, shape (P,).

    What they are was measured: noise matters less than how slowly γ is found, and light that comes
    from outside the stack, and both show in what is left of a wrong start.

    Parameters
    ----------
    left
        Of a wrong start, waves, shape (P,).
    prior_std
        Standard deviation of each coefficient before the stack was seen.
    """
    import torch

    prior = torch.tensor(prior_std)
    size = float(left.square().mean().sqrt()) * (prior / prior.max()).sqrt()
    return torch.minimum((_FLOOR**2 + (_BY_LEFT * size) ** 2).sqrt(), prior)


def tells_nothing(left: Tensor) -> bool:
    """Tell whether what is found depends on where one begins."""
    return not float(left.square().mean().sqrt()) <= _MOST_LEFT  # also where it is no number


def concerns_of_stack(detail: Detail, known: StackOptics) -> list[Concern]:
    """List what speaks against a stack before its blur is estimated."""
    concerns = []
    n_planes = len(detail.by_plane)
    if n_planes < _FEW_PLANES:
        concerns.append(Concern.of(ConcernKind.FEW_PLANES, n=n_planes))
    depths = known.z_step_um / known.depth_of_field_um
    if depths > _COARSE_STEP:
        concerns.append(
            Concern.of(
                ConcernKind.COARSE_STEP,
                step=known.z_step_um,
                depth=known.depth_of_field_um,
                times=depths,
            )
        )
    if detail.is_saturated:
        concerns.append(Concern.of(ConcernKind.SATURATED, share=detail.saturated))
    if _focus_outside(detail.by_plane):
        concerns.append(Concern.of(ConcernKind.FOCUS_OUTSIDE))
    return concerns


def _focus_outside(by_plane: np.ndarray) -> bool:
    """Tell whether fine detail still grows where the stack ends."""
    n_planes = len(by_plane)
    if n_planes < _FEW_PLANES or by_plane.max() < 4 * np.median(by_plane):
        return False
    sharpest = int(by_plane.argmax())
    return sharpest in (0, n_planes - 1)
