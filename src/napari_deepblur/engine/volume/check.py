"""Check of volumes that are deblurred in 3-D: numbers that need no truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.destination import GrowingImage, destination
from napari_deepblur.engine.diagnostics import (
    CHECKING,
    CheckedPlane,
    DeblurringCheck,
    check_of,
    check_plane_job,
    unknown_plane,
)
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.forward_fit import ForwardFit, inside_and_border
from napari_deepblur.engine.noise import noise_model
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.engine.volume.stacks import Stacks

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.deblur import VolumeResult

__all__ = ["VolumeChecks"]

#: Residual that is a concern; that of a right blur can reach 1.6 where bright points are.
_UNEXPLAINED_ABOVE = 1.8

#: Width of the border, in units of 1 / cutoff: half the window of the PSFs of planes.
_BORDER = 3.75


class VolumeChecks:
    """Checks of the volumes of an image, made one by one as they are deblurred.

    The light outside the stack and the background are those that the deblurring found, so a
    residual of about 1 says that sample, light and background together are the stack up to its
    noise. Whether a detail has evidence is not told: it may lie in other planes.

    Parameters
    ----------
    image
        Observed, counts, shape (Z, Y, X) or (T, Z, Y, X).
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    cutoff
        f_c of the optics, cycles per pixel.
    residual
        Whether to keep what is not explained, by the noise.
    residual_into
        Image that grows, for the residual; by default an array.

    Attributes
    ----------
    residual
        (y - μ) / σ, shape of the image; or that file, or None.
    """

    def __init__(
        self,
        image: Any,
        axes: str | None,
        cutoff: float,
        *,
        residual: bool = False,
        residual_into: GrowingImage | None = None,
    ) -> None:
        self._stacks = Stacks.of(image, axes)
        self._cutoff = cutoff
        self._checked: dict[int, CheckedPlane] = {}
        self.residual = destination(self._stacks.planes, residual_into)[0] if residual else None

    def volume_job(self, result: VolumeResult) -> Job[None]:
        """Check the planes of a volume; yields between the steps of work on a plane."""
        stacks = self._stacks
        for z in range(stacks.n_planes):
            index = result.number * stacks.n_planes + z
            fit = VolumeFit.of_plane(stacks.plane(result.number, z), result, z, self._cutoff)
            at = Progress(z, stacks.n_planes, CHECKING)
            self._checked[index] = yield from check_plane_job(fit, at)
            if self.residual is not None:
                place = stacks.planes.position(index)
                blank = np.zeros(stacks.planes.plane_shape, np.float32)
                self.residual[place] = blank if fit is None else fit.deviations

    def check(self) -> DeblurringCheck | None:
        """Collect what was found; planes of volumes that were not deblurred now have NaN."""
        if not self._checked:
            return None
        planes = range(len(self._stacks.planes))
        return check_of([self._checked.get(index, unknown_plane()) for index in planes])


class VolumeFit(ForwardFit):
    """One plane of a volume, whose light may have gone to other planes."""

    @classmethod
    def of_plane(
        cls, image: NDArray[np.float32], result: VolumeResult, z: int, cutoff: float
    ) -> Self | None:
        """Compare a plane, observed without hot pixels, with the result; None if it is blank."""
        if result.expected is None or image.min() == image.max():
            return None
        noise = noise_model(image, cutoff)
        width = round(_BORDER / cutoff)
        inside, border = inside_and_border(ValidPlane(image), [width, width])
        return cls(
            image,
            result.sharp[z],
            result.expected[z],
            noise.deviation,
            noise.map(image, cutoff),
            inside,
            border,
            cutoff,
        )

    def concerns(self, found: Mapping[str, float]) -> tuple[Concern, ...]:
        """Concerns about the deblurred plane; how far its border rings is told, but no concern.

        Planes that hold next to nothing have ringing of 5 without an error.
        """
        highest = max(found["residual"], found["residual_of_bright"])
        if highest <= _UNEXPLAINED_ABOVE:
            return ()
        return (Concern.of(ConcernKind.NOT_EXPLAINED, residual=highest),)

    def unsupported(self) -> float:
        """Tell nothing: the evidence of a detail may lie in other planes."""
        return float("nan")

    def flux_moved(self) -> float:
        """Share of the light that lies elsewhere in x̂ than in A x̂, or in another plane."""
        dark = min(self.sharp.min(), self.reblurred.min())
        light = max(float((plane - dark).mean()) for plane in (self.sharp, self.reblurred))
        moved = float(np.abs(self.sharp - self.reblurred).mean()) / 2
        return moved / light if light > 0 else 0.0
