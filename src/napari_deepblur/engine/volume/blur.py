"""3-D blur of a z-stack: its pupil's coefficients, their errors, and the PSF."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat

from napari_deepblur.atomic import check_replaceable, replacing
from napari_deepblur.engine.card import Card, SourceName, single_precision
from napari_deepblur.engine.concerns import Concern, mostly_disowned
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.errors import ImageError, describe
from napari_deepblur.optics.settings import Optics
from napari_deepblur.untrusted import read_bounded

__all__ = ["VOLUME_FORMAT", "VolumeBlurEstimate", "load_volume_blur"]

VOLUME_FORMAT: Literal["napari-deepblur volume blur 1"] = "napari-deepblur volume blur 1"
_LARGEST_FILE = 64_000_000

#: Files may differ by rounding in what they say of the same voxels.
_SAME_SIZE = 0.001


class _VolumeBlurFile(Card):
    format: Literal["napari-deepblur volume blur 1"] = VOLUME_FORMAT
    optics: Optics
    z_step_um: PositiveFloat
    light_sheet_fwhm_um: PositiveFloat | None = None
    broadening_px: NonNegativeFloat
    noll_indices: tuple[int, ...]
    coefficients: list[list[float]]
    std: list[list[NonNegativeFloat]]
    concerns: tuple[tuple[str, ...], ...] = ()
    source: SourceName = ""
    read_at_um: PositiveFloat | None = None
    known_as: SourceName = ""


@dataclass(frozen=True)
class VolumeBlurEstimate:
    """Pupil of each volume of an image, and how far to trust it.

    Attributes
    ----------
    coefficients
        γ in waves RMS, float32, shape (n_volumes, P): one row per time point. A stack tells the
        sign of the even modes.
    std
        Standard error, same shape and unit: 95 % of the true coefficients lie within twice this.
    stack_optics
        Optics, z step and light sheet, and the modes of the pupil.
    concerns
        For each row, why the estimate may be wrong beyond `std`; empty where nothing is known
        against it.
    source
        Name of the image that it was read off, for people.
    read_at_um
        Wavelength of that image, µm, where the blur was brought to another one; else None.
    known_as
        What its PSF is, for people, where it was known and not estimated; else empty.
    """

    coefficients: NDArray[np.float32]
    std: NDArray[np.float32]
    stack_optics: StackOptics
    concerns: tuple[tuple[Concern, ...], ...] = ()
    source: str = ""
    read_at_um: float | None = None
    known_as: str = ""

    @property
    def per(self) -> Literal["volume"]:
        """Scope of a blur, as a request names it."""
        return "volume"

    @property
    def optics(self) -> Optics:
        """Optics of the image."""
        return self.stack_optics.optics

    @property
    def n_volumes(self) -> int:
        """Number of volumes that were estimated."""
        return len(self.coefficients)

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Names of the modes, such as ``Z11 spherical``."""
        return self.stack_optics.coefficient_names

    @property
    def in_domain(self) -> NDArray[np.bool_]:
        """True for each row without a concern, shape (n_volumes,)."""
        concerns = self.concerns or ((),) * self.n_volumes
        return np.array([not reasons for reasons in concerns], bool)

    @property
    def tells_nothing(self) -> bool:
        """True where most rows say of themselves that they are hardly more than a guess."""
        return mostly_disowned(self.concerns)

    def psf_3d(
        self, shape: tuple[int, int, int] = (31, 65, 65), volume: int = 0
    ) -> NDArray[np.float32]:
        """PSF at the image's own sampling, its centre in the middle, sum 1.

        Parameters
        ----------
        shape
            (Z, Y, X), odd.
        volume
            Number of the volume.

        Raises
        ------
        IndexError
            If there is no such volume.
        ValueError
            If a side is even.
        """
        if any(side < 1 or side % 2 == 0 for side in shape):
            raise ValueError(f"the PSF's sides must be odd, got {' × '.join(map(str, shape))}")
        import torch

        psf = self.stack_optics.psf(torch.from_numpy(self.row(volume)), shape)
        return np.asarray(psf.numpy(), np.float32)

    def row(self, volume: int) -> NDArray[np.float32]:
        """γ of one volume, shape (P,); a single row serves any volume.

        Raises
        ------
        IndexError
            If there is no such volume.
        """
        if self.n_volumes == 1:
            volume = 0
        if not 0 <= volume < self.n_volumes:
            raise IndexError(f"volume {volume} is not one of 0 … {self.n_volumes - 1}")
        row: NDArray[np.float32] = self.coefficients[volume]
        return row

    def only(self, volume: int) -> VolumeBlurEstimate:
        """Keep the blur of one volume, for all volumes of any image.

        Raises
        ------
        IndexError
            If there is no such volume.
        """
        kept = slice(0, 1) if self.n_volumes == 1 else slice(volume, volume + 1)
        return replace(
            self,
            coefficients=self.row(volume)[None],
            std=self.std[kept],
            concerns=self.concerns[kept],
        )

    def at(
        self,
        *,
        wavelength_um: float | None = None,
        pixel_size_um: float | None = None,
        z_step_um: float | None = None,
    ) -> VolumeBlurEstimate:
        """Bring the blur to another channel, or to other voxels, of the same objective.

        Lengths stay: at a longer wavelength the aberrations are fewer wavelengths.

        Parameters
        ----------
        wavelength_um
            Emission wavelength of the other image, µm; by default the same.
        pixel_size_um, z_step_um
            Sides of its voxels, µm; by default the same. Values that differ by rounding only are
            the same.

        Raises
        ------
        ValueError
            If the optics with such values are impossible, or the z step is none.
        """
        known, was = self.stack_optics, self.optics
        now = was.moved(wavelength_um, pixel_size_um, within=_SAME_SIZE)
        step_um = known.z_step_um if z_step_um is None else z_step_um
        if now == was and math.isclose(step_um, known.z_step_um, rel_tol=_SAME_SIZE):
            return self
        moved = replace(
            known,
            optics=now,
            z_step_um=step_um,
            broadening_px=known.broadening_px * was.pixel_size_um / now.pixel_size_um,
        )
        was_um, now_um = was.wavelength_um, now.wavelength_um
        share = np.float32(was_um / now_um)
        return replace(
            self,
            coefficients=self.coefficients * share,
            std=self.std * share,
            stack_optics=moved,
            read_at_um=self.read_at_um or (was_um if now_um != was_um else None),
        )

    def require_fit(self, n_volumes: int) -> None:
        """Check that the blur serves an image.

        Raises
        ------
        ImageError
            If each volume has its own blur and their numbers differ.
        """
        if self.n_volumes not in (1, n_volumes):
            raise ImageError(
                f"the blur was estimated for {self.n_volumes} volumes, the image has {n_volumes}: "
                "estimate it anew, or for a single volume"
            )

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write to a JSON file.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is false.
        """
        path = Path(path)
        check_replaceable(path, overwrite=overwrite)
        known = self.stack_optics
        content = _VolumeBlurFile(
            optics=known.optics,
            z_step_um=known.z_step_um,
            light_sheet_fwhm_um=known.light_sheet_fwhm_um,
            broadening_px=known.broadening_px,
            noll_indices=known.noll_indices,
            coefficients=np.asarray(self.coefficients, float).round(7).tolist(),
            std=np.asarray(self.std, float).round(7).tolist(),
            concerns=self.concerns,
            source=self.source,
            read_at_um=self.read_at_um,
            known_as=self.known_as,
        )
        with replacing(path) as aside:
            aside.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_volume_blur(path: str | Path) -> VolumeBlurEstimate:
    """Read a blur that `VolumeBlurEstimate.save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file.
    """
    try:
        content = _VolumeBlurFile.model_validate_json(read_bounded(Path(path), limit=_LARGEST_FILE))
        coefficients = single_precision(content.coefficients)
        std = single_precision(content.std)
    except ValueError as error:
        raise ValueError(f"{path} is not a blur file: {describe(error)}") from error
    expected = (len(coefficients), len(content.noll_indices))
    n_concerns = len(content.concerns)
    if not coefficients.shape == std.shape == expected or n_concerns not in (0, expected[0]):
        raise ValueError(f"{path} is damaged: its tables do not fit its modes and volumes")
    known = StackOptics(
        content.optics,
        content.z_step_um,
        content.light_sheet_fwhm_um,
        content.broadening_px,
        content.noll_indices,
    )
    concerns = tuple(tuple(map(Concern.read, reasons)) for reasons in content.concerns)
    return VolumeBlurEstimate(
        coefficients,
        std,
        known,
        concerns,
        content.source,
        content.read_at_um,
        content.known_as,
    )
