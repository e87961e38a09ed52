"""How long a plane takes, warm.

python -m pytest benchmarks/test_speed.py --benchmark-enable --benchmark-only
"""

import numpy as np
import pytest

import napari_deepblur as ndb
from napari_deepblur.samples import SAMPLES


@pytest.fixture(scope="module")
def sample():
    return SAMPLES["podosomes"]()


@pytest.fixture(scope="module")
def blur(sample):
    return ndb.estimate_blur(sample.image, optics=sample.optics)


def tiled(image, side):
    return np.tile(image, (side // image.shape[0],) * 2)


@pytest.mark.parametrize("side", [512, 1024, 2048])
def test_estimate(benchmark, sample, side):
    image = tiled(sample.image, side)
    found = benchmark.pedantic(
        ndb.estimate_blur, (image,), {"optics": sample.optics}, rounds=3, warmup_rounds=1
    )
    assert found.coefficients.shape == (1, 7)


@pytest.mark.parametrize("side", [512, 1024, 2048])
def test_deblur(benchmark, sample, blur, side):
    image = tiled(sample.image, side)
    sharp = benchmark.pedantic(ndb.deblur, (image, blur), rounds=3, warmup_rounds=1)
    assert sharp.shape == image.shape
