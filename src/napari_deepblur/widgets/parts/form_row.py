"""A row of a form: a name and what is edited."""

from __future__ import annotations

from qtpy.QtWidgets import QFormLayout, QWidget

from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["add_row", "set_note"]


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


def set_note(form: QFormLayout, field: QWidget, note: str) -> None:
    """Say beneath the name of a field where its value comes from; an empty note takes it away.

    Parameters
    ----------
    form
        Form with the row.
    field
        Widget of the row.
    note
        The source in a few words.
    """
    name = field.accessibleName()
    form.labelForField(field).setText(f"{name}\n{note}" if note else name)
