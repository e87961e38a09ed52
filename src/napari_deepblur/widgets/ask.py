"""Dialogs of the menu commands, which magicgui makes from the functions of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.widgets.deblur.model_words import title_of_model
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.scope_words import KNOWN_SCOPES, SCOPES
from napari_deepblur.widgets.layers.optics_fields import LABELS, OPTICS_FIELDS

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["ask_for_settings"]

#: Parameters that are numbers.
_NUMBERS = (*OPTICS_FIELDS, "z_step_um")

#: What a number field shows where the value is not known.
_UNKNOWN = "not known"


def ask_for_settings(
    function: Callable[..., Any],
    resolved: Resolved,
    models: Mapping[str, ModelCard],
    *,
    title: str,
    parent: QWidget,
) -> dict[str, Any] | None:
    """Ask for the parameters of a function of a layer; what the dock would take is filled in.

    Parameters
    ----------
    function
        One of `napari_deepblur.widgets.functions`.
    resolved
        What the dock would start a task with now.
    models
        Models on offer, by bundled name or folder.
    title
        Title of the dialog.
    parent
        Widget that asks, whose theme the dialog takes.

    Returns
    -------
        Settings that the user changed, by their names in `DeblurSettings`; None to do nothing.
    """
    from magicgui.signature import magic_signature
    from magicgui.widgets import Dialog

    signature = magic_signature(function, gui_options=_options(resolved, models))
    fields = [field for field in signature.widgets().values() if field.name != "layer"]
    for field in fields:
        if field.name in _NUMBERS:
            field.native.setSpecialValueText(_UNKNOWN)
    dialog = Dialog(widgets=fields, parent=parent)
    dialog.native.setWindowTitle(title)
    proposed = dialog.asdict()
    if not dialog.exec():
        return None
    chosen = dialog.asdict()
    return {name: value or None for name, value in chosen.items() if value != proposed[name]}


def _options(resolved: Resolved, models: Mapping[str, ModelCard]) -> dict[str, dict[str, Any]]:
    """Make magicgui's options of each parameter."""
    fields = resolved.fields
    numbers = {
        name: {"label": LABELS[name], "value": fields[name].value if name in fields else 0.0}
        for name in _NUMBERS
    }
    numbers["z_step_um"]["visible"] = resolved.is_stack
    words = SCOPES if resolved.known.source == "estimate" else KNOWN_SCOPES
    return numbers | {
        "per": {
            "label": "Blur",
            "choices": [(words[scope], scope) for scope in resolved.scopes],
            "value": resolved.per,
            "nullable": False,
            "visible": len(resolved.scopes) > 1,
        },
        "model": {
            "label": "Model",
            "widget_type": "ComboBox",
            "choices": [(title_of_model(name, card), name) for name, card in models.items()],
            "value": resolved.model,
        },
    }
