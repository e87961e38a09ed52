"""The estimated blur of an image: coefficients, their errors, concerns, and the PSF."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt

from napari_deepblur.atomic import replacing
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.card import Card, Sha256
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.errors import ImageError, describe
from napari_deepblur.optics.field import to_field
from napari_deepblur.optics.settings import Optics
from napari_deepblur.untrusted import read_bounded

if TYPE_CHECKING:
    import torch

    from napari_deepblur.operators import OperatorFamily

__all__ = ["BlurEstimate", "Per", "load_blur"]

Per = Literal["plane", "stack"]

#: Relative difference up to which two pixel sizes, or the sides of two fields, count as equal.
_SAME_PIXEL = 0.01


#: Size of the largest blur file, bytes.
_LARGEST_FILE = 64_000_000

#: Distance from the admissible set that numbers rounded in a file may have.
_ROUNDING = 1e-4


class _BlurFile(Card):
    format: Literal["napari-deepblur blur 1"] = "napari-deepblur blur 1"
    model: str
    #: Digest of the model's family, which says what the coefficients mean. Older files lack it.
    family_sha256: Sha256 | None = None
    optics: Optics
    per: Per
    n_planes: PositiveInt
    coefficient_names: tuple[str, ...]
    coefficients: list[list[float]]
    std: list[list[NonNegativeFloat]]
    concerns: tuple[tuple[str, ...], ...] = ()
    twin_resolved: bool = False
    field_shape: tuple[PositiveInt, PositiveInt] | None = None


@dataclass(frozen=True)
class BlurEstimate:
    """Blur coefficients of an image's planes, and how far to trust them.

    Attributes
    ----------
    coefficients
        γ, float32, shape (N, P); N is 1 where one blur serves all planes. Of a pupil in waves
        RMS, and of γ and its twin (all even modes flipped: the same PSF) the one with γ₄ ≥ 0,
        unless `twin_resolved`. Of a blur that varies over the field dimensionless.
    std
        Standard error, same shape and unit: of images like those of the model's training,
        95 % of the true coefficients (or their twins) lie within twice this.
    optics
        Of the image.
    model
        Bundled name or folder of the model that read the blur.
    per
        Whether each plane has its own blur.
    n_planes
        Number of planes of the image.
    concerns
        For each row, why the estimate may be wrong beyond `std`; empty where nothing is known
        against it.
    twin_resolved
        Whether a focus series told γ from its twin, so that γ₄ has its true sign.
    field_shape
        (Y, X) of the image: what positions in the field are relative to. Needed where the blur
        varies over it.
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

    @property
    def in_domain(self) -> NDArray[np.bool_]:
        """Whether nothing is known against each row, shape (N,)."""
        concerns = self.concerns or ((),) * len(self.coefficients)
        return np.array([not reasons for reasons in concerns], bool)

    @property
    def is_blank(self) -> NDArray[np.bool_]:
        """Whether each row is that of a blank plane, off which nothing was read, shape (N,)."""
        concerns = self.concerns or ((),) * len(self.coefficients)
        blank = [any(one.kind is ConcernKind.BLANK for one in reasons) for reasons in concerns]
        return np.array(blank, bool) & (self.per == "plane")

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """What each coefficient is."""
        return self._model.family.coefficient_names

    @property
    def eigen_psfs(self) -> NDArray[np.float32]:
        """Eigen-PSFs of the model's family at its canonical sampling, shape (K, h, w)."""
        eigen_psfs: NDArray[np.float32] = self._model.identification.eigen_psfs.numpy()
        return eigen_psfs

    @property
    def varies(self) -> bool:
        """Whether the PSF changes over the field."""
        return self._model.varies

    def psf(
        self, plane: int = 0, position_yx: tuple[float, float] | None = None
    ) -> NDArray[np.float32]:
        """PSF at the image's own sampling, shape (h, w), sum 1.

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
        """PSFs at places of the field, shape (M, h, w), each of sum 1.

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
        """The family at the image's own sampling."""
        return self._model.family.at_optics(self.optics)

    def coefficients_of(self, plane: int) -> torch.Tensor:
        """γ of one plane, shape (P,).

        Raises
        ------
        IndexError
            If there is no such plane.
        """
        import torch

        return torch.from_numpy(self.coefficients[self.row_of(plane)])

    def row_of(self, plane: int) -> int:
        """Row of `coefficients`, `std` and `concerns` that belongs to a plane.

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

    def at_pixel_size(
        self, pixel_size_um: float, plane_shape: tuple[int, int] | None = None
    ) -> BlurEstimate:
        """Bring the blur to pixels of another size, through its optics.

        The coefficients are physical, so they stay, and the PSF is computed at the new pixels.

        Parameters
        ----------
        pixel_size_um
            Side of the new pixels, µm. Up to a difference of 1 % the blur is returned as it is.
        plane_shape
            (Y, X) of the image with these pixels; needed where the blur varies over the field,
            which must be the same field.

        Raises
        ------
        ImageError
            If the new pixels are too coarse or too fine, or the image shows another field.
        """
        if math.isclose(pixel_size_um, self.optics.pixel_size_um, rel_tol=_SAME_PIXEL):
            return self
        optics = Optics.model_validate(self.optics.model_dump() | {"pixel_size_um": pixel_size_um})
        optics.require_resolved_blur()
        if self.field_shape is None:
            return replace(self, optics=optics)
        zoom = self.optics.pixel_size_um / pixel_size_um
        sides = np.array(self.field_shape) * zoom
        if plane_shape is None or not np.allclose(sides, plane_shape, rtol=_SAME_PIXEL):
            raise ImageError(
                f"the blur varies over a field of {_sides(self.field_shape)} pixels of "
                f"{self.optics.pixel_size_um:g} µm, and {_sides(plane_shape)} pixels of "
                f"{pixel_size_um:g} µm are another field: estimate it anew"
            )
        return replace(self, optics=optics, field_shape=plane_shape)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write to a JSON file.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is false.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists: choose another name or ask to overwrite it")
        content = _BlurFile(
            model=self.model,
            family_sha256=self._model.card.family.digest,
            optics=self.optics,
            per=self.per,
            n_planes=self.n_planes,
            coefficient_names=self.coefficient_names,
            coefficients=np.asarray(self.coefficients, float).round(7).tolist(),
            std=np.asarray(self.std, float).round(7).tolist(),
            concerns=self.concerns,
            twin_resolved=self.twin_resolved,
            field_shape=self.field_shape,
        )
        with replacing(path) as aside:
            aside.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @property
    def _model(self) -> Model:
        return load_model(self.model)


def _sides(shape: tuple[int, int] | None) -> str:
    return "unknown" if shape is None else f"{shape[0]} × {shape[1]}"


def load_blur(path: str | Path) -> BlurEstimate:
    """Read a blur that `BlurEstimate.save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, or does not fit the model that it names.
    ModelError
        If that model is not there.
    """
    try:
        content = _BlurFile.model_validate_json(read_bounded(Path(path), limit=_LARGEST_FILE))
        coefficients = np.array(content.coefficients, np.float32)
        std = np.array(content.std, np.float32)
    except ValueError as error:  # also of pydantic, and of ragged tables
        raise ValueError(f"{path} is not a blur file: {describe(error)}") from error
    n_rows = content.n_planes if content.per == "plane" else 1
    tables_fit = coefficients.shape == std.shape == (n_rows, len(content.coefficient_names))
    if not tables_fit or len(content.concerns) not in (0, n_rows):
        raise ValueError(f"{path} is damaged: its tables do not fit its planes and names")
    _check_model(content, coefficients, path)
    return BlurEstimate(
        coefficients=coefficients,
        std=std,
        optics=content.optics,
        model=content.model,
        per=content.per,
        n_planes=content.n_planes,
        concerns=tuple(tuple(map(Concern.read, reasons)) for reasons in content.concerns),
        twin_resolved=content.twin_resolved,
        field_shape=content.field_shape,
    )


def _check_model(content: _BlurFile, coefficients: NDArray[np.float32], path: str | Path) -> None:
    """Check that the coefficients of a file are some of its model's family."""
    import torch

    model = load_model(content.model)
    if content.family_sha256 not in (None, model.card.family.digest):
        raise ValueError(
            f"{path} was made with another model of the name {content.model!r}, whose "
            "coefficients mean something else: estimate the blur anew"
        )
    if content.coefficient_names != model.family.coefficient_names:
        raise ValueError(
            f"{path} does not fit model {content.model!r}: it has the coefficients "
            f"{', '.join(content.coefficient_names)}, the model "
            f"{', '.join(model.family.coefficient_names)}"
        )
    possible = model.family.admissible_set
    gamma = possible.fold(torch.from_numpy(coefficients))
    if not bool(possible.contains(gamma, tolerance=_ROUNDING).all()):
        raise ValueError(
            f"{path} is damaged: it holds coefficients that no blur of model {content.model!r} has"
        )
