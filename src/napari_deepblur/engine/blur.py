"""The estimated blur of an image: coefficients, their errors, concerns, and the PSF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.atomic import check_replaceable
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.concerns import Concern, ConcernKind, mostly_disowned
from napari_deepblur.engine.known.psf import KnownPsf
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.field import to_field
from napari_deepblur.optics.settings import NOTHING_LEFT_ABOVE, Optics

if TYPE_CHECKING:
    import torch

    from napari_deepblur.operators import OperatorFamily
    from napari_deepblur.operators.fourier_blur import FourierBlur

__all__ = ["BlurEstimate", "Per", "Scope"]

Per = Literal["plane", "stack"]

#: What may be asked for: a blur of planes, or a 3-D one of each volume.
Scope = Literal["plane", "stack", "volume"]

#: Relative difference up to which the sides of two fields count as equal.
_SAME_FIELD = 0.01


@dataclass(frozen=True)
class BlurEstimate:
    """Blur coefficients of the planes of an image, and how far to trust them.

    Attributes
    ----------
    coefficients
        Coefficients γ, float32, shape (N, P); N is 1 where one blur serves all planes. Those of a
        pupil are in waves RMS; of γ and its twin (all even modes flipped: the same PSF) it is the
        one with γ₄ ≥ 0, unless `twin_resolved`. Those of a blur that varies over the field are
        dimensionless.
    std
        Standard errors, same shape and unit. For images like those of the training, 95 % of the
        true coefficients (or their twins) lie within twice this.
    optics
        Optics of the image.
    model
        Bundled name or folder of the model that read the blur; of a known PSF that whose
        deblurring network serves.
    per
        ``plane`` if each plane has its own blur, ``stack`` if one serves all.
    n_planes
        Number of planes of the image.
    concerns
        Reasons, for each row, why the estimate may be wrong by more than `std`.
    twin_resolved
        True if a focus series distinguished γ from its twin, so that γ₄ has its true sign.
    field_shape
        Shape (Y, X) of the image, to which positions in the field are relative. Needed where the
        blur varies over it.
    known
        The PSF, where it was known and not estimated.
    source
        Name of the image that it was read off, for people.
    read_at_um
        Wavelength of that image, µm, where the blur was brought to another one; else None.
    n_beads
        Number of isolated beads that each row was read from, 0 where it was read off the whole
        image; empty where all were.
    """

    coefficients: NDArray[np.float32]
    std: NDArray[np.float32]
    optics: Optics
    model: str
    per: Per = "plane"
    n_planes: int = 1
    concerns: tuple[tuple[Concern, ...], ...] = ()
    twin_resolved: bool = False
    field_shape: tuple[int, int] | None = None
    known: KnownPsf | None = None
    source: str = ""
    read_at_um: float | None = None
    n_beads: tuple[int, ...] = ()

    @property
    def in_domain(self) -> NDArray[np.bool_]:
        """True for rows without a concern, shape (N,)."""
        concerns = self.concerns or ((),) * len(self.coefficients)
        return np.array([not reasons for reasons in concerns], bool)

    @property
    def tells_nothing(self) -> bool:
        """True where most rows say of themselves that they are hardly more than a guess."""
        return mostly_disowned(self.concerns)

    @property
    def is_blank(self) -> NDArray[np.bool_]:
        """True for rows of blank planes, from which nothing was estimated, shape (N,)."""
        concerns = self.concerns or ((),) * len(self.coefficients)
        blank = [any(one.kind is ConcernKind.BLANK for one in reasons) for reasons in concerns]
        return np.array(blank, bool) & (self.per == "plane")

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Name of each coefficient."""
        return self._own_family.coefficient_names

    @property
    def eigen_psfs(self) -> NDArray[np.float32]:
        """Eigen-PSFs of the family at its own sampling, shape (K, h, w)."""
        if self.known is not None:
            return self.known.eigen_psfs
        eigen_psfs: NDArray[np.float32] = self.opened_model.identification.eigen_psfs.numpy()
        return eigen_psfs

    @property
    def varies(self) -> bool:
        """True if the PSF changes over the field."""
        return self.opened_model.varies if self.known is None else self.known.varies

    @property
    def coarsest_cutoff(self) -> float:
        """Largest cutoff at which such blurs are read, cycles per pixel."""
        return self.opened_model.coarsest_cutoff if self.known is None else NOTHING_LEFT_ABOVE

    def psf(
        self, plane: int = 0, position_yx: tuple[float, float] | None = None
    ) -> NDArray[np.float32]:
        """Compute the PSF at the sampling of the image, shape (h, w), sum 1.

        Parameters
        ----------
        plane
            Number of the plane, the last leading axis running fastest.
        position_yx
            Pixel in the field, by default its centre. Without meaning where the PSF is the
            same everywhere.

        Raises
        ------
        IndexError
            If there is no such plane.
        ValueError
            If the blur varies and does not know the shape of its field.
        """
        place = np.zeros((1, 2))
        if position_yx is not None and self.varies:
            if self.field_shape is None:
                raise ValueError("the blur does not say the shape of its field: estimate it anew")
            place = to_field([position_yx], self.field_shape)
        psf: NDArray[np.float32] = self.psf_field(plane, place)[0]
        return psf

    def psf_field(self, plane: int, field_yx: NDArray[np.floating]) -> NDArray[np.float32]:
        """Compute PSFs at places of the field, shape (M, h, w), each of sum 1.

        Parameters
        ----------
        plane
            Number of the plane.
        field_yx
            Normalised field coordinates, shape (M, 2): ±1 are the field's borders.
        """
        import torch

        places = torch.from_numpy(np.asarray(field_yx, np.float32))
        with torch.no_grad():
            psfs = self.family.psf_at(self.coefficients_of(plane), places)
        return np.asarray(psfs.numpy(), np.float32)

    @cached_property
    def family(self) -> OperatorFamily:
        """Family of the blurs at the sampling of the image."""
        return self._own_family.at_optics(self.optics)

    def coefficients_of(self, plane: int) -> torch.Tensor:
        """Get the coefficients γ of one plane, shape (P,).

        Raises
        ------
        IndexError
            If there is no such plane.
        """
        import torch

        return torch.from_numpy(self.coefficients[self.row_of(plane)])

    def tile_operator(
        self, plane: int, shape: tuple[int, int], region: NDArray[np.float32]
    ) -> FourierBlur:
        """Make the blur of a part of a plane, a batch of one.

        Parameters
        ----------
        plane
            Number of the plane.
        shape
            (Y, X) of the part.
        region
            Field coordinates (y, x) of its first and last corner, shape (2, 2).
        """
        import torch

        gamma = self.coefficients_of(plane)[None]
        with torch.no_grad():
            return self.family.tile_operator(gamma, shape, torch.from_numpy(region))

    def row_of(self, plane: int) -> int:
        """Get the number of the row of `coefficients`, `std` and `concerns` for a plane.

        Raises
        ------
        IndexError
            If there is no such plane.
        """
        if self.per == "stack":  # serves any other stack of this microscope too
            return 0
        if not 0 <= plane < self.n_planes:
            raise IndexError(f"plane {plane} is not one of 0 … {self.n_planes - 1}")
        return plane

    def require_fit(self, planes: Planes) -> None:
        """Check that the blur serves an image.

        Raises
        ------
        ImageError
            If each plane has its own blur and their numbers differ, or if the blur varies over
            a field of another shape.
        """
        n_planes = len(planes)
        if self.varies and self.field_shape not in (None, planes.plane_shape):
            raise ImageError(
                f"the blur varies over a field of {_sides(self.field_shape)} pixels, the image has "
                f"{_sides(planes.plane_shape)}: deblur the whole field, and crop afterwards"
            )
        if self.per == "plane" and self.n_planes != n_planes:
            raise ImageError(
                f"the blur was estimated for {self.n_planes} planes, the image has {n_planes}: "
                "estimate it anew, or once for the whole stack (per='stack')"
            )

    def only(self, plane: int) -> BlurEstimate:
        """Keep the blur of one plane, for all planes of any image.

        Raises
        ------
        IndexError
            If there is no such plane.
        """
        row = slice(self.row_of(plane), self.row_of(plane) + 1)
        return replace(
            self,
            coefficients=self.coefficients[row],
            std=self.std[row],
            concerns=self.concerns[row],
            n_beads=self.n_beads[row],
            per="stack",
            n_planes=1,
        )

    def for_planes(self, planes: Planes) -> BlurEstimate:
        """Use the blur for the planes of an image: one serves all, those of a stack each time.

        Raises
        ------
        ImageError
            If each plane has its own blur and their numbers differ, or if the blur varies over
            a field of another shape.
        """
        blur, n_planes = self, len(planes)
        n_times = n_planes // self.n_planes
        is_repeated = self.per == "plane" and planes.lead_shape[-1:] == (self.n_planes,)
        if self.n_planes == 1 and n_planes > 1:
            blur = replace(self, per="stack", n_planes=n_planes)
        elif is_repeated and n_times > 1:
            blur = replace(
                self,
                coefficients=np.tile(self.coefficients, (n_times, 1)),
                std=np.tile(self.std, (n_times, 1)),
                concerns=self.concerns * n_times,
                n_beads=self.n_beads * n_times,
                n_planes=n_planes,
            )
        blur.require_fit(planes)
        return blur

    def at(
        self,
        *,
        wavelength_um: float | None = None,
        pixel_size_um: float | None = None,
        plane_shape: tuple[int, int] | None = None,
    ) -> BlurEstimate:
        """Bring the blur to another channel, or to pixels of another size, of the same objective.

        Lengths stay: at a longer wavelength the aberrations and the extra blur are fewer
        wavelengths. Of a blur without a pupil the whole PSF becomes wider with the wavelength,
        but for a PSF image, which stays as it is.

        Parameters
        ----------
        wavelength_um
            Emission wavelength of the other image, µm; by default the same.
        pixel_size_um
            Side of its pixels, µm; by default the same. Values up to 1 % apart are the same.
        plane_shape
            (Y, X) of the image with these pixels; needed where the blur varies over the field,
            which must be the same field.

        Raises
        ------
        ImageError
            If the new pixels are too coarse or too fine, or the image shows another field.
        """
        optics = self.optics.moved(wavelength_um, pixel_size_um)
        if optics == self.optics:
            return self
        optics.require_resolved_blur(self.coarsest_cutoff)
        was_um, now_um = self.optics.wavelength_um, optics.wavelength_um
        share = np.float32(was_um / now_um if self._own_family.in_wavelengths else 1)
        return replace(
            self,
            coefficients=self.coefficients * share,
            std=self.std * share,
            optics=optics,
            field_shape=self._field_at(optics, plane_shape),
            read_at_um=self.read_at_um or (was_um if now_um != was_um else None),
        )

    def _field_at(self, optics: Optics, shape: tuple[int, int] | None) -> tuple[int, int] | None:
        """Shape of the field with the pixels of other optics, which an image must have."""
        size_um, was_um = optics.pixel_size_um, self.optics.pixel_size_um
        if self.field_shape is None or size_um == was_um:
            return self.field_shape
        sides = np.array(self.field_shape) * was_um / size_um
        if shape is None or not np.allclose(sides, shape, rtol=_SAME_FIELD):
            raise ImageError(
                f"the blur varies over a field of {_sides(self.field_shape)} pixels of "
                f"{was_um:g} µm, and {_sides(shape)} pixels of "
                f"{size_um:g} µm are another field: estimate it anew"
            )
        return shape

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write to a JSON file.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is false.
        """
        from napari_deepblur.engine.blur_file import write_blur

        path = Path(path)
        check_replaceable(path, overwrite=overwrite)
        write_blur(path, self)

    @property
    def opened_model(self) -> Model:
        """Model that estimated the blur.

        Raises
        ------
        ModelError
            If it is not there any more.
        """
        return load_model(self.model)

    @property
    def _own_family(self) -> OperatorFamily:
        """Family of the blurs at its own sampling."""
        return self.opened_model.family if self.known is None else self.known.family


def _sides(shape: tuple[int, int] | None) -> str:
    return "unknown" if shape is None else f"{shape[0]} × {shape[1]}"
