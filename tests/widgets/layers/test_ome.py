"""OME-XML in a layer's metadata: read once, and never in the way."""

from __future__ import annotations

import pytest
from napari.layers import Image

from helpers.layers import spots
from napari_deepblur.widgets.layers import ome
from napari_deepblur.widgets.layers.facts import facts_of


def text_of(index: int = 0, inside: str = "") -> str:
    return (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="{index}" PhysicalSizeX="0.1" PhysicalSizeY="0.1">{inside}</Pixels>'
        "</Image></OME>"
    )


@pytest.fixture
def parsed(monkeypatch) -> list[str]:
    """Texts that were parsed."""
    texts, read = [], ome.read_ome_xml
    monkeypatch.setattr(ome, "read_ome_xml", lambda text: (texts.append(text), read(text))[1])
    ome._read.cache_clear()
    return texts


def test_a_layers_text_is_parsed_once(parsed: list[str]) -> None:
    layers = [Image(spots(64, 64), metadata={"ome": text_of(index)}) for index in range(2)]
    for _ in range(5):
        for layer in layers:
            assert facts_of(layer).known["pixel_size_um"].value == 0.1
    assert len(parsed) == 2


def test_no_more_than_a_few_texts_are_remembered(parsed: list[str]) -> None:
    for index in range(100):
        facts_of(Image(spots(64, 64), metadata={"ome": text_of(index)}))
    assert ome._read.cache_info().currsize <= 8


@pytest.mark.parametrize(
    "inside", ["<a>" * 100_000 + "</a>" * 100_000, "<a>" * 100_000, "<!-- ]]> &nbsp;", "<a b=1/>"]
)
def test_odd_xml_says_nothing_and_does_no_harm(inside: str) -> None:
    facts = facts_of(Image(spots(64, 64), metadata={"ome": text_of(inside=inside)}))
    assert not facts.problem
    assert set(facts.known) <= {"pixel_size_um"}
