"""A row of a form: a name and what is edited."""

from __future__ import annotations

from qtpy.QtWidgets import QFormLayout, QWidget

from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["add_row"]


def add_row(form: QFormLayout, name: str, field: QWidget) -> None:
    """Add a field whose name has the field's tooltip, and which is called so for screen readers.

    Parameters
    ----------
    form
        Form that gets the row.
    name
        Text of the label.
    field
        Widget that edits the value; its tooltip must be set already.
    """
    label = plain_label(name, tip=field.toolTip())
    label.setBuddy(field)
    field.setAccessibleName(name)
    form.addRow(label, field)
