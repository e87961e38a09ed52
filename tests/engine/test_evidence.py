"""Detail of a deblurred image is kept where the observed one holds more than noise."""

import numpy as np
import pytest

from napari_deepblur.engine.evidence import (
    evidence_of_detail,
    softened_where_loud,
    supported_detail,
)

CENTRE = (64, 64)


def noise(seed=0, shape=(128, 128), sigma=3.0):
    return np.random.default_rng(seed).normal(100, sigma, shape).astype(np.float32)


def level(sigma=3.0, shape=(128, 128)):
    return np.full(shape, sigma, np.float32)


def point(height):
    y, x = np.mgrid[:128, :128] - 64
    return (height * np.exp(-(y**2 + x**2) / (2 * 2.0**2))).astype(np.float32)


@pytest.mark.parametrize("unit", [1.0, 2.0])
def test_noise_alone_is_no_evidence(unit):
    found = [evidence_of_detail(noise(seed), level(), unit) for seed in range(20)]
    assert np.mean([(one > 0).mean() for one in found]) < 0.01
    assert np.mean([one.max() > 0.5 for one in found]) < 0.2


def test_evidence_depends_on_the_noise_of_the_place():
    seen = noise() + (noise(1, sigma=9.0) - 100) * (np.arange(128) >= 64)
    told = np.where(np.arange(128) >= 64, np.float32(90**0.5), np.float32(3)) + 0 * level()
    found = evidence_of_detail(seen, told)
    assert max(found[:, :56].max(), found[:, 72:].max()) < 0.5  # but the seam
    assert (evidence_of_detail(seen, level())[:, 80:] > 0.5).mean() > 0.9


@pytest.mark.parametrize(("height", "kept"), [(30.0, True), (0.0, False)])
def test_a_point_that_the_data_show_is_kept(height, kept):
    drawn = np.full((128, 128), 100, np.float32)
    drawn[CENTRE] += 500
    result = supported_detail(drawn, noise() + point(height), level(), 0.25)
    assert (result[CENTRE] - 100 > 490) == kept
    assert result[CENTRE] - 100 > 490 or result[CENTRE] - 100 < 15


def test_texture_too_faint_for_single_pixels_is_kept():
    y, x = np.mgrid[:128, :128]
    texture = (4 * np.cos(2 * np.pi * x / 8) * np.cos(2 * np.pi * y / 8)).astype(np.float32)
    seen = noise() + texture
    evidence = evidence_of_detail(seen, level())
    assert evidence[16:-16, 16:-16].mean() > 0.9


def test_an_edge_does_not_speak_for_what_is_far_from_it():
    seen = noise() + np.where(np.arange(128) < 40, 1000, 0).astype(np.float32)
    evidence = evidence_of_detail(seen, level())
    assert evidence[:, 38:42].min() > 0.9
    assert evidence[:, 70:].max() < 0.5


def test_gain_and_offset_make_no_difference():
    drawn, seen = noise(1) + point(400), noise(2) + point(30)
    before = supported_detail(drawn, seen, level(), 0.25)
    after = supported_detail(7 * drawn + 50, 7 * seen + 50, 7 * level(), 0.25)
    np.testing.assert_allclose(after, 7 * before + 50, rtol=1e-4)


def test_only_loud_places_are_softened():
    drawn = noise()
    loud = np.where(np.arange(128) < 64, 0.12, 0.02).astype(np.float32) + 0 * level()
    soft = softened_where_loud(drawn, loud, 0.25)
    np.testing.assert_array_equal(soft[:, 64:], drawn[:, 64:])
    assert soft[:, :60].std() < 0.6 * drawn[:, :60].std()
