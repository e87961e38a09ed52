"""Points are the beads that were found, and what the user makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.calibrations import STATUSES, WINDOW, bead_table, beads_in_planes
from helpers.layers import GEOMETRY, assert_same_geometry, known_layer
from napari_deepblur.widgets.calibrate.bead_points import BeadPoints, BeadsInPlane


@pytest.fixture
def beads() -> BeadPoints:
    return BeadPoints(known_layer(96, 128), beads_in_planes(), WINDOW)


def test_points_lie_on_the_image_and_tell_of_the_beads() -> None:
    layer = known_layer(3, 96, 128, **GEOMETRY)
    points = BeadPoints(layer, beads_in_planes(3), WINDOW).points
    assert_same_geometry(points, layer)
    assert points.name == "beads (cells)"
    np.testing.assert_array_equal(points.data[:, 0], np.repeat([0, 1, 2], 6))
    assert list(points.features) == ["status", "fwhm_um", "ellipticity", "snr"]
    assert tuple(points.features["status"]) == 3 * STATUSES
    assert len(np.unique(points.border_color, axis=0)) == len(set(STATUSES))


def test_beads_of_a_stack_lie_in_their_plane() -> None:
    layer = known_layer(4, 96, 128)
    beads = BeadPoints(layer, beads_in_planes(plane=2), WINDOW)
    np.testing.assert_array_equal(beads.points.data[:, 0], 2)
    np.testing.assert_array_equal(beads.points.data[:, 1:], bead_table()[["y", "x"]])


def test_untouched_beads_are_left_to_be_found_again(beads: BeadPoints) -> None:
    assert beads.positions() == [None]
    assert beads.counts() == {"used": 3, "unlike the others": 1, "crowded": 1, "border": 1}


def test_deleted_beads_are_gone_and_rejected_ones_stay_rejected(beads: BeadPoints, qapp) -> None:
    told = []
    beads.edited.connect(lambda: told.append(1))
    beads.points.selected_data = {0, 1}
    beads.points.remove_selected()
    assert told
    (positions,) = beads.positions()
    np.testing.assert_array_equal(positions, bead_table()[["y", "x"]].to_numpy()[[2, 4]])
    assert beads.counts() == {"used": 2, "unlike the others": 1, "border": 1}
    (rejected,) = beads.rejected()
    assert list(rejected["status"]) == ["border", "unlike the others"]


def test_added_and_moved_points_are_the_users(beads: BeadPoints) -> None:
    beads.points.selected_data = {1}
    beads.points.add([50, 60])
    moved = beads.points.data.copy()
    moved[5] += 0.5
    beads.points.data = moved
    assert beads.counts()["added by hand"] == 2
    assert "unlike the others" not in beads.counts()
    statuses = beads.points.features["status"]
    assert list(statuses) == [*STATUSES[:5], "added by hand", "added by hand"]
    np.testing.assert_array_equal(beads.points.border_color[5], beads.points.border_color[6])
    (positions,) = beads.positions()
    assert len(positions) == 5
    np.testing.assert_array_equal(positions[-1], [50, 60])
    assert np.isnan(beads.points.features["snr"].iloc[-1])


def test_points_belong_to_the_time_at_which_they_were_added() -> None:
    layer = known_layer(3, 96, 128, axis_labels=("t", "y", "x"))
    beads = BeadPoints(layer, beads_in_planes(3), WINDOW)
    beads.points.add([1, 50, 60])
    first, second, third = beads.positions()
    assert first is third is None
    assert len(second) == 4


def test_all_can_be_deleted_and_others_taken(beads: BeadPoints) -> None:
    beads.points.selected_data = set(range(6))
    beads.points.remove_selected()
    (positions,) = beads.positions()
    assert positions.shape == (0, 2)
    assert beads.counts() == {}
    beads.points.add([5, 6])
    assert beads.counts() == {"added by hand": 1}
    beads.take(beads_in_planes(), WINDOW)
    assert beads.positions() == [None]
    assert len(beads.points.data) == len(beads.points.border_color) == 6


def test_no_beads_at_all_make_an_empty_layer() -> None:
    nothing = [BeadsInPlane(0, bead_table().iloc[:0])]
    beads = BeadPoints(known_layer(96, 128), nothing, WINDOW)
    assert beads.counts() == {}
    beads.points.add([5, 6])
    (positions,) = beads.positions()
    np.testing.assert_array_equal(positions, [[5, 6]])
