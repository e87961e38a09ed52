"""The blur of one plane: how far to trust it, its coefficients, and its PSF enlarged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_deepblur.widgets.trust_notice import NoticeWords, TrustNotice
from napari_deepblur.widgets.view import BlurTable

__all__ = ["BlurPanel"]

_PSF_SIDE = 124
_HEADERS = ("Coefficient", "Waves", "± (95 %)")
_TABLE_TIP = (
    "Zernike coefficients in waves RMS. ± is twice the standard error: of images like those of "
    "the training, 95 % of the true coefficients lie within. It does not hold for a plane with "
    "a warning"
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
    "these optics pass nothing, no detail above the noise, and blurs that the model was not "
    "trained for",
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
        self._title = QLabel(wordWrap=True)
        self._psf = QLabel(alignment=Qt.AlignmentFlag.AlignHCenter)
        self._psf.setToolTip("The PSF of this plane, enlarged; square root of its intensity")
        self.notice = TrustNotice(_WORDS)
        self.table = self._make_table()
        self.limits = QLabel(wordWrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._title, self.notice, self._psf, self.table, self.limits):
            layout.addWidget(widget)
        self.setValue(None)

    def value(self) -> BlurTable | None:
        """The blur that is shown."""
        return self._value

    def setValue(self, value: BlurTable | None) -> None:  # noqa: N802
        """Show a blur; None clears."""
        self._value = value
        for widget in (self._psf, self.table, self.limits):
            widget.setVisible(value is not None)
        self.notice.setValue(value)
        self._title.setText("No estimate of this image yet." if value is None else value.title)
        if value is not None:
            self._fill(value)
            self.limits.setText(_SIGN_KNOWN if value.twin_resolved else _SIGN_UNKNOWN)
            self._psf.setPixmap(_picture(value.psf))

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, len(_HEADERS))
        table.setHorizontalHeaderLabels(_HEADERS)
        table.setToolTip(_TABLE_TIP)
        table.horizontalHeader().setToolTip(_TABLE_TIP)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 8)
        table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            table.horizontalHeader().setSectionResizeMode(
                column, QHeaderView.ResizeMode.ResizeToContents
            )
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return table

    def _fill(self, value: BlurTable) -> None:
        rows = list(zip(value.names, value.coefficients, value.std, strict=True))
        self.table.setRowCount(len(rows))
        for index, (name, coefficient, std) in enumerate(rows):
            texts = (name, f"{coefficient:+.3f}", f"±{2 * std:.3f}")
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{' '.join(texts)} waves RMS\n{_TABLE_TIP}")
                self.table.setItem(index, column, item)
        # All rows at once: a table that scrolls inside a dock that scrolls is a nuisance.
        height = self.table.horizontalHeader().sizeHint().height() + 4
        height += sum(self.table.rowHeight(index) for index in range(len(rows)))
        self.table.setFixedHeight(height)


def _picture(psf: NDArray[np.float32]) -> QPixmap:
    grey = (255 * np.sqrt(np.clip(psf / psf.max(), 0, 1))).astype(np.uint8)
    height, width = grey.shape
    # QImage does not own these bytes; the pixmap is a copy.
    image = QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image).scaled(_PSF_SIDE, _PSF_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
