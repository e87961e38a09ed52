"""Reasons to doubt a result: their kinds, and the words in which the user reads them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from enum import StrEnum
from itertools import chain
from typing import Any, Self

__all__ = ["Concern", "ConcernKind", "gravest", "mostly_disowned", "one_of_each_kind"]


class ConcernKind(StrEnum):
    """Kind of a reason to doubt a result; the value begins its text."""

    # The image
    BLANK = "blank"
    EMPTY_AREA = "no data"
    UNDERSAMPLED = "undersampled"
    SATURATED = "saturated"
    NEARLY_EMPTY = "nearly empty"
    BEYOND_OTF = "detail beyond the OTF"
    # The estimate
    UNLIKE = "unlike the model's blurs"
    NO_DETAIL = "hardly any detail above the noise"
    GUESS = "little better than a guess"
    PSF_TOO_WIDE = "PSF far wider than the diffraction limit"
    SHARED_LIGHT = "light of other planes"
    FAR_OPTICS = "far from the model's optics"
    # The estimate of a volume
    FEW_PLANES = "few planes"
    COARSE_STEP = "planes far apart"
    FOCUS_OUTSIDE = "focus outside the stack"
    TELLS_NOTHING = "the stack does not tell its blur"
    NOT_A_BEAD = "unlike one bead"
    # The deblurred image
    NOT_EXPLAINED = "not explained"
    BORDER_RINGING = "ringing at the border"
    UNSUPPORTED = "detail without evidence"
    OUTSIDE_TRAINING = "outside the network's range"
    DOUBTED_BLUR = "made with a doubted blur"
    # Text of a file of another version
    OTHER = "other"


#: What is wrong, with the numbers.
_DETAILS = {
    ConcernKind.EMPTY_AREA: "{share:.2%} of the pixels have one exact value that is no part of the "
    "picture, or NaN; they are left out and stay as they are",
    ConcernKind.BLANK: "all pixels {which} are equal, so there is no blur to read; deblurring "
    "leaves it as it is",
    ConcernKind.SATURATED: "{share:.1%} of the pixels have the highest value",
    ConcernKind.NEARLY_EMPTY: "a few spots hold nearly all of the light; of single beads the "
    "network reads the blur badly (a bead's image is its PSF)",
    ConcernKind.BEYOND_OTF: "the image holds more than noise where these optics pass nothing; an "
    "optical value is wrong, or the image was processed before",
    ConcernKind.UNLIKE: "stronger, or of another kind, than it was trained for",
    ConcernKind.NO_DETAIL: "the image says little about its blur",
    ConcernKind.GUESS: "the standard errors are as large as coefficients of the model commonly are",
    ConcernKind.PSF_TOO_WIDE: "half of a point's light falls within {width:.2f} µm{where}, "
    "{ratio:.1f} times λ / 2NA = {limit:.2g} µm",
    ConcernKind.SHARED_LIGHT: "the stack is {depth:.3g} µm deep, {times:.0f} times the depth of "
    "field, {field:.2g} µm, and each plane holds nearly as much light as the others; a PSF that is "
    "read off one plane takes the light of the others for blur, unless the sample is thin",
    ConcernKind.FAR_OPTICS: "it was made for NA {aperture:g} in a medium of n = {index:.3g} at "
    "{wavelength:g} µm; here planes go out of focus {times:.1f} times as {how}, so what it reads "
    "means little",
    ConcernKind.FEW_PLANES: "{n} planes tell little of how light spreads along z",
    ConcernKind.COARSE_STEP: "the z step, {step:g} µm, is {times:.1f} times the depth of field, "
    "{depth:.2g} µm; planes hardly share light, so expect little more than plane by plane",
    ConcernKind.FOCUS_OUTSIDE: "the first or last plane is the sharpest, so the sample's focus may "
    "lie outside",
    ConcernKind.TELLS_NOTHING: "a wrong PSF explains it as well as the best one, as with few "
    "photons, few planes, or a dense sample in a thin light sheet; the coefficients are what the "
    "network reads off the sharpest plane, with the sign of the even modes unknown",
    ConcernKind.NOT_A_BEAD: "{share:.0%} of its energy is not explained by the PSF of a point",
    ConcernKind.NOT_EXPLAINED: "blurred again, the deblurred image misses the observed one by "
    "{residual:.1f} times the noise; the blur may be too strong or of another kind, or pixels are "
    "saturated",
    ConcernKind.OUTSIDE_TRAINING: "cutoff {cutoff:.2f} cycles/pixel lies outside the range "
    "{low:g} … {high:g} that the deblurring network was trained for",
    ConcernKind.DOUBTED_BLUR: "something speaks against the estimate of the blur that was taken "
    "out; what is said there holds for the deblurred image, too",
    ConcernKind.UNSUPPORTED: "where the observed image shows nothing above its noise, the "
    "deblurred one has detail of up to {unsupported:.1f} times that noise",
    ConcernKind.BORDER_RINGING: "fine detail grew {ringing:.1f} times as much there as inside",
}

#: What to do next, in so few words that a narrow dock shows them in two lines.
_ADVICE = {
    ConcernKind.BLANK: "leave this plane as it is, or cut it off",
    ConcernKind.EMPTY_AREA: "crop the image where that is much of it",
    ConcernKind.UNDERSAMPLED: "take smaller pixels, or trust fine detail less",
    ConcernKind.SATURATED: "take the image with less light",
    ConcernKind.NEARLY_EMPTY: "crop to the sample, or take beads as PSF image",
    ConcernKind.BEYOND_OTF: "check NA, wavelength, pixel size; use raw data",
    ConcernKind.UNLIKE: "take the ideal PSF unless this one looks right",
    ConcernKind.NO_DETAIL: "take the ideal PSF, or a brighter image",
    ConcernKind.GUESS: "take the ideal PSF, or one blur per stack",
    ConcernKind.PSF_TOO_WIDE: "check NA, wavelength, pixel size and the model",
    ConcernKind.SHARED_LIGHT: "take one 3-D blur of the stack",
    ConcernKind.FAR_OPTICS: "choose another model, or take the ideal PSF",
    ConcernKind.FEW_PLANES: "take 5 planes or more, or one blur per plane",
    ConcernKind.COARSE_STEP: "check the z step, or take one blur per plane",
    ConcernKind.FOCUS_OUTSIDE: "take the stack through the whole sample",
    ConcernKind.TELLS_NOTHING: "take the ideal PSF, or a brighter stack",
    ConcernKind.NOT_A_BEAD: "check optics and z step; crop to one small bead",
    ConcernKind.NOT_EXPLAINED: "ask for the residual, and see what is left over",
    ConcernKind.BORDER_RINGING: "do not interpret what is near the border",
    ConcernKind.UNSUPPORTED: "do not interpret specks and granules",
    ConcernKind.OUTSIDE_TRAINING: "compare fine detail with the observed image",
    ConcernKind.DOUBTED_BLUR: "see what speaks against the PSF",
}

#: With these an estimate says of itself that it is hardly more than a guess.
_DISOWNING = {
    ConcernKind.NO_DETAIL,
    ConcernKind.GUESS,
    ConcernKind.FAR_OPTICS,
    ConcernKind.TELLS_NOTHING,
}


class Concern(str):
    """A reason to doubt a result: its text, without a full stop, which knows its kind."""

    kind: ConcernKind

    def __new__(cls, kind: ConcernKind, text: str) -> Self:
        """Make a concern of a kind, in words for the user."""
        concern = super().__new__(cls, text)
        concern.kind = kind
        return concern

    def __getnewargs__(self) -> tuple[ConcernKind, str]:  # type: ignore[override]
        return self.kind, str(self)

    @classmethod
    def of(cls, kind: ConcernKind, **values: Any) -> Self:
        """Concern of a kind, with the numbers that its text names."""
        return cls(kind, f"{kind}: {_DETAILS[kind].format(**values)}")

    @classmethod
    def read(cls, text: str) -> Self:
        """Concern whose text was written to a file."""
        kinds = (kind for kind in ConcernKind if text.startswith(f"{kind}:"))
        return cls(next(kinds, ConcernKind.OTHER), text)

    @property
    def advice(self) -> str:
        """Advice in a few words without a full stop; empty where none is known."""
        return _ADVICE.get(self.kind, "")

    @property
    def group(self) -> Hashable:
        """Equal for concerns of one kind, whose numbers may differ from plane to plane."""
        return str(self) if self.kind is ConcernKind.OTHER else self.kind


def mostly_disowned(concerns: Sequence[Iterable[Concern]]) -> bool:
    """Tell whether more than half of the estimates say that they are hardly more than a guess.

    Parameters
    ----------
    concerns
        Of each estimate.
    """
    disowned = [any(concern.kind in _DISOWNING for concern in reasons) for reasons in concerns]
    return 2 * sum(disowned) > len(disowned)


def gravest(concerns: Sequence[Concern]) -> Concern:
    """Pick the concern whose advice comes first: that an estimate is a guess, or else the first.

    Parameters
    ----------
    concerns
        One at least.
    """
    return next((one for one in concerns if one.kind in _DISOWNING), concerns[0])


def one_of_each_kind(concerns: Iterable[Iterable[Concern]]) -> tuple[Concern, ...]:
    """First concern of each kind, e.g. of planes that were read together."""
    found: dict[Hashable, Concern] = {}
    for concern in chain.from_iterable(concerns):
        found.setdefault(concern.group, concern)
    return tuple(found.values())
