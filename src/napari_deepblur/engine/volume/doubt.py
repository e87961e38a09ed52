"""Standard errors of a pupil that was read off a stack, and doubts about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.volume.detail import Detail
from napari_deepblur.engine.volume.stack_optics import StackOptics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.volume.identify import Probe

__all__ = ["concerns_of_stack", "standard_errors", "tells_nothing"]

#: Gain of the held-out likelihood over a wrong blur below which a stack tells nothing.
_LEAST_GAIN = 10.0

_FEW_PLANES = 5

#: Planes further apart than this many depths of field hardly see each other's sample.
_COARSE_STEP = 4.0

#: Fine detail of the first or last plane, by the sharpest, above which the focus may lie outside.
_FOCUS_OUTSIDE_ABOVE = 0.9

#: By which factor errors are larger than the curvature along the probe says, and what is added for
#: what the model leaves out, waves: so that 95 % of true coefficients lie within 2 std.
_INFLATION = 2.0
_FLOOR = 0.003


def standard_errors(curvature: Tensor, probe: Probe, prior_std: tuple[float, ...]) -> Tensor:
    """Compute the standard errors of γ, shape (P,).

    The curvature holds for a known sample. The unknown one takes up most of what a wrong γ
    changes; what is left of the curvature along the probe says how much.

    Parameters
    ----------
    curvature
        Fisher information in γ for a known sample, shape (P, P).
    probe
        What a wrong blur cost.
    prior_std
        Standard deviation of each coefficient before the stack was seen.
    """
    import torch

    prior = torch.tensor(prior_std)
    if tells_nothing(probe):
        return prior
    covariance = torch.linalg.inv(curvature * probe.share + prior.pow(-2).diag())
    error = (covariance.diag() * _INFLATION**2 + _FLOOR**2).sqrt()
    return torch.minimum(error, prior)


def tells_nothing(probe: Probe) -> bool:
    """Tell whether a wrong blur explains the stack as well as the one that was found."""
    return not probe.gain > _LEAST_GAIN  # also where it is no number


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
