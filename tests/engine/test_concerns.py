"""Concerns: readable text that knows its kind, also after a way through a file."""

import copy
import json
import pickle

import pytest

from napari_deepblur.engine.concerns import (
    Concern,
    ConcernKind,
    gravest,
    mostly_disowned,
    one_of_each_kind,
)

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


@pytest.mark.parametrize("kind", [kind for kind in ConcernKind if kind is not ConcernKind.OTHER])
def test_every_kind_says_what_to_do_in_one_short_line(kind):
    advice = Concern(kind, f"{kind}: x").advice
    assert 10 < len(advice) <= 50
    assert not advice.endswith(".")
    assert advice[0].islower()


def test_a_guess_is_the_gravest():
    guess = Concern.of(ConcernKind.GUESS)
    assert gravest([SATURATED, guess]) is guess
    assert gravest([SATURATED, Concern.of(ConcernKind.NEARLY_EMPTY)]) is SATURATED


@pytest.mark.parametrize(
    ("n_guesses", "n_others", "is_disowned"), [(0, 0, False), (1, 1, False), (2, 1, True)]
)
def test_more_than_half_are_guesses(n_guesses, n_others, is_disowned):
    guess, other = (Concern.of(ConcernKind.GUESS),), (SATURATED,)
    assert mostly_disowned([guess] * n_guesses + [other] * n_others) is is_disowned


def test_planes_read_together_have_one_concern_of_each_kind():
    planes = [("saturated: 3 %", "new: c"), (), ("saturated: 5 %", "d"), ("new: e",)]
    concerns = [tuple(map(Concern.read, plane)) for plane in planes]
    assert one_of_each_kind(concerns) == ("saturated: 3 %", "new: c", "d", "new: e")
