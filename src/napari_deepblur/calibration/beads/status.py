"""Status of a bead: whether it is used or why not, with its text and colour."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["BeadStatus"]


class BeadStatus(StrEnum):
    """Status of a bead, in the order in which legends list them.

    The dock gives `ADDED` to points of the user's; all others come from `find_beads`.
    """

    USED = "used"
    ADDED = "added by hand"
    UNLIKE = "unlike the others"
    CROWDED = "crowded"
    EDGE = "edge or line"
    NO_DATA = "no data"
    BORDER = "border"
    FAINT = "faint"
    SATURATED = "saturated"
    HOT_PIXEL = "hot pixel"
    REPEATED = "repeated"

    @property
    def colour(self) -> str:
        """Colour in the dock and in the report, such as ``#34a853``."""
        return _LOOKS[self].colour

    @property
    def meaning(self) -> str:
        """Explanation for the user, without a full stop."""
        return _LOOKS[self].meaning

    @property
    def advice(self) -> str:
        """Advice for the user where most beads have this status."""
        return _LOOKS[self].advice


class _Look(NamedTuple):
    colour: str
    meaning: str
    advice: str = ""


_LOOKS = {
    BeadStatus.USED: _Look("#34a853", "The calibration rests on these beads"),
    BeadStatus.ADDED: _Look(
        "#2f9fe0", "Points that you added or moved: “Calibrate” takes them too"
    ),
    BeadStatus.UNLIKE: _Look(
        "#e6b800",
        "Debris, doublets and clumps: they do not look as the beads around them do. Delete such "
        "a point and add a new one to use it all the same",
        "take an image of single beads of one kind",
    ),
    BeadStatus.CROWDED: _Look(
        "#ff9500",
        "A neighbour's light reaches into the bead",
        "dilute the beads, or give a smaller window",
    ),
    BeadStatus.EDGE: _Look(
        "#a2683f",
        "The light goes on to one side: an edge or a line, and no spot",
        "these are edges and lines and no beads: crop the image to where the beads are",
    ),
    BeadStatus.NO_DATA: _Look(
        "#5f6b76",
        "Pixels of the bead hold no data: cut off, masked, or in a faulty row or column",
        "crop the image to where it holds data",
    ),
    BeadStatus.BORDER: _Look(
        "#9aa5b1",
        "Too near the image's border: the window does not fit",
        "give a smaller window or take a larger field",
    ),
    BeadStatus.FAINT: _Look("#7f7fd5", "Too little light", "take the image with more light"),
    BeadStatus.SATURATED: _Look(
        "#ff3b30",
        "Pixels at the camera's limit: the shape is cut off",
        "take the image again with less light or a shorter exposure",
    ),
    BeadStatus.HOT_PIXEL: _Look(
        "#e754c4",
        "Narrower than any blur: a pixel of the camera",
        "these are single pixels of the camera and no beads",
    ),
    BeadStatus.REPEATED: _Look("#c08457", "Another point is the same bead", "give other positions"),
}
