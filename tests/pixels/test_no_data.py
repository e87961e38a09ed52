import numpy as np
import pytest

from napari_deepblur.pixels import has_data

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(20, (120, 150)).astype(np.float32) + 100
ROW, COLUMN = np.indices(COUNTS.shape)


@pytest.mark.parametrize("value", [0, 90, 500, 65535, np.nan])
@pytest.mark.parametrize(
    "part",
    [
        COLUMN < 40,
        COLUMN + 0.4 * ROW < 50,
        (ROW - 60) ** 2 + (COLUMN - 70) ** 2 < 20**2,
        (ROW > 30) & (ROW < 50) & (COLUMN > 60) & (COLUMN < 100),
    ],
    ids=["side", "turned", "hole", "block"],
)
def test_filled_parts_are_found_with_what_they_are_mixed_with(part, value):
    has = has_data(np.where(part, np.float32(value), COUNTS))
    assert not has[part].any()
    near = np.zeros_like(part)
    near[2:-2, 2:-2] = part[:-4, 2:-2] | part[4:, 2:-2] | part[2:-2, :-4] | part[2:-2, 4:]
    assert has[~(part | near)].mean() > 0.98


@pytest.mark.parametrize(
    "image",
    [
        COUNTS,
        RNG.poisson(0.1, (100, 100)).astype(np.float32),
        np.full((60, 60), 7.0, np.float32),
        np.exp(-((ROW - 60.0) ** 2 + (COLUMN - 70) ** 2) / 8).round(2),
        np.minimum(COUNTS, 130),
    ],
    ids=["counts", "few photons", "constant", "no noise", "saturated pixels"],
)
def test_dark_grounds_are_data(image):
    assert has_data(image).all()


def test_nothing_but_nan():
    assert not has_data(np.full((20, 20), np.nan)).any()
