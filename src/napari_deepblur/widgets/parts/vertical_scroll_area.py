"""A scroll area that scrolls up and down only."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QScrollArea, QWidget

__all__ = ["VerticalScrollArea"]


class VerticalScrollArea(QScrollArea):
    """Is always as wide as its content and the scroll bar need.

    Parameters
    ----------
    content
        Widget that is scrolled.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        content.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Follow the content's width, which texts and napari's style change."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar().sizeHint().width()
            needed = watched.minimumSizeHint().width() + bar + 2 * self.frameWidth()
            self.setMinimumWidth(needed)
        return bool(super().eventFilter(watched, event))
