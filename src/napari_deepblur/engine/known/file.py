"""A known PSF within a blur file."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

from napari_deepblur.engine.card import Card, Name
from napari_deepblur.engine.known.psf import KnownKind, KnownPsf

__all__ = ["KnownPart"]


class KnownPart(Card):
    """Kind, name and eigen-PSFs of a known PSF; an ideal one needs none.

    Attributes
    ----------
    kind, name
        As of `KnownPsf`.
    family
        Its family file in base 64.
    """

    kind: KnownKind
    name: Name
    family: str | None = None

    @classmethod
    def of(cls, known: KnownPsf) -> KnownPart:
        """Pack a known PSF."""
        from napari_deepblur.operators import ProductConvolutionFamily
        from napari_deepblur.operators.family_file import family_bytes

        if not isinstance(known.family, ProductConvolutionFamily):
            return cls(kind=known.kind, name=known.name)
        packed = b64encode(family_bytes(known.family)).decode("ascii")
        return cls(kind=known.kind, name=known.name, family=packed)

    def unpacked(self) -> KnownPsf:
        """Unpack it.

        Raises
        ------
        ModelError
            If the family file in it is damaged.
        ValueError
            If what is there does not fit the kind.
        """
        from napari_deepblur.operators import ZernikeFamily
        from napari_deepblur.operators.family_file import unpack_family

        if (self.family is None) != (self.kind == "ideal"):
            raise ValueError(f"a known PSF of the kind {self.kind!r} has other parts")
        if self.family is None:
            return KnownPsf(self.kind, self.name, ZernikeFamily())
        try:
            packed = b64decode(self.family, validate=True)
        except NotBase64 as error:
            raise ValueError("the eigen-PSFs in it cannot be read") from error
        return KnownPsf(self.kind, self.name, unpack_family(packed, "the known PSF"))
