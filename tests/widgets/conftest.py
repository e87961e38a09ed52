"""A layer to work on."""

from __future__ import annotations

import pytest
from napari.layers import Image

from helpers.layers import known_layer


@pytest.fixture
def layer() -> Image:
    return known_layer(128, 128)
