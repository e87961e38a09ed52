"""View interface of the dock Deep-Blur, and the values that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.concerns import Concern
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.engine.psf_field import PsfWidth
from napari_deepblur.engine.psf_quality import PsfQuality
from napari_deepblur.optics.settings import Optics
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.widgets.deblur.compare.actions import Comparison

__all__ = ["BlurTable", "CheckTable", "DeblurView", "OverField", "ShownPsf"]


@dataclass(frozen=True, slots=True)
class ShownPsf:
    """A PSF to be drawn.

    Attributes
    ----------
    psf
        Intensities, shape (h, w), or (d, h, w) of a 3-D blur.
    width_um
        Width within which half of the light falls, µm; None where the PSF is the same all over
        the field.
    position_yx
        Pixel of the image at which the PSF holds; None for the field's centre.
    """

    psf: NDArray[np.float32]
    width_um: float | None = None
    position_yx: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class OverField:
    """Variation of the PSF of one plane over the field.

    Attributes
    ----------
    sharpest, widest
        Widths and places of the sharpest and the widest PSF in the mosaic.
    zoom
        Magnification at which the mosaic draws its PSFs.
    """

    sharpest: PsfWidth
    widest: PsfWidth
    zoom: int


@dataclass(frozen=True, slots=True)
class BlurTable:
    """The blur of one plane, or of one volume.

    Attributes
    ----------
    title
        Name of the layer, and number of the plane in a stack.
    names
        Names of the P coefficients.
    coefficients, std
        Coefficients and their standard errors, shape (P,).
    psf
        PSF that is shown until the mouse points at another place.
    unit
        Unit of the coefficients.
    optics
        Optics that the PSF was computed for; None where nobody asked.
    z_step_um
        Distance between the planes of a 3-D PSF, µm; None in 2-D.
    others
        Sentences about coefficients of other units, such as an extra blur.
    quality
        The PSF beside that of a perfect objective.
    curves
        Numbers of all planes or volumes, shape (N,), by their name and unit.
    plane
        Number of the plane or volume.
    over_field
        Variation of the PSF over the field; None where it is the same everywhere.
    concerns
        Reasons why this plane's blur may be wrong beyond `std`; None if nobody looked for any.
    flagged
        Numbers of the planes or volumes with concerns.
    n_planes
        Number of planes or volumes that have a blur of their own.
    planes
        What these are: ``plane`` or ``time point``.
    twin_resolved
        True where the signs of the even modes are the true ones.
    of_stack
        Whether the image is a stack, be it that planes have one blur.
    outdated
        Settings that it was estimated with and that are others now; empty if none.
    instead
        What Deblur does then with the present ones.
    known
        Name of the PSF, where it was known and not estimated.
    n_beads
        Number of isolated beads that it was read from; 0 where it was read off the whole image.
    origin
        File and image that the blur comes from, and what became of it since; empty where it was
        read off this layer.
    """

    title: str
    names: tuple[str, ...]
    coefficients: NDArray[np.float32]
    std: NDArray[np.float32]
    psf: ShownPsf
    unit: str = "waves RMS"
    optics: Optics | None = None
    z_step_um: float | None = None
    others: tuple[str, ...] = ()
    quality: PsfQuality | None = None
    curves: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    plane: int = 0
    over_field: OverField | None = None
    concerns: tuple[Concern, ...] | None = None
    flagged: tuple[int, ...] = ()
    n_planes: int = 1
    planes: str = "plane"
    twin_resolved: bool = False
    of_stack: bool = False
    outdated: str = ""
    instead: str = ""
    known: str = ""
    n_beads: int = 0
    origin: str = ""


@dataclass(frozen=True, slots=True)
class CheckTable:
    """Fit of one deblurred plane to the observed one.

    Attributes
    ----------
    title
        Name of the layer, and number of the plane in a stack.
    residual, border_ringing, flux_moved
        As in `DeblurringCheck`: the plane's value, then the median and the highest of all
        planes.
    concerns
        Reasons to doubt the deblurred plane.
    flagged
        Numbers of the planes with concerns.
    n_planes
        Number of planes of the layer.
    planes
        What these are, in a word.
    outdated
        Settings of the blur that was taken out which are others now; empty if none.
    """

    title: str
    residual: tuple[float, float, float]
    border_ringing: tuple[float, float, float]
    flux_moved: tuple[float, float, float]
    concerns: tuple[Concern, ...] = ()
    flagged: tuple[int, ...] = ()
    n_planes: int = 1
    planes: str = "plane"
    outdated: str = ""


class DeblurView(Protocol):
    """The dock, as the controller sees it."""

    def show_layers(self, layers: Sequence[Image], current: Image | None) -> None:
        """Offer layers to choose from."""

    def show_models(self, models: Mapping[str, ModelCard]) -> None:
        """Offer models to choose from, by bundled name or folder."""

    def show_resolved(self, resolved: Resolved) -> None:
        """Show optical values, their sources and the verdict."""

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is."""

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""

    def ask_for_file(self, name: str) -> Path | None:
        """Ask where a result is to be written, under a proposed name; None to do nothing."""

    def copy_text(self, text: str) -> None:
        """Put a text on the clipboard."""

    def show_blur(self, table: BlurTable | None) -> None:
        """Show the blur of the current plane, or none."""

    def show_psf(self, picture: ShownPsf) -> None:
        """Show the PSF of another place of the current plane's field."""

    def show_preview(self, *, waits: bool) -> None:
        """Show whether there is a preview to be kept or thrown away."""

    def show_question(self, text: str) -> None:
        """Ask with which PSF to go on, the ideal one or that of the layer; empty to ask nothing."""

    def show_cost(self, tone: Tone, text: str) -> None:
        """Show what Estimate and Deblur will take, or nothing."""

    def show_comparison(self, comparison: Comparison) -> None:
        """Show what can be compared, and whether the view is split."""

    def show_check(self, table: CheckTable | None) -> None:
        """Show how the deblurred current plane fits the observed one, or nothing."""
