"""Whether a plane's blur is to be trusted: the reasons against it, or one quiet line."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_deepblur.widgets.view import BlurTable, Tone

__all__ = ["TrustNotice"]

# Translucent, so that the theme's own text colour is readable on it, be it dark or light.
_FLAGGED = (
    "QLabel { background: rgba(230, 150, 0, 60); border-left: 4px solid rgb(230, 150, 0); "
    "padding: 5px; }"
)
_FLAGGED_TIP = (
    "These speak against the estimate of this plane. It may be wrong by more than ±: compare "
    "the PSF with what you expect of the microscope before you use it"
)
_CLEAN = "Nothing found against this estimate."
_CLEAN_TIP = (
    "Looked for saturated pixels, coarse sampling, nearly empty fields, detail where these optics "
    "pass nothing, no detail above the noise, and blurs that the model was not trained for"
)
_MOST_NUMBERS = 8


class TrustNotice(QWidget):
    """Shows the concerns about a blur's plane, and how many planes have some.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reasons = QLabel(wordWrap=True)
        self.reasons.setTextFormat(Qt.TextFormat.PlainText)
        self.reasons.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.planes = QLabel(wordWrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.reasons)
        layout.addWidget(self.planes)

    def setValue(self, table: BlurTable | None) -> None:  # noqa: N802
        """Show what is known against a blur; nothing where that was not looked at."""
        concerns = None if table is None else table.concerns
        self.setVisible(concerns is not None)
        if table is None or concerns is None:
            return
        self.reasons.setText(_reasons(concerns))
        self.reasons.setStyleSheet(_FLAGGED if concerns else "")
        self.reasons.setToolTip(_FLAGGED_TIP if concerns else _CLEAN_TIP)
        self.planes.setText(_flagged(table))
        self.planes.setVisible(bool(self.planes.text()))


def _reasons(concerns: tuple[str, ...]) -> str:
    if not concerns:
        return f"{Tone.GOOD.value} {_CLEAN}"
    if len(concerns) == 1:
        return f"{Tone.WARNING.value} This estimate may be wrong. {_sentence(concerns[0])}"
    listed = "".join(f"\n• {_sentence(reason)}" for reason in concerns)
    return f"{Tone.WARNING.value} This estimate may be wrong:{listed}"


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:]}."


def _flagged(table: BlurTable) -> str:
    if table.n_planes < 2 or not table.flagged:
        return ""
    numbers = ", ".join(map(str, table.flagged[:_MOST_NUMBERS]))
    more = ", …" if len(table.flagged) > _MOST_NUMBERS else ""
    return f"{len(table.flagged)} of {table.n_planes} planes are flagged: {numbers}{more}."
