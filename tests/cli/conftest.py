"""Images that commands are given."""

import pytest

from helpers.command_line import observed, write


@pytest.fixture
def plane(tmp_path):
    return write(tmp_path / "plane.tif", observed((96, 80)))


@pytest.fixture
def stack(tmp_path):
    data = observed((2, 64, 72))
    return write(tmp_path / "stack.tif", data, "ZYX", pixel_size_um=0.09, z_step_um=0.3)
