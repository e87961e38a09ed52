"""View interface of the dock PSF inspector, and the values that it shows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.psf_figures import PsfFigures
from napari_deepblur.widgets.parts.psf_picture import Scaled
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["Comparison", "InspectorView", "ShownBlur"]


@dataclass(frozen=True, slots=True)
class ShownBlur:
    """The PSF of one blur at the place that is looked at.

    Attributes
    ----------
    name
        Name of the blur.
    psf
        The PSF and the size of its pixels.
    figures
        Its curves.
    width_um
        Width within which half of the light falls, µm, in the plane in focus.
    where
        Plane and place in words.
    cutoff_per_um
        Frequency at which the optics' transfer function ends, cycles per µm; None if not known.
    """

    name: str
    psf: Scaled
    figures: PsfFigures
    width_um: float
    where: str
    cutoff_per_um: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One blur, or two and their difference.

    Attributes
    ----------
    blurs
        The blurs that are chosen; none, one or two.
    difference
        Modulus of the difference of their PSFs, at the pixels of the first; None if there are
        not two, or only one of them has three dimensions.
    difference_db
        Energy of the difference by that of the first PSF, dB.
    refusal
        Reason why two blurs have no difference; empty where they have one.
    """

    blurs: tuple[ShownBlur, ...] = ()
    difference: Scaled | None = None
    difference_db: float = 0.0
    refusal: str = ""


class InspectorView(Protocol):
    """The dock, as the controller sees it."""

    def show_choices(
        self, choices: Sequence[tuple[str, Hashable]], chosen: Sequence[Hashable]
    ) -> None:
        """Offer blurs by name and value; the values of the first and the second are chosen."""

    def show_comparison(self, comparison: Comparison) -> None:
        """Show pictures and curves."""

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a file is read."""

    def show_progress(self, progress: Progress) -> None:
        """Show how far that is."""

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""
