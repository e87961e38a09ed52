"""Text of which two lines are seen at first, and the rest at a click."""

from __future__ import annotations

from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_deepblur.widgets.parts.text import breakable, plain_label

__all__ = ["FoldedText"]

_MOST_LINES = 2
_MORE = " …"

#: Room that a frame around the headline and the space beside it take, pixels.
_AROUND = 24


class FoldedText(QWidget):
    """Shows a headline of two lines at most; a button unfolds all of it, and the details.

    Parameters
    ----------
    tip
        Tooltip of the headline.
    parent
        Parent widget.
    """

    def __init__(self, tip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self.headline = plain_label(tip=tip, wrap=True, selectable=True)
        self.headline.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.why = QToolButton()
        self.why.setText("why?")
        self.why.setToolTip("Show or hide the rest")
        self.why.setCheckable(True)
        self.details = plain_label(wrap=True, selectable=True)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.headline, 1)
        line.addWidget(self.why, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.details)
        self.why.toggled.connect(lambda _on: self._fold())
        self._fold()

    def setText(self, headline: str, details: str = "") -> None:  # noqa: N802
        """Show another text, folded unless the user unfolded the former one."""
        self._whole = headline
        self.details.setText(details)
        self._fold()

    def text(self) -> str:
        """Return all of the text, be it seen or not."""
        return "\n".join(filter(None, [self._whole, self.details.text()]))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fold anew at another width."""
        super().resizeEvent(event)
        self._fold()

    def _fold(self) -> None:
        is_open = self.why.isChecked()
        folded = self._folded()
        self.headline.setText(breakable(self._whole if is_open else folded))
        self.details.setVisible(is_open and bool(self.details.text()))
        self.why.setVisible(folded != self._whole or bool(self.details.text()))

    def _folded(self) -> str:
        """Return as many words of the headline as fit."""
        width = self.width() - self.why.sizeHint().width() - _AROUND
        if not self.isVisible() or width <= 0 or self._fits(self._whole, width):
            return self._whole
        words = self._whole.split(" ")
        n = next((n for n in range(len(words), 1, -1) if self._fits(_cut(words, n), width)), 1)
        return _cut(words, n)

    def _fits(self, text: str, width: int) -> bool:
        metrics = self.headline.fontMetrics()
        room = QRect(0, 0, width, 10_000)
        height = metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, text).height()
        # Between two lines and three, as fonts round the height of a line.
        return bool(height < (_MOST_LINES + 0.5) * metrics.lineSpacing())


def _cut(words: list[str], n: int) -> str:
    return " ".join(words[:n]) + _MORE
