"""Model folders: written and read back, or refused with the reason."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from pydantic import ValidationError

from napari_deepblur.engine import model_files
from napari_deepblur.engine.model_files import write_network
from napari_deepblur.engine.models import Model, available_models, load_model
from napari_deepblur.engine.network_cards import DeblurringCard, HalfQuadraticSizes
from napari_deepblur.errors import ModelError
from napari_deepblur.networks.half_quadratic import HalfQuadraticNetwork
from napari_deepblur.networks.identification import IdentificationNetwork
from napari_deepblur.networks.unrolled import DeblurringNetwork
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily

FAMILY = ZernikeFamily((4, 5, 6, 7, 8, 9, 10), limit_waves=0.15)
SMALL = {"n_iterations": 2, "n_channels": 4, "n_layers": 2}


@pytest.fixture
def folder(tiny_model, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(tiny_model, tmp_path / "damaged")


def edit_card(folder, change):
    path = folder / "model.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def test_round_trip(tmp_path):
    torch.manual_seed(0)
    network = DeblurringNetwork(**SMALL)
    write_network(
        tmp_path / "mine", "deblurring", network, family=FAMILY,
        card={"arguments": SMALL, "trained_on": ("points",), "n_training_crops": 5},
    )  # fmt: skip
    model = load_model(tmp_path / "mine")
    assert model.name == "mine"
    assert model.card.deblurring.trained_on == ("points",)
    assert model.family.coefficient_names[0] == "Z4 defocus"
    read = model.deblurring
    assert not read.training
    for name, value in network.state_dict().items():
        assert read.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(read.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_the_card_says_which_method_the_network_unrolls(tmp_path):
    sizes = HalfQuadraticSizes(method="half-quadratic", n_iterations=2, n_channels=4, n_scales=2)
    folder, card = tmp_path / "mine", {"arguments": sizes.model_dump()}
    write_network(folder, "deblurring", sizes.build(), family=FAMILY, card=card)
    read = load_model(folder).deblurring
    assert isinstance(read, HalfQuadraticNetwork)
    assert read.n_iterations == 2
    edit_card(folder, lambda values: values["deblurring"]["arguments"].update(method="magic"))
    with pytest.raises(ModelError, match="magic"):
        load_model(folder)


@pytest.mark.parametrize(
    "sizes", [{"n_channels": 257}, {"n_scales": 6}, {"n_channels": 200, "n_scales": 4}]
)
def test_a_denoiser_beyond_any_laptop_is_refused(sizes):
    with pytest.raises(ValidationError):
        HalfQuadraticSizes(method="half-quadratic", **sizes)


def test_an_opened_model_is_passed_through(tiny_model):
    model = load_model(tiny_model)
    assert load_model(model) is model
    assert load_model(str(tiny_model)).name == "tiny"


def test_reference_finds_the_model_again(tiny_model):
    model = load_model(tiny_model)
    assert load_model(model.reference).folder == model.folder


def test_networks_answer(tiny_model):
    model = load_model(tiny_model)
    assert isinstance(model, Model)
    assert model.identification(torch.rand(1, 2, 128, 128)).coordinates.shape == (1, 8)
    assert model.identification.space.n_eigen_psfs == 8
    assert not model.varies
    assert model.identification.eigen_psfs.shape == (8, 31, 31)
    assert model.identification.prior_std == pytest.approx(0.15 / 3**0.5)


@pytest.mark.parametrize("kind", ["identification", "deblurring"])
def test_a_network_has_a_copy_for_each_device(tiny_model, kind):
    model = load_model(tiny_model)
    here, elsewhere = torch.device("cpu"), torch.device("meta")
    on_cpu = model.network(kind, here)
    moved = model.network(kind, elsewhere)
    assert model.network(kind, elsewhere) is moved
    assert {value.device for value in moved.parameters()} == {elsewhere}
    # Whoever uses the first copy meanwhile, in another thread, keeps it where it is.
    assert {value.device for value in on_cpu.parameters()} == {here}
    assert model.network(kind, here) is on_cpu


def test_threads_share_the_copy_of_a_network(folder):
    model, began = load_model(folder), Barrier(2)

    def get(_):
        began.wait(10)
        return model.network("identification", torch.device("meta"))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(get, range(2))
    assert first is second


def test_the_space_is_the_one_the_network_was_trained_in(folder):
    card = {"arguments": {"n_outputs": 8}}
    trained_in = EigenPsfSpace.of(ZernikeFamily(), n_eigen_psfs=8, n_samples=300, seed=5)
    network = IdentificationNetwork(trained_in)
    write_network(folder, "identification", network, family=FAMILY, card=card)
    space = load_model(folder).identification.space
    for name in ("mean", "eigen_psfs", "scale"):
        assert torch.equal(getattr(space, name), getattr(trained_in, name))


def test_weights_stay_small_on_disk(tiny_model):
    assert (tiny_model / "identification.safetensors").stat().st_size < 24e6


def test_an_opened_model_stays_as_it_was_when_its_file_is_written_anew(folder):
    model = load_model(folder)
    scale = model.identification.space.scale.clone()
    shared = (folder / "identification.safetensors").read_bytes()
    (folder / "identification.safetensors").write_bytes(bytes(len(shared)))
    assert torch.equal(model.identification.space.scale, scale)


def test_the_other_network_stays(folder):
    before = (folder / "identification.safetensors").read_bytes()
    card = {"arguments": SMALL}
    write_network(folder, "deblurring", DeblurringNetwork(**SMALL), family=FAMILY, card=card)
    assert (folder / "identification.safetensors").read_bytes() == before
    model = load_model(folder)
    assert model.deblurring.n_iterations == 2
    assert model.card.identification is not None


def test_a_retrained_model_is_read_anew(folder):
    assert load_model(folder).deblurring.n_iterations == 3
    card = {"arguments": SMALL}
    write_network(folder, "deblurring", DeblurringNetwork(**SMALL), family=FAMILY, card=card)
    assert load_model(folder).deblurring.n_iterations == 2


def test_a_model_of_another_family_is_not_overwritten(folder):
    other = ZernikeFamily((4, 11), limit_waves=0.1)
    before = (folder / "deblurring.safetensors").read_bytes()
    with pytest.raises(ModelError, match="another family"):
        write_network(
            folder, "deblurring", DeblurringNetwork(**SMALL), family=other,
            card={"arguments": SMALL},
        )  # fmt: skip
    assert (folder / "deblurring.safetensors").read_bytes() == before


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"no model 'wide-field'.*widefield-zernike.*folder"):
        load_model("wide-field")


def test_a_folder_without_description(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize("kind", ["identification", "deblurring"])
def test_a_missing_file(folder, kind):
    (folder / f"{kind}.safetensors").unlink()
    with pytest.raises(ModelError, match=rf"{kind}\.safetensors is missing"):
        load_model(folder)


@pytest.mark.parametrize("kind", ["identification", "deblurring"])
def test_a_truncated_file(folder, kind):
    path = folder / f"{kind}.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated or not the file"):
        getattr(load_model(folder), kind)


def test_a_foreign_file(folder):
    (folder / "deblurring.safetensors").write_bytes(b"\x80\x04something else")
    with pytest.raises(ModelError, match="not the file that model.json describes"):
        _ = load_model(folder).deblurring


def test_weights_of_another_architecture(folder):
    edit_card(folder, lambda card: card["deblurring"]["arguments"].update(n_channels=16))
    with pytest.raises(ModelError, match="not the network that model.json describes"):
        _ = load_model(folder).deblurring


def test_arguments_that_the_network_does_not_have(folder):
    edit_card(folder, lambda card: card["deblurring"]["arguments"].update(n_heads=4))
    with pytest.raises(ModelError, match=r"n_heads.*not permitted"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', '"a text"', "\x00\x01"], ids=repr)
def test_a_description_that_is_none(folder, text):
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match="not a model description") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_binary_description(folder):
    (folder / "model.json").write_bytes(b"\xff\xfe\x80\x81")
    with pytest.raises(ModelError, match="not a model description"):
        load_model(folder)


def test_a_newer_format_is_refused(folder):
    edit_card(folder, lambda card: card.update(format=2))
    with pytest.raises(ModelError, match="format"):
        load_model(folder)


def test_a_model_without_one_network_says_how_to_get_it(tmp_path):
    folder = tmp_path / "half"
    card = {"arguments": SMALL}
    write_network(folder, "deblurring", DeblurringNetwork(**SMALL), family=FAMILY, card=card)
    model = load_model(folder)
    with pytest.raises(ModelError, match="no identification network.*deepblur train"):
        _ = model.identification


def test_the_default_model_is_bundled():
    assert "widefield-zernike" in available_models()


def test_main_figures_are_few():
    measured = {
        "natural sigma=0 psf_snr": 9.0,
        "natural sigma=0 psf_snr_median": 8.0,
        "natural sigma=0 coefficient_rmse_waves": 0.05,
        "natural sigma=0.02 psnr_observed": 20.0,
        "natural sigma=0.02 psnr_true_operator": 25.0,
    }
    card = DeblurringCard(sha256=64 * "0", arguments={}, accuracy=measured)
    assert card.main_figures == {
        "natural sigma=0 psf_snr": 9.0,
        "natural sigma=0.02 psnr_observed": 20.0,
    }


def test_the_deblurring_network_in_use_lacks_its_dead_units():
    model = load_model("widefield-zernike")
    in_use = model.network("deblurring", torch.device("cpu"))
    for proximal, whole, layers in zip(
        in_use.proximal, model.deblurring.proximal, model.card.deblurring.live_units, strict=True
    ):
        widths = [layer.out_channels for layer in proximal.layers[::2]]
        assert widths == [*(units.count("1") for units in layers), 4]
        assert [layer.out_channels for layer in whole.layers[::2]] == [48, 48, 48, 4]
    assert available_models()["widefield"].deblurring.live_units == (
        model.card.deblurring.live_units
    )


@pytest.mark.parametrize(
    ("live", "complaint"),
    [
        ([["1011"]], "4 units in each of 1 layers of 2 iterations"),
        ([["1011"], ["101"]], "4 units"),
        ([["1011", "1111"], ["1011", "1111"]], "4 units"),
        ([["1011"], ["0000"]], "pattern"),
    ],
)
def test_live_units_must_be_those_of_the_network(live, complaint):
    with pytest.raises(ValidationError, match=complaint):
        DeblurringCard(sha256=64 * "0", arguments=SMALL, live_units=live)
    DeblurringCard(sha256=64 * "0", arguments=SMALL, live_units=[["1011"], ["0001"]])


def test_live_units_belong_to_one_method():
    with pytest.raises(ValidationError, match="live_units"):
        DeblurringCard(sha256=64 * "0", arguments={"method": "half-quadratic"}, live_units=[["1"]])


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("step", ["weights written", "described", "in place"])
def test_a_model_stays_whole_whenever_its_writing_is_stopped(folder, monkeypatch, step):
    """The old model or the new one: never one whose weights are refused."""
    save = model_files.save_card

    def stop_at_card(*arguments):
        if step == "described":
            save(*arguments)
        if step in ("weights written", "described"):
            raise Killed
        save(*arguments)

    monkeypatch.setattr(model_files, "save_card", stop_at_card)
    card = {"arguments": SMALL}
    try:
        write_network(folder, "deblurring", DeblurringNetwork(**SMALL), family=FAMILY, card=card)
    except Killed:
        monkeypatch.undo()
    n_iterations = 3 if step == "weights written" else 2
    assert load_model(folder).deblurring.n_iterations == n_iterations
    # And it can be written again.
    write_network(folder, "deblurring", DeblurringNetwork(**SMALL), family=FAMILY, card=card)
    assert load_model(folder).deblurring.n_iterations == 2
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
