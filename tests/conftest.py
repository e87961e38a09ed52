"""A display for the docks' tests, or their absence said aloud.

pytest-xvfb starts Xvfb where it is installed. Without any display Qt would end the whole run;
it then draws nowhere, and what needs OpenGL is skipped.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from napari_deepblur.openmp import let_waiting_threads_sleep

let_waiting_threads_sleep()

#: Fixtures that open a napari window.
WINDOWS = {"make_napari_viewer", "make_napari_viewer_proxy", "module_viewer", "shown_viewer"}


def pytest_collection_modifyitems(items):
    # Not earlier: by now pytest-xvfb has set DISPLAY.
    displays = {"DISPLAY", "WAYLAND_DISPLAY"}
    if not sys.platform.startswith("linux") or any(os.environ.get(name) for name in displays):
        return
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    skip = pytest.mark.skip(reason="a napari window needs a display: install Xvfb (.ci/apt.txt)")
    for item in items:
        if WINDOWS & set(item.fixturenames):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A model folder with small untrained networks: fast, and independent of the bundled one."""
    import torch

    from napari_deepblur.engine.model_files import write_network
    from napari_deepblur.networks.identification import IdentificationNetwork
    from napari_deepblur.networks.unrolled import DeblurringNetwork
    from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily

    folder = tmp_path_factory.mktemp("models") / "tiny"
    family = ZernikeFamily(tuple(range(4, 11)), limit_waves=0.15)
    torch.manual_seed(0)
    space = EigenPsfSpace.of(ZernikeFamily(), n_eigen_psfs=8)
    reader = IdentificationNetwork(space, n_hidden=16)
    with torch.no_grad():
        reader(torch.rand(8, 1, 96, 96))  # running statistics of some images
        reader.head.correction[-1].weight.normal_(std=0.1)
    restorer = DeblurringNetwork(n_iterations=3, n_channels=8, n_layers=2)
    with torch.no_grad():
        for proximal in restorer.proximal:
            proximal.layers[-1].weight.normal_(std=0.01)
    card = {"arguments": {"n_outputs": 8, "n_hidden": 16}}
    write_network(folder, "identification", reader, family=family, card=card)
    arguments = {"n_iterations": 3, "n_channels": 8, "n_layers": 2}
    card = {"arguments": arguments, "cutoff_range": (0.15, 0.35)}
    write_network(folder, "deblurring", restorer, family=family, card=card)
    return folder


@pytest.fixture(scope="session")
def tiny_varying_model(tmp_path_factory) -> Path:
    """A model folder of a family that varies over the field, its small networks untrained."""
    import torch

    from helpers.families import varying_family
    from napari_deepblur.engine.model_files import write_network
    from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
    from napari_deepblur.networks.unrolled import DeblurringNetwork
    from napari_deepblur.operators.field_space import FieldSpace

    folder = tmp_path_factory.mktemp("models") / "tiny-varying"
    family = varying_family()
    torch.manual_seed(0)
    space = FieldSpace.of(family, n_samples=200)
    arguments = {**space.sizes, "n_hidden": 16}
    reader = FieldIdentificationNetwork(family, space, n_hidden=16)
    with torch.no_grad():
        reader.resnet(torch.rand(8, 1, 96, 96))  # running statistics of some images
        reader.head.answer[-1].weight.normal_(std=0.1)
    restorer = DeblurringNetwork(n_iterations=3, n_channels=8, n_layers=2)
    with torch.no_grad():
        for proximal in restorer.proximal:
            proximal.layers[-1].weight.normal_(std=0.01)
    write_network(
        folder, "identification", reader.eval(), family=family, card={"arguments": arguments}
    )
    arguments = {"n_iterations": 3, "n_channels": 8, "n_layers": 2}
    card = {"arguments": arguments, "cutoff_range": (0.15, 0.35)}
    write_network(folder, "deblurring", restorer, family=family, card=card)
    return folder
