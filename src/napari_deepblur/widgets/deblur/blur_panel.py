"""Panel with the blur of one plane: its doubts, its PSF enlarged, its coefficients."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_deepblur.widgets.deblur.trust_notice import NoticeWords, TrustNotice
from napari_deepblur.widgets.deblur.view import BlurTable, OverField, PsfPicture
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.text_table import TextTable
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["BlurPanel"]

_PSF_SIDE = 124
_PLUS_MINUS = (
    "± is twice the standard error: of images like those of the training, 95 % of the true "
    "coefficients lie within. It does not hold for a plane with a warning"
)
_ZERNIKE_TIP = f"Zernike coefficients in waves RMS. {_PLUS_MINUS}"
_VARYING_TIP = (
    "Numbers without unit that make up the blur: how much there is of each eigen-PSF, evenly over "
    "the field (constant) and in the patterns in which it changes from place to place (maps). "
    "The pictures say the same more clearly: the layers of the eigen-PSFs and of the PSF field. "
    f"{_PLUS_MINUS}"
)
_PSF_TIP = "The PSF of this plane, enlarged; square root of its intensity"
_VARYING_PSF_TIP = (
    f"{_PSF_TIP}. Move the mouse over the image to see the PSF of each place, with the width "
    "within which half of its light falls"
)
_OVER_FIELD_TIP = (
    "Width of the smallest area that holds half of the light of a point: for a round spot without "
    "rings or halo its full width at half maximum (FWHM). Places are those of the PSF field layer"
)
_HARDLY = 1.1
_OUTDATED = (
    "Estimated with other settings than those above: {}. Deblur estimates the blur anew with the "
    "present ones"
)
_SIGN_UNKNOWN = (
    "The common sign of all even modes (defocus, astigmatisms) can't be told from one plane: "
    "both signs give the same PSF."
)
_WORDS = NoticeWords(
    doubt="This estimate may be wrong",
    doubt_tip="These speak against the estimate of this plane. It may be wrong by more than ±: "
    "compare the PSF with what you expect of the microscope before you use it",
    clean="Nothing found against this estimate.",
    clean_tip="Looked for saturated pixels, coarse sampling, nearly empty fields, detail where "
    "these optics pass nothing, no detail above the noise, a PSF far wider than the "
    "diffraction limit, and blurs or optics that the model was not made for",
)
_SIGN_KNOWN = "The sign of the even modes (defocus, astigmatisms) is resolved by the focus series."


class BlurPanel(QWidget):
    """Shows a blur, or that there is none.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: BlurTable | None = None
        self._title = plain_label(wrap=True)
        self._psf = QLabel(alignment=Qt.AlignmentFlag.AlignHCenter)
        self.caption = plain_label(wrap=True)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.outdated = plain_label(wrap=True)
        self.notice = TrustNotice(_WORDS)
        self.over_field = plain_label(tip=_OVER_FIELD_TIP, wrap=True)
        self.table = TextTable(n_columns=3)
        self.limits = plain_label(wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        above = (self._title, self.outdated, self.notice, self._psf, self.caption, self.over_field)
        for widget in (*above, self.table, self.limits):
            layout.addWidget(widget)
        self.setValue(None)

    def value(self) -> BlurTable | None:
        """Return the blur that is shown."""
        return self._value

    def setValue(self, value: BlurTable | None) -> None:  # noqa: N802
        """Show a blur; None clears."""
        self._value = value
        varies = value is not None and value.over_field is not None
        for widget in (self._psf, self.table):
            widget.setVisible(value is not None)
        for widget in (self.over_field, self.caption):
            widget.setVisible(varies)
        self.limits.setVisible(value is not None and not varies)
        self._mark(value.outdated if value is not None else "")
        self.notice.setValue(value)
        self._title.setText("No estimate of this image yet." if value is None else value.title)
        if value is not None:
            self._fill(value)
            self._tell(value)
            self.show_psf(value.psf)

    def _mark(self, outdated: str) -> None:
        """Grey what was estimated with other settings, and name them."""
        self.outdated.setVisible(bool(outdated))
        self.outdated.setText(f"{Tone.WARNING.value} {_OUTDATED.format(outdated)}")
        for widget in (self._psf, self.table, self.over_field):
            widget.setEnabled(not outdated)

    def show_psf(self, picture: PsfPicture) -> None:
        """Show another PSF."""
        self._psf.setPixmap(_pixmap(picture.psf))
        self.caption.setText(_caption(picture))

    def _tell(self, value: BlurTable) -> None:
        """Say what the numbers do not."""
        if value.over_field is not None:
            self._psf.setToolTip(_VARYING_PSF_TIP)
            self.over_field.setText(_over_field(value.over_field))
        else:
            self._psf.setToolTip(_PSF_TIP)
            self.limits.setText(_SIGN_KNOWN if value.twin_resolved else _SIGN_UNKNOWN)

    def _fill(self, value: BlurTable) -> None:
        varies = value.over_field is not None
        tip, unit = (_VARYING_TIP, "") if varies else (_ZERNIKE_TIP, f" {value.unit}")
        heads = ("Coefficient", "Value" if varies else "Waves", "± (95 %)")
        digits = _digits(2 * value.std) if varies else 3
        rows = [
            (name, f"{coefficient:+.{digits}f}", f"±{error:.{digits}f}")
            for name, coefficient, error in zip(
                value.names, value.coefficients, 2 * value.std, strict=True
            )
        ]
        self.table.setRows(heads, rows, unit=unit, tip=tip)


def _digits(errors: NDArray[np.float32]) -> int:
    """Digits behind the point that show two digits of the typical error, three at least."""
    typical = max(float(np.median(errors)), 1e-6)
    return max(3, 1 - math.floor(math.log10(typical)))


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


def _caption(picture: PsfPicture) -> str:
    if picture.width_um is None:
        return ""
    here = picture.position_yx
    where = "the field's centre" if here is None else _place(here)
    return f"PSF at {where}: {picture.width_um:.2f} µm wide"


def _pixmap(psf: NDArray[np.float32]) -> QPixmap:
    grey = (255 * np.sqrt(np.clip(psf / psf.max(), 0, 1))).astype(np.uint8)
    height, width = grey.shape
    # QImage does not own these bytes; the pixmap is a copy.
    image = QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image).scaled(_PSF_SIDE, _PSF_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
