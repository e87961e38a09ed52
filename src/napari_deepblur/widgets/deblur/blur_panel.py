"""Panel with the blur of one plane: its PSF, its doubts, its coefficients, and all planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_deepblur.engine.psf_quality import PsfQuality
from napari_deepblur.widgets.deblur.bead_line import BeadLine
from napari_deepblur.widgets.deblur.trust_notice import NoticeWords, TrustNotice
from napari_deepblur.widgets.deblur.view import BlurTable, OverField, ShownPsf
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.coefficient_bars import CoefficientBars, Coefficients
from napari_deepblur.widgets.parts.curve import Curve, CurveOverPlanes
from napari_deepblur.widgets.parts.psf_picture import PsfPicture, Scaled
from napari_deepblur.widgets.parts.text import elided_label, literal, plain_label
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["BlurPanel"]

_FIGURES_TIP = (
    "Strehl ratio: peak of the PSF as a share of the peak of a perfect objective's. Width: of the "
    "smallest area that holds half of the light of a point, which for a round spot without rings "
    "or halo is its full width at half maximum (FWHM)"
)
_WAVES_TIP = (
    ". Waves RMS: how far the wavefront departs from a perfect one, as the root mean square over "
    "the pupil, in wavelengths"
)
_OVER_FIELD_TIP = (
    "Width of the smallest area that holds half of the light of a point: for a round spot without "
    "rings or halo its full width at half maximum (FWHM). Places are those of the PSF field layer"
)
_HARDLY = 1.1
_OUTDATED = "Made with other settings than those above: {}. {}"
_SIGN_UNKNOWN = "Sign of defocus and astigmatism unknown: {} not tell it."
_SIGN_TIP = (
    "The common sign of all even modes (defocus, astigmatisms) can't be told from planes that are "
    "read one by one: both signs give the same PSF. A focus series, or a 3-D blur, tells it"
)
_SIGN_KNOWN_TIP = (
    "The sign says on which side of the sample's focus a plane lies: planes on both sides at the "
    "same distance have the same PSF, and their known distances tell which is which"
)
_SIGN_KNOWN = "The sign of the even modes (defocus, astigmatisms) is resolved by the focus series."
_SIGN_KNOWN_IN_3D = "A z-stack tells the signs of all modes; its defocus is where the sample lies."
_WORDS = NoticeWords(
    doubt="In doubt",
    doubt_tip="There are reasons against the estimate of this plane. It may be wrong by more than "
    "±: compare the PSF with what you expect of the microscope before you use it",
    clean="Nothing found against this estimate.",
    clean_tip="Looked for saturated pixels, coarse sampling, nearly empty fields, detail where "
    "these optics pass nothing, no detail above the noise, a PSF far wider than the "
    "diffraction limit, and blurs or optics that the model was not made for",
)
_WORDS_IN_3D = replace(
    _WORDS,
    doubt_tip="There are reasons against the estimate of this stack. It may be wrong by more than "
    "±: compare the PSF with what you expect of the microscope before you use it",
    clean_tip="Looked for saturated voxels, few planes, planes far apart, a focus outside the "
    "stack, and whether a wrong PSF explains the stack as well",
)


class BlurPanel(QWidget):
    """Shows a blur, or that there is none.

    Parameters
    ----------
    parent
        Parent widget.
    """

    planeChosen = Signal(int)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: BlurTable | None = None
        self._is_running = False
        self._title = elided_label()
        self.origin = plain_label(
            tip="Where this blur comes from, and what was changed for this layer", wrap=True
        )
        self.beads = BeadLine()
        self.outdated = plain_label(wrap=True)
        self.picture, self.unaberrated = PsfPicture("PSF"), PsfPicture("ideal")
        self.figures = plain_label(tip=_FIGURES_TIP, wrap=True, selectable=True)
        self.caption = plain_label(wrap=True)
        self.notice = TrustNotice(_WORDS)
        self.over_field = plain_label(tip=_OVER_FIELD_TIP, wrap=True)
        self.bars = CoefficientBars()
        self.limits = plain_label(wrap=True)
        self.curve = CurveOverPlanes()
        self.curve_box = ChoiceBox()
        self.curve_box.setToolTip("What the curve over the planes shows")
        self.curve_box.setAccessibleName("Curve")
        self._arrange()
        self.curve_box.valueChanged.connect(lambda _name: self._show_curve())
        self.curve.planeChosen.connect(self.planeChosen.emit)
        self.setValue(None)

    def value(self) -> BlurTable | None:
        """Return the blur that is shown."""
        return self._value

    def setValue(self, value: BlurTable | None) -> None:  # noqa: N802
        """Show a blur; None clears. While an estimate shows its PSF, that stays in view."""
        self._value = value
        if self._is_running:
            return
        varies = value is not None and value.over_field is not None
        for widget in (self.picture, self.unaberrated, self.figures, self.limits):
            widget.setVisible(value is not None)
        for widget in (self.over_field, self.caption):
            widget.setVisible(varies)
        self.beads.setValue(0 if value is None else value.n_beads)
        self._mark(value)
        in_3d = value is not None and value.z_step_um is not None
        self.notice.setWords(_WORDS_IN_3D if in_3d else _WORDS)
        # What speaks against a PSF that is not taken any more is of no use.
        self.notice.setValue(None if value is not None and value.outdated else value)
        title = "No estimate of this image yet." if value is None else value.title
        self._title.setText(title)
        self._title.setToolTip(literal(title))
        self.origin.setText("" if value is None else value.origin)
        self.origin.setVisible(bool(self.origin.text()))
        if value is None:
            self.bars.setValue(None)
            self.curve.setValue(None)
            self.curve_box.hide()
            return
        self._tell(value)
        self.show_psf(value.psf)
        self.bars.setValue(None if value.known else _coefficients(value))
        self._offer_curves(value)

    def show_psf(self, picture: ShownPsf) -> None:
        """Show another PSF."""
        optics = None if self._value is None else self._value.optics
        pixel_um = 1.0 if optics is None else optics.pixel_size_um
        step_um = None if self._value is None else self._value.z_step_um
        self.picture.setValue(Scaled(picture.psf, pixel_um, step_um))
        self.caption.setText(_caption(picture))

    def is_running(self) -> bool:
        """Tell whether the PSF of a running estimate is shown."""
        return self._is_running

    def show_running(self, psf: Scaled) -> None:
        """Show the PSF of an estimate that is still running, in place of all else."""
        if not self._is_running:
            known = self._value
            self.setValue(None)
            self._value, self._is_running = known, True
            self.picture.show()
            self._title.setText("The PSF as it is known so far")
        self.picture.setValue(psf)

    def end_running(self) -> None:
        """Show again what is known, where a running estimate was shown."""
        if self._is_running:
            self._is_running = False
            self.setValue(self._value)

    def _arrange(self) -> None:
        pictures = QHBoxLayout()
        pictures.addWidget(self.picture)
        pictures.addWidget(self.unaberrated)
        pictures.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._title)
        layout.addWidget(self.origin)
        layout.addWidget(self.outdated)
        layout.addLayout(pictures)
        below = (self.caption, self.beads, self.figures, self.notice, self.curve_box, self.curve)
        for widget in (*below, self.over_field, self.bars, self.limits):
            layout.addWidget(widget)

    def _offer_curves(self, value: BlurTable) -> None:
        """Offer the numbers of all planes; what was chosen stays, if it is there."""
        chosen = self.curve_box.value()
        self.curve_box.setChoices([(name, name) for name in value.curves])
        self.curve_box.setValue(
            chosen if chosen in value.curves else next(iter(value.curves), None)
        )
        self.curve_box.setVisible(value.n_planes > 1 and bool(value.curves))
        self._show_curve()

    def _show_curve(self) -> None:
        value = self._value
        if value is not None:
            self.curve.setValue(_curve(value, self.curve_box.value()))
            self.curve.setPlane(value.plane)

    def _mark(self, value: BlurTable | None) -> None:
        """Grey what was made with other settings, name them, and say what Deblur does."""
        outdated = "" if value is None else value.outdated
        self.outdated.setVisible(bool(outdated))
        if value is not None:
            self.outdated.setText(Tone.WARNING.marked(_OUTDATED.format(outdated, value.instead)))
        for widget in (self.picture, self.unaberrated, self.bars, self.over_field, self.figures):
            widget.setEnabled(not outdated)

    def _tell(self, value: BlurTable) -> None:
        """Say what the pictures do not."""
        quality, pixel_um = value.quality, 1.0
        if quality is not None and value.optics is not None:
            pixel_um = value.optics.pixel_size_um
            self.unaberrated.setValue(Scaled(quality.unaberrated, pixel_um, value.z_step_um))
            in_waves = value.unit.startswith("waves")
            self.figures.setToolTip(_FIGURES_TIP + (_WAVES_TIP if in_waves else ""))
            self.figures.setText(_figures(quality, value.plane, value.coefficients, value.unit))
        self.unaberrated.setVisible(quality is not None)
        self.figures.setVisible(quality is not None)
        if value.over_field is not None:
            self.over_field.setText(_over_field(value.over_field))
        known = _SIGN_KNOWN if value.z_step_um is None else _SIGN_KNOWN_IN_3D
        sign = known if value.twin_resolved else _SIGN_UNKNOWN.format(_who_is_silent(value))
        further = [] if value.over_field is not None or value.known else [sign]
        self.limits.setText("\n".join([value.known, *value.others, *further]).strip())
        tip = _SIGN_KNOWN_TIP if value.twin_resolved else _SIGN_TIP
        self.limits.setToolTip(tip if further else "")


def _who_is_silent(value: BlurTable) -> str:
    if value.z_step_um is not None:
        return "this stack does"
    return "planes read one by one do" if value.of_stack else "one plane does"


def _coefficients(value: BlurTable) -> Coefficients:
    in_waves = value.unit.startswith("waves") and value.optics is not None
    return Coefficients(
        value.names,
        value.coefficients,
        value.std,
        unit=value.unit if value.unit.startswith("waves") else "",
        wavelength_um=value.optics.wavelength_um if in_waves and value.optics else None,
        doubtful=bool(value.concerns),
    )


def _curve(value: BlurTable, name: str | None) -> Curve | None:
    if name is None or name not in value.curves or value.n_planes < 2:
        return None
    doubtful = np.zeros(value.n_planes, bool)
    doubtful[list(value.flagged)] = True
    return Curve(value.curves[name], doubtful, name, value.planes)


def _figures(quality: PsfQuality, plane: int, coefficients: np.ndarray, unit: str) -> str:
    width = f"{quality.widths_um[plane]:.2f} µm wide (ideal: {quality.unaberrated_width_um:.2f} µm)"
    if quality.depths_um is not None:
        width += (
            f", {quality.depths_um[plane]:.2f} µm deep (ideal: "
            f"{quality.unaberrated_depth_um:.2f} µm)"
        )
    if not unit.startswith("waves"):
        return width
    total = float(np.sqrt(np.square(coefficients).sum()))
    return f"Strehl {quality.strehl[plane]:.2f} · {width} · wavefront {total:.2f} waves RMS"


def _over_field(varies: OverField) -> str:
    sharpest, widest = varies.sharpest, varies.widest
    ratio = widest.width_um / sharpest.width_um
    change = f"{ratio:.1f} times as wide" if ratio > _HARDLY else "hardly any difference"
    drawn = f" The PSF field layer draws PSFs {varies.zoom} times their size."
    return (
        f"Half of a point's light falls within {sharpest.width_um:.2f} µm where the PSF is "
        f"sharpest, at {_place(sharpest.position_yx)}, and within {widest.width_um:.2f} µm where "
        f"it is widest, at {_place(widest.position_yx)}: {change}."
        f"{drawn if varies.zoom > 1 else ''}"
    )


def _place(position_yx: tuple[int, int]) -> str:
    return f"y {position_yx[0]}, x {position_yx[1]} px"


def _caption(picture: ShownPsf) -> str:
    if picture.width_um is None:
        return ""
    here = picture.position_yx
    where = "the field's centre" if here is None else _place(here)
    return f"PSF at {where}: {picture.width_um:.2f} µm wide"
