"""Description of a pupil with Zernike aberrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from napari_deepblur.engine.families.base import FamilyCard
from napari_deepblur.engine.network_cards import IdentificationCard, NetworkCard

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily, ZernikeFamily

__all__ = ["PupilCard", "ZernikeCard"]

#: From defocus to the tenth radial degree: piston and tilts blur nothing.
_Mode = Annotated[int, Field(ge=4, le=66)]


class PupilCard(FamilyCard):
    """A pupil with Zernike aberrations, of whatever kind."""

    kind: str
    noll_indices: Annotated[tuple[_Mode, ...], Field(min_length=1, max_length=32)]
    limit_waves: Annotated[float, Field(gt=0, le=2)]
    varies: ClassVar[bool] = False

    @field_validator("noll_indices")
    @classmethod
    def _each_once(cls, indices: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(indices)) < len(indices):
            raise ValueError(f"a mode stands twice among the Noll indices {indices}")
        return indices

    def describe(self) -> str:
        """Describe the family in a few words."""
        modes = ", ".join(map(str, self.noll_indices))
        return f"{self.kind}, Noll {modes}, ±{self.limit_waves:g}"


class ZernikeCard(PupilCard):
    """A pupil with Zernike aberrations, the same over the whole field."""

    kind: Literal["zernike"] = "zernike"
    identification_card: ClassVar[type[NetworkCard]] = IdentificationCard

    @property
    def n_coefficients(self) -> int:
        """Number of modes."""
        return len(self.noll_indices)

    @classmethod
    def of(cls, family: OperatorFamily) -> ZernikeCard:
        """Describe a family."""
        from napari_deepblur.operators import ZernikeFamily

        assert isinstance(family, ZernikeFamily)
        return cls(noll_indices=family.noll_indices, limit_waves=family.limit_waves)

    def read(self, folder: Path) -> ZernikeFamily:  # noqa: ARG002 - it needs no file
        """Make the family at its canonical cutoff."""
        from napari_deepblur.operators import ZernikeFamily

        return ZernikeFamily(self.noll_indices, limit_waves=self.limit_waves)
