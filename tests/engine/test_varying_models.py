"""Models of blurs that vary over the field, and models that borrow a ResNet."""

import json
import shutil

import pytest
import torch

from helpers.families import varying_family
from napari_deepblur.engine.model_files import write_network
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
from napari_deepblur.networks.unrolled import DeblurringNetwork
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.operators.family_file import write_family
from napari_deepblur.operators.field_space import FieldSpace

FAMILY = ZernikeFamily((4, 5, 6, 7, 8, 9, 10), limit_waves=0.15)


SMALL = {"n_iterations": 2, "n_channels": 4, "n_layers": 2}


@pytest.fixture
def varying_folder(tiny_varying_model, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(tiny_varying_model, tmp_path / "varying")


def edit_card(folder, change):
    path = folder / "model.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def test_a_varying_model(tiny_varying_model):
    model, family = load_model(tiny_varying_model), varying_family()
    assert model.varies
    assert torch.equal(model.family.eigen_psfs, family.eigen_psfs)
    assert torch.equal(model.family.maps, family.maps)
    vertices = family.admissible_set.vertices
    assert torch.equal(model.family.admissible_set.vertices, vertices)
    assert torch.equal(model.identification.eigen_psfs, family.eigen_psfs)
    assert isinstance(model.identification, FieldIdentificationNetwork)
    assert not model.identification.training
    assert model.deblurring.n_iterations == 3
    assert model.card.family.describe() == "product-convolution, P = 6, 3 eigen-PSFs"


def test_the_usual_deviation_is_that_of_the_family(tiny_varying_model):
    model = load_model(tiny_varying_model)
    std = model.family.admissible_set.sample(2000, seed=3).std(0)
    assert model.identification.prior_std == pytest.approx(float(std.mean()), rel=0.1)


def test_answers_outside_the_set_are_brought_inside(tiny_varying_model):
    model = load_model(tiny_varying_model)
    gamma = model.identification.coefficients(torch.full((2, 6), 5.0))
    assert bool(model.family.admissible_set.contains(gamma).all())
    inside = model.family.admissible_set.sample(2, seed=0)
    torch.testing.assert_close(model.identification.coefficients(inside), inside)


def test_what_the_family_is_like_is_kept_to_the_digit(tiny_varying_model):
    kept = load_model(tiny_varying_model).identification.head.space
    for name, value in FieldSpace.of(varying_family(), n_samples=200).state_dict().items():
        assert torch.equal(getattr(kept, name), value)


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_damaged_family(varying_folder, damage):
    path = varying_folder / "family.npz"
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:-200] if damage == "truncated" else b"something else")
    fragment = "is missing" if damage == "missing" else "is truncated or not the file"
    with pytest.raises(ModelError, match=rf"family\.npz {fragment}") as caught:
        _ = load_model(varying_folder).family
    assert "\n" not in str(caught.value)


def test_the_other_network_of_a_varying_model_stays(varying_folder):
    before = (varying_folder / "family.npz").read_bytes()
    card = {"arguments": SMALL}
    write_network(
        varying_folder, "deblurring", DeblurringNetwork(**SMALL), family=varying_family(), card=card
    )
    assert (varying_folder / "family.npz").read_bytes() == before
    model = load_model(varying_folder)
    assert model.deblurring.n_iterations == 2
    assert isinstance(model.identification, FieldIdentificationNetwork)
    assert {path.suffix for path in varying_folder.iterdir()} == {".json", ".npz", ".safetensors"}


@pytest.mark.parametrize("other", [varying_family().at_cutoff(0.2), FAMILY], ids=["pixels", "kind"])
def test_a_varying_model_is_not_mixed_with_another_family(varying_folder, other):
    before = {path.name: path.read_bytes() for path in varying_folder.iterdir()}
    with pytest.raises(ModelError, match="another family"):
        write_network(
            varying_folder, "deblurring", DeblurringNetwork(**SMALL), family=other,
            card={"arguments": SMALL},
        )  # fmt: skip
    assert {path.name: path.read_bytes() for path in varying_folder.iterdir()} == before


def test_a_calibrated_family_is_not_overwritten(tmp_path):
    """Its folder may be given as the model's: but there the family is at canonical pixels."""
    family = varying_family()
    write_family(tmp_path / "family.npz", family.at_cutoff(0.17))
    before = (tmp_path / "family.npz").read_bytes()
    arguments = {"family": family, "card": {"arguments": SMALL}}
    with pytest.raises(ModelError, match="holds another family.*choose another folder"):
        write_network(tmp_path, "deblurring", DeblurringNetwork(**SMALL), **arguments)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("family.npz", before)
    ]
    write_family(tmp_path / "family.npz", family)
    write_network(tmp_path, "deblurring", DeblurringNetwork(**SMALL), **arguments)
    assert load_model(tmp_path).deblurring.n_iterations == 2


@pytest.fixture
def borrower(tmp_path):
    """A varying model whose ResNet is the bundled one's."""
    base = load_model("widefield-zernike")
    bundled, sha256 = base.identification, base.card.identification.sha256
    family = varying_family()
    space = FieldSpace.of(family, n_samples=100)
    arguments = {**space.sizes, "n_hidden": 8}
    network = FieldIdentificationNetwork(family, space, n_hidden=8)
    network.resnet.load_state_dict(bundled.resnet.state_dict())
    write_network(
        tmp_path / "borrower", "identification", network, family=family,
        card={
            "arguments": arguments, "resnet_of": "widefield-zernike", "resnet_sha256": sha256,
        },
    )  # fmt: skip
    return tmp_path / "borrower"


def test_a_bundled_models_resnet_is_not_stored_twice(borrower):
    assert (borrower / "identification.safetensors").stat().st_size < 1e6
    bundled = load_model("widefield-zernike").identification.resnet.state_dict()
    borrowed = load_model(borrower).identification.resnet.state_dict()
    assert set(bundled) == set(borrowed)
    for name, value in bundled.items():
        assert torch.equal(borrowed[name], value)


def test_a_lender_that_is_gone(borrower):
    edit_card(borrower, lambda card: card["identification"].update(resnet_of="nobody"))
    with pytest.raises(ModelError, match="'nobody', which is no bundled model"):
        _ = load_model(borrower).identification


def test_another_version_of_the_lender_is_refused(borrower):
    edit_card(borrower, lambda card: card["identification"].update(resnet_sha256="0" * 64))
    with pytest.raises(ModelError, match="another version of 'widefield-zernike'"):
        _ = load_model(borrower).identification


def test_a_model_that_has_its_own_resnet_needs_no_lender(tiny_varying_model):
    assert load_model(tiny_varying_model).card.identification.resnet_of is None
    assert (tiny_varying_model / "identification.safetensors").stat().st_size > 20e6
