"""A part of a dock under a heading, that folds away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_deepblur.widgets.parts.text import elided_label, literal

__all__ = ["Section"]


class Section(QWidget):
    """Shows a heading and, beneath it, a widget; a click on the heading folds it.

    Beside the heading stands a summary, so that a folded section still says what is in it.
    superqt's QCollapsible keeps the height that its content had when it was opened, and so cuts
    labels whose text grows.

    Parameters
    ----------
    title
        Heading.
    content
        Widget beneath the heading.
    """

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setToolTip(f"Show or hide what belongs to {title}")
        font = self.button.font()
        font.setBold(True)
        self.button.setFont(font)
        self.summary = elided_label()
        self.summary.setToolTip("The present choice in short")
        self.content = content
        heading = QHBoxLayout()
        heading.addWidget(self.button)
        heading.addWidget(self.summary, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(heading)
        layout.addWidget(content)
        self.button.toggled.connect(self._on_toggled)
        self.setOpen(is_open=True)

    def isOpen(self) -> bool:  # noqa: N802
        """Tell whether the content is shown."""
        return bool(self.button.isChecked())

    def setOpen(self, *, is_open: bool) -> None:  # noqa: N802
        """Show or hide the content."""
        self.button.setChecked(is_open)
        self._on_toggled(is_open)

    def setSummary(self, text: str) -> None:  # noqa: N802
        """Say beside the heading what is chosen; the tooltip has all of it."""
        self.summary.setText(text)
        self.summary.setToolTip(literal(text) if text else "")

    def _on_toggled(self, is_open: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self.content.setVisible(is_open)
