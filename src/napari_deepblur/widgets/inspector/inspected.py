"""Blurs and calibrations alike: the PSF of a plane at a place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.files import load_calibration
from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.blur_file import load_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.optics.settings import Optics

__all__ = ["Inspected", "Source", "open_task"]

Source = BlurEstimate | VolumeBlurEstimate | CalibrationResult


@dataclass(frozen=True, slots=True)
class Inspected:
    """Something that has a PSF.

    Attributes
    ----------
    name
        Name for people.
    source
        The blur or the calibration.
    layer
        Layer that it belongs to, if there is one.
    acquisition
        Number of the acquisition of a calibration.
    """

    name: str
    source: Source
    layer: Image | None = None
    acquisition: int = 0

    @property
    def optics(self) -> Optics | None:
        """Optics, where they are known."""
        return self.source.optics

    @property
    def pixel_size_um(self) -> float:
        """Side of a pixel of the PSF, µm."""
        if isinstance(self.source, CalibrationResult):
            return self.source.pixel_size_um
        return self.source.optics.pixel_size_um

    @property
    def z_step_um(self) -> float | None:
        """Distance between the planes of the PSF, µm; None in two dimensions."""
        if isinstance(self.source, VolumeBlurEstimate):
            return self.source.stack_optics.z_step_um
        return None

    @property
    def field_shape(self) -> tuple[int, int] | None:
        """(Y, X) of the field over which the PSF varies; None where it is the same everywhere."""
        if isinstance(self.source, BlurEstimate):
            return self.source.field_shape if self.source.varies else None
        if isinstance(self.source, CalibrationResult):
            return self.source.field_shape
        return None

    def psf(self, plane: int, position_yx: tuple[int, int] | None) -> NDArray[np.float32]:
        """Compute the PSF, shape (h, w), or (d, h, w) of a 3-D blur.

        Parameters
        ----------
        plane
            Number of the plane, or of the volume; the last one where there are fewer.
        position_yx
            Pixel of the field; by default its centre.
        """
        source = self.source
        if isinstance(source, CalibrationResult):
            return source.psf(position_yx, self.acquisition)
        if isinstance(source, VolumeBlurEstimate):
            return source.psf_3d(volume=min(plane, source.n_volumes - 1))
        return source.psf(min(plane, source.n_planes - 1), position_yx)


def open_task(path: Path) -> Job[Source]:
    """Read a blur file, or the folder of a calibration."""
    yield Progress(0, 0, "reading the file")
    return load_calibration(path) if path.is_dir() else load_blur(path)
