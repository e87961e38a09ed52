"""What can be said of a bead, in colours and words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ADDED", "STATUSES", "USED", "BeadStatus"]

USED, ADDED = "used", "added by hand"


@dataclass(frozen=True, slots=True)
class BeadStatus:
    """How a status looks and what it means."""

    colour: str
    meaning: str


#: Every status of `find_beads` and the dock's own, in the order of the legend.
STATUSES = {
    USED: BeadStatus("#4cd964", "The calibration rests on these"),
    ADDED: BeadStatus("#40c8ff", "Points that you added or moved: “Calibrate” takes them too"),
    "unlike the others": BeadStatus(
        "#ffd60a",
        "Debris, doublets and clumps: they do not look as "
        "the beads around them do. Delete such a point and add a new one to use it all the same",
    ),
    "crowded": BeadStatus("#ff9500", "A neighbour's light reaches into the bead"),
    "border": BeadStatus("#9aa5b1", "Too near the image's border: the window does not fit"),
    "faint": BeadStatus("#7f7fd5", "Too little light"),
    "saturated": BeadStatus("#ff3b30", "Pixels at the camera's limit: the shape is cut off"),
    "hot pixel": BeadStatus("#ff4fd8", "Narrower than any blur: a pixel of the camera"),
    "repeated": BeadStatus("#c08457", "Another point is the same bead"),
}
