"""Figures go where they belong, and nothing else changes."""

from __future__ import annotations

import shutil

import pytest

from napari_deepblur.engine.models import load_model
from napari_deepblur.evaluation import (
    Table,
    record_in_model,
    record_in_page,
    replace_between,
    require_marks,
)

NOISE = Table("noise", "Noise", "| a |\n| --- |\n| 1 |", {"natural sigma=0 psf_snr": 9.12345})
SPEED = Table("speed", "Speed", "fast", {"seconds": 0.25})
PAGE = (
    "# Page\n\n<!-- noise -->\nold\n<!-- /noise -->\nbetween\n<!-- speed --><!-- /speed -->\nend\n"
)


@pytest.fixture
def model(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "model")
    return load_model(tmp_path / "model")


class TestPage:
    def test_only_what_stands_between_the_marks_changes(self, tmp_path):
        page = tmp_path / "accuracy.md"
        page.write_text(PAGE)
        record_in_page(page, [NOISE, SPEED])
        text = page.read_text()
        assert text == (
            f"# Page\n\n<!-- noise -->\n\n{NOISE.text}\n\n<!-- /noise -->\nbetween\n"
            "<!-- speed -->\n\nfast\n\n<!-- /speed -->\nend\n"
        )
        record_in_page(page, [SPEED, NOISE])
        assert page.read_text() == text

    def test_missing_mark_leaves_the_page_alone(self, tmp_path):
        page = tmp_path / "accuracy.md"
        page.write_text(PAGE)
        with pytest.raises(ValueError, match="accuracy.md.*lacks the marks <!-- other -->"):
            record_in_page(page, [NOISE, Table("other", "", "x", {})])
        assert page.read_text() == PAGE
        require_marks(page, ["noise", "speed"])

    def test_marks_in_the_wrong_order(self):
        with pytest.raises(ValueError, match="lacks"):
            replace_between("<!-- /a --> <!-- a -->", "a", "x")


class TestModel:
    def test_figures_of_one_network(self, model):
        record_in_model(model, "identification", [NOISE, SPEED])
        card = load_model(model.folder).card
        assert card.identification.accuracy == {"natural sigma=0 psf_snr": 9.1235, "seconds": 0.25}
        assert card.identification.main_figures == {"natural sigma=0 psf_snr": 9.1235}
        unchanged = model.card.identification.model_dump(exclude={"accuracy"})
        assert card.identification.model_dump(exclude={"accuracy"}) == unchanged
        assert card.deblurring == model.card.deblurring

    def test_each_network_has_its_place_in_the_card(self, model):
        path = model.folder / "README.md"
        path.write_text("# Model\n\nWords.\n")
        record_in_model(model, "identification", [NOISE])
        record_in_model(load_model(model.folder), "deblurring", [SPEED])
        first = path.read_text()
        assert first.startswith("# Model\n\nWords.\n")
        record_in_model(load_model(model.folder), "identification", [SPEED])
        text = path.read_text()
        assert "| 1 |" in first
        assert "| 1 |" not in text
        assert text.count("### Speed\n\nfast") == 2
        assert "seconds" in load_model(model.folder).card.deblurring.accuracy

    def test_without_the_network(self, model):
        lacking = type(model)(model.folder, model.card.model_copy(update={"deblurring": None}))
        with pytest.raises(ValueError, match="no deblurring network"):
            record_in_model(lacking, "deblurring", [SPEED])
