"""Whether planes that are read one by one hold the light of one another."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.shared_light import concerns_of_shared_light
from napari_deepblur.optics.settings import Optics

OPTICS = Optics(
    numerical_aperture=1.2, wavelength_um=0.52, refractive_index=1.33, pixel_size_um=0.1
)


def ball(*, is_sectioned: bool) -> np.ndarray:
    """Stack of a ball: its sections, or in each plane the light of all of them."""
    z, y, x = np.ogrid[-16:17, -32:32, -32:32]
    sections = 1000.0 * (z**2 + y**2 + x**2 < 14**2)
    if not is_sectioned:
        sections = np.broadcast_to(sections.mean(0), sections.shape)
    return sections + np.random.default_rng(0).normal(100, 2, sections.shape)


@pytest.mark.parametrize("axes", ["ZYX", "TZYX"])
def test_a_thick_sample_in_widefield_is_told_with_what_to_do(axes: str) -> None:
    stack = ball(is_sectioned=False)
    image = stack if axes == "ZYX" else np.stack([stack, stack])
    (concern,) = concerns_of_shared_light(image, axes, optics=OPTICS, depth_um=6.4)
    assert concern.kind is ConcernKind.SHARED_LIGHT
    assert "6.4 µm deep" in concern
    assert concern.advice == "take one 3-D blur of the stack"


def test_sections_and_thin_stacks_and_blank_ones_are_not() -> None:
    sections, shared = ball(is_sectioned=True), ball(is_sectioned=False)
    assert not concerns_of_shared_light(sections, "ZYX", optics=OPTICS, depth_um=6.4)
    assert not concerns_of_shared_light(shared, "ZYX", optics=OPTICS, depth_um=1.6)
    assert not concerns_of_shared_light(0 * shared, "ZYX", optics=OPTICS, depth_um=6.4)
