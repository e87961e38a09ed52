"""Concerns: readable text that knows its kind, also after a way through a file."""

import copy
import json
import pickle

import pytest

from napari_deepblur.engine.concerns import Concern, ConcernKind, one_of_each_kind

SATURATED = Concern.of(ConcernKind.SATURATED, share=0.031)


def test_a_concern_is_its_text():
    assert SATURATED == "saturated: 3.1% of the pixels have the highest value"
    assert SATURATED.kind is ConcernKind.SATURATED
    assert json.loads(json.dumps([SATURATED])) == [SATURATED]


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda concern: pickle.loads(pickle.dumps(concern))]
)
def test_copies_know_their_kind(way):
    assert way(SATURATED) == SATURATED
    assert way(SATURATED).kind is ConcernKind.SATURATED


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (str(SATURATED), ConcernKind.SATURATED),
        ("undersampled: the pixels are coarse", ConcernKind.UNDERSAMPLED),
        ("something that a later version says: so", ConcernKind.OTHER),
        ("saturatedly", ConcernKind.OTHER),
    ],
)
def test_the_kind_is_read_off_a_files_text(text, kind):
    assert Concern.read(text) == text
    assert Concern.read(text).kind is kind


def test_planes_read_together_have_one_concern_of_each_kind():
    planes = [("saturated: 3 %", "new: c"), (), ("saturated: 5 %", "d"), ("new: e",)]
    concerns = [tuple(map(Concern.read, plane)) for plane in planes]
    assert one_of_each_kind(concerns) == ("saturated: 3 %", "new: c", "d", "new: e")
