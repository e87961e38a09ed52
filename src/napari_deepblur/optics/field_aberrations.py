"""A simulated widefield microscope whose aberrations change over the field.

Off the axis an objective adds field curvature (defocus) and astigmatism that grow with the
square of the distance, and coma that grows with the distance; a tilted specimen adds defocus
along one direction; a misaligned objective shifts the axis from which distances count.

Source: R. V. Shack & K. Thompson, "Influence of alignment errors of a telescope system on its
aberration field", Proc. SPIE 251 (1980).
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict
from torch import Generator, Tensor

from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import Optics

__all__ = ["FieldVaryingMicroscope"]

Range = tuple[float, float]

_MODES = (4, 5, 6, 7, 8, 9, 10, 11)


class FieldVaryingMicroscope(BaseModel):
    """A widefield microscope of which only ranges of the adjustments are known.

    Attributes
    ----------
    optics
        Optics; by default a 60× / 1.2 water-immersion objective on a camera of 6.5 µm pixels.
    field_um
        Side of the field, µm: 2048 pixels.
    window
        Side of the PSFs, pixels.
    axis
        Place where the optical axis meets the field, in half fields from the centre.
    curvature_waves, astigmatism_waves
        Defocus (Noll 4) and astigmatism (5, 6) at the middle of a border, waves RMS.
    coma_waves
        Coma (7, 8) at the middle of a border, waves RMS.
    tilt_waves
        Defocus of a tilted specimen at the middle of a border, waves RMS.
    aberration_waves
        Part of each mode that is the same over the field, waves RMS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optics: Optics = Optics(
        numerical_aperture=1.2, wavelength_um=0.52, pixel_size_um=6.5 / 60, refractive_index=1.333
    )
    field_um: float = 222.0
    window: int = 31
    axis: Range = (-0.4, 0.4)
    curvature_waves: Range = (0.0, 0.08)
    astigmatism_waves: Range = (-0.06, 0.06)
    coma_waves: Range = (-0.07, 0.07)
    tilt_waves: Range = (-0.08, 0.08)
    aberration_waves: Range = (-0.05, 0.05)

    @property
    def pixel_area(self) -> bool:
        """False: its PSFs are those of points."""
        return False

    def draw(self, n: int, *, seed: int) -> dict[str, Tensor]:
        """Draw the adjustments of n microscopes, uniform in their ranges: (n,) by name."""
        generator = Generator().manual_seed(seed)
        ranges: dict[str, Range] = {
            "axis_y": self.axis,
            "axis_x": self.axis,
            "curvature": self.curvature_waves,
            "astigmatism": self.astigmatism_waves,
            "coma": self.coma_waves,
            "tilt_y": self.tilt_waves,
            "tilt_x": self.tilt_waves,
        } | {f"Z{mode}": self.aberration_waves for mode in _MODES}
        return {
            name: low + (high - low) * torch.rand(n, generator=generator)
            for name, (low, high) in ranges.items()
        }

    @torch.no_grad()
    def psfs(self, state: dict[str, Tensor], field_yx: Tensor) -> Tensor:
        """Compute the PSFs of one adjustment at field coordinates (M, 2): (M, h, w), sum 1."""
        y, x = field_yx.unbind(-1)
        away_y, away_x = y - state["axis_y"], x - state["axis_x"]
        square = away_y.square() + away_x.square()
        gamma = torch.stack([state[f"Z{mode}"].expand_as(y) for mode in _MODES], -1).clone()
        gamma[:, 0] += state["curvature"] * square + state["tilt_y"] * y + state["tilt_x"] * x
        # Noll 5 is the oblique astigmatism, 6 the vertical one; 7 is coma along y, 8 along x.
        gamma[:, 1] += state["astigmatism"] * 2 * away_x * away_y
        gamma[:, 2] += state["astigmatism"] * (away_x.square() - away_y.square())
        gamma[:, 3] += state["coma"] * away_y
        gamma[:, 4] += state["coma"] * away_x
        pupil = Pupil(_MODES, cutoff=self.optics.cutoff, window=self.window)
        return pupil.psf(gamma)
