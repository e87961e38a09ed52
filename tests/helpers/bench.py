"""The dock's controller among stand-ins, without Qt."""

from __future__ import annotations

from unittest.mock import MagicMock

from napari.components import ViewerModel
from napari.layers import Image

from napari_deepblur.widgets.deblur.controller import DeblurController
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.deblur.view import DeblurView


class Runner:
    """Keeps what was started; the test says what comes of it."""

    def __init__(self) -> None:
        self.started = []
        self.n_cancelled = 0

    def __call__(self, task, *, on_event, on_end):
        self.started.append(task)
        self.on_event, self.on_end = on_event, on_end
        return self._cancel

    def _cancel(self) -> None:
        self.n_cancelled += 1


class Bench:
    """A controller among stand-ins, in a viewer of its own unless one is given."""

    def __init__(self, *layers: Image, viewer: ViewerModel | None = None, **choices) -> None:
        self.viewer = ViewerModel() if viewer is None else viewer
        for layer in layers:
            self.viewer.add_layer(layer)
        self.view = MagicMock(spec=DeblurView)
        self.runner = Runner()
        self.controller = DeblurController(
            self.viewer, self.view, Session.of(self.viewer), start=self.runner, **choices
        )

    @property
    def resolved(self):
        return self.view.show_resolved.call_args.args[0]

    @property
    def message(self):
        return self.view.show_message.call_args.args

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]
