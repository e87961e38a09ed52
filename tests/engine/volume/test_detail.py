"""The part of a volume that tells most of its blur."""

import numpy as np
import pytest

from napari_deepblur.engine.volume.detail import find_detail_job
from napari_deepblur.engine.volume.stacks import Stacks


def find(stack):
    job = find_detail_job(Stacks.of(stack.astype(np.float32), "ZYX"), 0, 1)
    while True:
        try:
            next(job)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("shape", [(40, 201, 101), (5, 64, 80), (32, 128, 128)])
def test_a_small_stack_is_looked_at_as_a_whole(shape):
    region = find(np.random.default_rng(0).poisson(5, shape)).region
    assert region.shape == shape


@pytest.mark.parametrize("shape", [(30, 400, 300), (60, 200, 1000)])
def test_a_large_one_where_its_detail_is(shape):
    stack = np.full(shape, 5.0)
    middle = tuple(int(0.7 * side) for side in shape)
    stack[tuple(slice(at - 3, at + 4) for at in middle)] += 300
    region = find(stack).region
    assert np.prod(region.shape) <= 830_000
    for at, part in zip(middle, (region.planes, region.rows, region.columns), strict=True):
        assert part.start + 3 < at < part.stop - 4
