"""A window, a layer to work on, and a blur that varies over its field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

from helpers.layers import OPTICS, known_layer
from helpers.windows import emptied, napari_window
from napari_deepblur import BlurEstimate, Optics
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.request import Request
from napari_deepblur.widgets.deblur.tasks import Estimated, load_task


@pytest.fixture(autouse=True)
def settings_file(tmp_path_factory, monkeypatch) -> Path:
    """No test reads or writes what the user chose last time."""
    path = tmp_path_factory.mktemp("settings") / "last-time.json"
    monkeypatch.setattr("napari_deepblur.widgets.last_time.settings_file", lambda: path)
    return path


@pytest.fixture(scope="module")
def module_viewer(qapp):
    """The window of a module's tests; they take `viewer`, which is emptied after each."""
    with napari_window() as viewer:
        yield viewer


@pytest.fixture
def viewer(module_viewer):
    """A viewer as napari hands it to plugins."""
    from napari.utils._proxies import PublicOnlyProxy

    yield PublicOnlyProxy(module_viewer)
    emptied(module_viewer)


@pytest.fixture
def layer() -> Image:
    return known_layer(128, 128)


@pytest.fixture
def varying(tiny_varying_model, tmp_path) -> Callable[..., Estimated]:
    """Makes a blur of other coefficients in each plane, all of which the family has."""
    from napari_deepblur.engine.models import load_model

    def make(n_planes: int = 1, *, shape: tuple[int, int] = (128, 128), per: str = "plane"):
        n_rows = n_planes if per == "plane" else 1
        drawn = load_model(tiny_varying_model).family.admissible_set.sample(n_rows, seed=1)
        coefficients = drawn.numpy()
        blur = BlurEstimate(
            coefficients,
            0.1 + 0 * coefficients,
            Optics(**OPTICS),
            str(tiny_varying_model),
            per=per,
            n_planes=n_planes,
            field_shape=shape,
        )
        blur.save(tmp_path / "varying.json", overwrite=True)
        image = np.zeros((n_planes, *shape), np.uint8)
        return finish(load_task(Request(image=image, blur=tmp_path / "varying.json")))

    return make
