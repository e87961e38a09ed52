"""The sample of a stack whose blur is known."""

import math

import torch

from napari_deepblur.engine.volume.richardson_lucy import deviance


def test_deviance_is_finite_where_a_half_holds_next_to_nothing():
    photons = torch.tensor([1e-40, 0.0, 3.0])
    expected = torch.tensor([1e3, 1.0, 3.0])
    assert math.isclose(deviance(photons, expected), 1001, rel_tol=1e-6)
