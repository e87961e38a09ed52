"""Description of a family of blurs that vary over the field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from napari_deepblur.engine.card import Sha256
from napari_deepblur.engine.families.base import FamilyCard
from napari_deepblur.engine.network_cards import FieldIdentificationCard, NetworkCard
from napari_deepblur.errors import ModelError
from napari_deepblur.untrusted import sha256_of

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily, ProductConvolutionFamily

__all__ = ["ProductConvolutionCard"]

_FILE = "family.npz"


class ProductConvolutionCard(FamilyCard):
    """Blurs that vary over the field: those of `family.npz`."""

    kind: Literal["product-convolution"] = "product-convolution"
    n_coefficients: Annotated[int, Field(ge=1, le=256)]
    n_eigen_psfs: Annotated[int, Field(ge=1, le=64)]
    sha256: Sha256
    varies: ClassVar[bool] = True
    identification_card: ClassVar[type[NetworkCard]] = FieldIdentificationCard

    def describe(self) -> str:
        """Describe the family in a few words."""
        return f"{self.kind}, P = {self.n_coefficients}, {self.n_eigen_psfs} eigen-PSFs"

    @classmethod
    def of(cls, family: OperatorFamily) -> ProductConvolutionCard:
        """Describe a family."""
        from napari_deepblur.operators import ProductConvolutionFamily
        from napari_deepblur.operators.family_file import family_bytes

        assert isinstance(family, ProductConvolutionFamily)
        return cls(
            n_coefficients=family.n_coefficients,
            n_eigen_psfs=len(family.eigen_psfs),
            sha256=sha256_of(family_bytes(family)),
        )

    def read(self, folder: Path) -> ProductConvolutionFamily:
        """Read the family at its canonical cutoff.

        Raises
        ------
        ModelError
            If the file is missing, damaged or not the one described.
        """
        from napari_deepblur.operators.family_file import read_family

        family = read_family(folder / _FILE, sha256=self.sha256)
        sizes = (family.n_coefficients, len(family.eigen_psfs))
        if sizes != (self.n_coefficients, self.n_eigen_psfs):
            raise ModelError(
                f"{folder / _FILE} has {sizes[0]} coefficients and {sizes[1]} eigen-PSFs, "
                f"model.json says {self.n_coefficients} and {self.n_eigen_psfs}"
            )
        return family

    def write(self, family: OperatorFamily, folder: Path) -> None:
        """Write `family.npz` into a folder without a model.

        Raises
        ------
        ModelError
            If there is one of another family.
        """
        from napari_deepblur.operators import ProductConvolutionFamily
        from napari_deepblur.operators.family_file import write_family

        assert isinstance(family, ProductConvolutionFamily)
        path = folder / _FILE
        if path.exists() and sha256_of(path.read_bytes()) != self.sha256:
            raise ModelError(
                f"{path} holds another family, or at other pixels: choose another folder"
            )
        write_family(path, family)
