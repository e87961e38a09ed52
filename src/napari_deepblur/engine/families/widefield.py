"""Description of a pupil broadened by a Gaussian."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from napari_deepblur.engine.families.zernike import PupilCard
from napari_deepblur.engine.network_cards import NetworkCard, PartialIdentificationCard

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily, WidefieldFamily

__all__ = ["WidefieldCard"]


class WidefieldCard(PupilCard):
    """A pupil with Zernike aberrations, broadened by a Gaussian, the same over the whole field."""

    kind: Literal["widefield"] = "widefield"
    largest_width: Annotated[float, Field(gt=0, le=10)]
    identification_card: ClassVar[type[NetworkCard]] = PartialIdentificationCard

    @property
    def n_coefficients(self) -> int:
        """Number of modes, and the width."""
        return len(self.noll_indices) + 1

    def describe(self) -> str:
        """Describe the family in a few words."""
        return f"{super().describe()}, broadened"

    @classmethod
    def of(cls, family: OperatorFamily) -> WidefieldCard:
        """Describe a family."""
        from napari_deepblur.operators import WidefieldFamily

        assert isinstance(family, WidefieldFamily)
        return cls(
            noll_indices=family.noll_indices,
            limit_waves=family.limit_waves,
            largest_width=family.largest_width,
        )

    def read(self, folder: Path) -> WidefieldFamily:  # noqa: ARG002 - it needs no file
        """Make the family at its canonical cutoff."""
        from napari_deepblur.operators import WidefieldFamily

        return WidefieldFamily(
            self.noll_indices, limit_waves=self.limit_waves, largest_width=self.largest_width
        )
