"""What evaluation is tried on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_deepblur.engine.models import load_model
from napari_deepblur.evaluation import Bench, held_out
from napari_deepblur.training.data.sources import is_held_out


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four held-out files of random blocks, and one of training that must not be used."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(1000)]
    held = [path for path in paths if is_held_out(path)][:4]
    for path in held:
        blocks = rng.integers(0, 255, (25, 25), np.uint8)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(path)
    other = next(path for path in paths if not is_held_out(path))
    Image.fromarray(np.zeros((200, 200), np.uint8)).save(other)
    return held_out({"blocks": folder})


@pytest.fixture
def measured(tiny_model, images):
    return Bench(load_model(tiny_model), images, 6, 64, device="cpu")
