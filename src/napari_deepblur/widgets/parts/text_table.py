"""A table of texts that shows all of its rows."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_deepblur.widgets.parts.text import literal

__all__ = ["TextTable"]


class TextTable(QTableWidget):
    """Shows rows of texts, as tall as they need; long texts of the first column are wrapped.

    A table that scrolls inside a dock that scrolls is a nuisance.

    Parameters
    ----------
    n_columns
        Number of columns.
    parent
        Parent widget.
    """

    def __init__(self, n_columns: int, parent: QWidget | None = None) -> None:
        super().__init__(0, n_columns, parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().setVisible(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.sectionResized.connect(self._fit)

    def setRows(  # noqa: N802
        self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, unit: str = "", tip: str = ""
    ) -> None:
        """Show other rows.

        Parameters
        ----------
        heads
            Titles of the columns.
        rows
            Texts, a sequence for each row.
        unit
            Unit that the tooltips add to a row's texts.
        tip
            Meaning of the numbers, for all tooltips.
        """
        self.setHorizontalHeaderLabels(heads)
        for widget in (self, self.horizontalHeader()):
            widget.setToolTip(tip)
        self.setRowCount(len(rows))
        for index, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(literal(f"{' '.join(texts)}{unit}\n{tip}"))
                self.setItem(index, column, item)
        self._fit()

    def _fit(self) -> None:
        self.resizeRowsToContents()
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth() + 2
        height += sum(self.rowHeight(index) for index in range(self.rowCount()))
        self.setFixedHeight(height)
