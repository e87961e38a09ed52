"""What is read off an image before its beads are: background, noise, faulty lines, no data."""

import numpy as np
import pytest

from napari_deepblur.calibration.beads import BeadScene, BeadStatus, find_beads

SIDE = 300
ROW, COLUMN = np.indices((SIDE, SIDE))
DEVIATION = 1.7


def lattice(step=50.0, first=25.0):
    side = np.arange(first, SIDE - first + 1, step)
    return np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)


def photograph(background, *, peak=2000.0, seed=0):
    """Gaussian beads on a lattice, photons counted, an offset of 100."""
    light = np.array(np.broadcast_to(background, ROW.shape), float)
    for y, x in lattice():
        light += peak * np.exp(-((ROW - y) ** 2 + (COLUMN - x) ** 2) / (2 * DEVIATION**2))
    return np.random.default_rng(seed).poisson(light).astype(np.float32) + 100


HAZE = 100 + 200 * np.exp(-((ROW - 150) ** 2 + (COLUMN - 150) ** 2) / (2 * 80.0**2))


@pytest.mark.parametrize(
    "background",
    [100.0, 200 - 100 * ((ROW - 150) ** 2 + (COLUMN - 150) ** 2) / 45000, 50 + 0.8 * COLUMN, HAZE],
    ids=["flat", "vignetted", "tilted", "haze"],
)
def test_background_is_followed_up_to_the_border(background):
    scene = BeadScene.of(photograph(background))
    error = scene.background - 100 - background
    contrast = max(float(np.ptp(np.broadcast_to(background, ROW.shape))), 50)
    assert np.sqrt(np.square(error).mean()) < 0.03 * contrast
    row, column = lattice().astype(int).T
    assert np.abs(error[row, column]).max() < 0.08 * contrast
    ratio = scene.noise / np.sqrt(np.broadcast_to(background, ROW.shape))
    np.testing.assert_allclose(np.median(ratio), 1, atol=0.3)


def used(image, *, window=31):
    beads = find_beads(BeadScene.of(image), window=window)
    return beads[beads["status"] == BeadStatus.USED]


def assert_all_are_beads(found, at_least):
    apart = np.hypot(*(found[["y", "x"]].to_numpy()[:, None] - lattice()).transpose(2, 0, 1))
    assert (apart.min(1) < 1).all()
    assert len(found) >= at_least
    assert found["fwhm"].mean() == pytest.approx(DEVIATION * 2.355, rel=0.03)
    assert found["fwhm"].std() < 0.25


@pytest.mark.parametrize("value", [0, 100, 400, np.nan])
@pytest.mark.parametrize(
    ("part", "n"),
    [(COLUMN < 100, 20), (COLUMN + 0.4 * ROW < 120, 22), ((ROW > 140) & (COLUMN > 140), 24)],
    ids=["side", "turned", "corner"],
)
def test_edges_of_empty_parts_are_no_beads(part, n, value):
    assert_all_are_beads(used(np.where(part, np.float32(value), photograph(20.0))), n)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image[:, 150].__iadd__(300),
        lambda image: image[:, 149:152].__iadd__(300),
        lambda image: image[150].fill(0),
        lambda image: image[40:160, 150].__iadd__(300),
        lambda image: image[150:200, 150:190].__iadd__(250),
        lambda image: image[150:200, 150:190].fill(65535),
        lambda image: image.__iadd__(np.where(COLUMN > 150, 60, 0).astype(np.float32)),
        lambda image: image.__iadd__(
            np.random.default_rng(1).normal(0, 8, (SIDE, 1)).astype(np.float32)
        ),
    ],
    ids=[
        "column", "three columns", "dead row", "part of a column", "block", "saturated block",
        "step", "row noise",
    ],
)  # fmt: skip
def test_faults_of_the_camera_are_no_beads(spoil):
    image = photograph(20.0)
    spoil(image)
    assert_all_are_beads(used(image), 20)


def test_lines_are_named():
    image = photograph(20.0)
    image[40:160, 150] += 300
    beads = find_beads(BeadScene.of(image), window=31)
    on_line = beads["status"][(beads["x"] - 150).abs() < 3]
    assert len(on_line) > 3
    # What lies close together on the line is crowded, the rest is no spot.
    assert set(on_line) <= {BeadStatus.EDGE, BeadStatus.CROWDED, BeadStatus.HOT_PIXEL}
    image = photograph(20.0)
    image[:, 24] += 300
    beads = find_beads(BeadScene.of(image), window=31)
    assert set(beads["status"][beads["x"] < 30]) == {BeadStatus.NO_DATA}


def test_every_status_tells_its_colour_and_meaning():
    assert len({status.colour for status in BeadStatus}) == len(BeadStatus)
    assert all(status.meaning for status in BeadStatus)
    assert all(status.advice for status in set(BeadStatus) - {BeadStatus.USED, BeadStatus.ADDED})
