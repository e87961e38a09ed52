"""Training for a family that varies over the field: from a family folder to a model."""

import csv
import json
import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import nn

from helpers.families import varying_family
from helpers.images import CANONICAL_OPTICS
from napari_deepblur import deblur, estimate_blur
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.networks.head import Prediction
from napari_deepblur.operators.family_file import write_family
from napari_deepblur.operators.field_space import FieldSpace
from napari_deepblur.training import field_identification
from napari_deepblur.training.config import (
    DeblurringConfig,
    FamilyFolderConfig,
    IdentificationConfig,
    SceneSource,
    StageConfig,
    read_config,
)
from napari_deepblur.training.data.sources import is_held_out
from napari_deepblur.training.descriptions import Descriptions, draw_blurs
from napari_deepblur.training.field_identification import (
    FieldHeadTask,
    FieldIdentificationTask,
    even_places,
    field_snr,
)
from napari_deepblur.training.run import train_model_job

CPU = torch.device("cpu")
N_STEPS = 6


@pytest.fixture(scope="module")
def family_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    write_family(folder / "family.npz", varying_family())
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two held-out files and one to train with."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(1000)]
    held_out = [path for path in paths if is_held_out(path)][:2]
    for path in (*held_out, next(path for path in paths if not is_held_out(path))):
        blocks = rng.integers(0, 255, (40, 40), np.uint8)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(path)
    return folder


@pytest.fixture(autouse=True, scope="module")
def few_places():
    """What only makes the training slower."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_identification, "_N_VALIDATION", 2)
        of = FieldSpace.of.__func__
        few = classmethod(lambda cls, family: of(cls, family, n_samples=200))
        patch.setattr(FieldSpace, "of", few)
        yield


def config_of(output, family_folder, start_from, **changes):
    settings = {
        "output": output,
        "start_from": str(start_from),
        "sources": {"points": {"scene": "points"}},
        "family": {"folder": family_folder, "cutoff": (0.2, 0.3)},
        "descriptions": {
            "n_blurs": 20, "images_per_blur": 1, "size": 256, "mix": {"points": 1},
            "foreign": 0.2,
        },
        "head_stages": [{"n_crops": 4 * N_STEPS, "batch": 4}],
        "n_hidden": 16,
        "averaging": 0.5,
        "device": "cpu",
    }  # fmt: skip
    return IdentificationConfig(**(settings | changes))


def with_images(folder):
    return {"points": {"scene": "points"}, "pictures": {"folder": folder}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, family_folder, images, tiny_model):
    """A model of a training that was never interrupted."""
    output = tmp_path_factory.mktemp("trained") / "mine"
    config = config_of(output, family_folder, tiny_model, sources=with_images(images))
    return finish(train_model_job("identification", config))


def test_a_training_makes_a_model(trained, family_folder):
    model = load_model(trained)
    assert (model.name, model.varies) == ("mine", True)
    assert torch.equal(model.family.maps, varying_family().maps)
    card = model.card.identification
    assert card.trained_on == ("points (drawn)", "pictures images")
    assert (card.n_described_images, card.cutoff_range) == (20, (0.2, 0.3))
    # Of errors that are no larger nor smaller than the coefficients themselves.
    assert 0.05 < card.std_factor < 20
    assert card.arguments.n_local == 2
    (log,) = trained.rglob("log.csv")
    (row,) = csv.DictReader(log.read_text().splitlines())
    assert math.isfinite(float(row["pictures psf_field_snr_db sigma=0.01"]))
    assert math.isfinite(float(row["loss"]))


def test_the_model_estimates(trained):
    image = np.random.default_rng(0).poisson(50, (140, 160))
    blur = estimate_blur(image, model=trained, optics=CANONICAL_OPTICS, device="cpu")
    assert blur.coefficients.shape == (1, 6)
    hull = load_model(trained).family.admissible_set
    assert bool(hull.contains(torch.from_numpy(blur.coefficients), tolerance=1e-5).all())
    assert np.isfinite(blur.std).all()
    assert (blur.std[:, 1:] > 1e-3).all()
    assert (blur.std < 1).all()
    assert blur.psf(position_yx=(3, 150)).sum() == pytest.approx(1, abs=1e-4)


def test_the_new_model_deblurs_with_the_network_of_the_start(trained, tiny_model):
    start = load_model(tiny_model).deblurring.state_dict()
    for name, value in load_model(trained).deblurring.state_dict().items():
        assert torch.equal(value, start[name])
    image = np.random.default_rng(0).poisson(50, (140, 160))
    blur = estimate_blur(image, model=trained, optics=CANONICAL_OPTICS, device="cpu")
    assert deblur(image, blur, device="cpu").shape == image.shape


def test_the_resnet_is_that_of_the_start(trained, tiny_model):
    start = load_model(tiny_model).identification.resnet.state_dict()
    for name, value in load_model(trained).identification.resnet.state_dict().items():
        assert torch.equal(value, start[name])


def test_a_resumed_training_equals_an_uninterrupted_one(
    trained, family_folder, images, tiny_model, tmp_path
):
    folder = tmp_path / "resumed"
    described = "training/identification/descriptions"
    shutil.copytree(trained / described, folder / described)
    first, *_ = sorted((folder / described).iterdir())
    written = first.stat().st_mtime_ns
    config = config_of(
        folder, family_folder, tiny_model, sources=with_images(images), checkpoint_every=1
    )
    job = train_model_job("identification", config)
    seen = [next(job).stage for _ in range(4)]
    job.close()
    assert "stage 1 of 1" in seen
    assert not (folder / "model.json").exists()
    events = list(train_model_job("identification", config))
    assert sum(event.stage == "stage 1 of 1" for event in events) < N_STEPS
    assert first.stat().st_mtime_ns == written  # nothing was described again
    whole, resumed = (load_model(path).identification.state_dict() for path in (trained, folder))
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=1e-4, atol=1e-6, msg=name)


def task_of(family_folder, start_from, **changes):
    return FieldIdentificationTask(config_of("none", family_folder, start_from, **changes), CPU)


@pytest.fixture
def task(family_folder, tiny_model):
    return task_of(family_folder, tiny_model)


def test_of_the_same_family_the_head_goes_on_too(trained, task):
    task.start_from(load_model(trained))
    head = load_model(trained).identification.head.state_dict()
    for name, value in task.network.head.state_dict().items():
        assert torch.equal(value, head[name])


def test_of_another_family_only_the_resnet_is_taken(trained, tiny_model, tmp_path):
    write_family(tmp_path / "family.npz", varying_family(window=15).at_cutoff(0.2))
    other = task_of(tmp_path, tiny_model)
    other.family.admissible_set.vertices.mul_(0.5)  # not used any more
    with torch.no_grad():
        other.network.head.space.mean.add_(0.1)
    before = {name: value.clone() for name, value in other.network.head.state_dict().items()}
    other.start_from(load_model(trained))
    for name, value in other.network.head.state_dict().items():
        assert torch.equal(value, before[name])
    start = load_model(tiny_model).identification.resnet.state_dict()
    for name, value in other.network.resnet.state_dict().items():
        assert torch.equal(value, start[name])


def test_a_head_of_another_width_is_no_start(trained, family_folder, tiny_model):
    wide = config_of("none", family_folder, trained, n_hidden=24)
    with pytest.raises(ModelError, match="another shape"):
        finish(train_model_job("identification", wide))


def test_a_bundled_resnet_is_borrowed(monkeypatch, trained, family_folder, tmp_path):
    """And one of a model that has borrowed it itself is borrowed of its owner."""
    monkeypatch.setattr("napari_deepblur.engine.models._BUNDLED", tmp_path)
    shutil.copytree(trained, tmp_path / "owner", ignore=shutil.ignore_patterns("training"))
    described = "training/identification/descriptions"
    for output, start_from in (("first", "owner"), ("second", "first")):
        shutil.copytree(trained / described, tmp_path / output / described)
        config = config_of(tmp_path / output, family_folder, start_from)
        folder = finish(train_model_job("identification", config))
        assert json.loads((folder / "model.json").read_text())["identification"]["resnet_of"] == (
            "owner"
        )
        assert (folder / "identification.safetensors").stat().st_size < 1e6
        resnet = load_model(folder).identification.resnet.state_dict()
        for name, value in load_model(trained).identification.resnet.state_dict().items():
            assert torch.equal(resnet[name], value)


def test_places_are_the_middles_of_even_parts():
    expected = [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
    torch.testing.assert_close(even_places(2), torch.tensor(expected))
    assert float(even_places(8).abs().max()) == pytest.approx(7 / 8)


def test_the_snr_over_the_field():
    """Twice the eigen-PSFs' difference from the truth: 6 dB less."""
    family = varying_family()
    gamma = family.admissible_set.vertices[:3]
    error = torch.tensor([0.0, 0.05, 0.02, -0.03, 0.0, 0.04])
    near = field_snr(family, gamma + error, gamma)
    assert near.shape == (3,)
    far = field_snr(family, gamma + 2 * error, gamma)
    torch.testing.assert_close(near - far, torch.full((3,), 20 * math.log10(2)), rtol=1e-3, atol=0)


def test_foreign_blurs_lie_beyond_the_hull():
    hull = varying_family().admissible_set
    generator = torch.Generator().manual_seed(0)
    gamma, foreign = draw_blurs(hull, 60, 0.4, generator)
    assert float(foreign.float().mean()) == pytest.approx(0.4, abs=0.15)
    assert bool(hull.contains(gamma[~foreign]).all())
    assert not bool(hull.contains(gamma[foreign]).any())
    # Their PSFs have sum 1 as all others.
    psfs = varying_family().psf_at(gamma[foreign], even_places(2))
    torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(psfs.shape[:2]), rtol=0, atol=1e-4)


class Guesser(nn.Module):
    """A head that reads off descriptions what it is to answer, and is 0.02 unsure of it."""

    def __init__(self, space):
        super().__init__()
        self.space = space
        self.register_buffer("log_temper", torch.zeros(()))

    def forward(self, descriptions, field_yx):
        coordinates = descriptions[:, 0, :6]
        log_std = self.space.factors.norm(dim=0).clamp_min(1e-19).log() * 0 + math.log(0.02)
        log_std[0] = -43.0  # the first coefficient is always 1
        return Prediction(coordinates, torch.zeros(len(coordinates)), log_std + self.log_temper)


def guesses(space, n=800):
    """Descriptions that say γ with errors of a deviation of 0.03, well inside the hull."""
    generator = torch.Generator().manual_seed(0)
    truth = varying_family().admissible_set.centroid.expand(n, -1)
    error = 0.03 * torch.randn(n, 6, generator=generator)
    error[:, 0] = 1e-7
    described = torch.zeros(n, 1, 4, 8)
    described[:, 0, 0, :6] = truth + error
    return Descriptions(described, truth, torch.zeros(n, dtype=torch.bool)), error


def test_the_standard_errors_cover_what_they_should(task):
    task.network.head = Guesser(task.network.head.space)
    descriptions, error = guesses(task.network.head.space)
    factor = finish(task.learn_errors_job(descriptions))
    # 95 % of normal errors lie within 1.96 deviations.
    assert factor == pytest.approx(1.96 * 0.03 / (2 * 0.02), rel=0.05)
    std = 0.02 * math.exp(float(task.network.head.log_temper))
    covered = (error[:, 1:].abs() <= 2 * std).float().mean()
    assert float(covered) == pytest.approx(0.95, abs=0.01)


def test_foreign_blurs_are_no_examples_of_errors(task):
    task.network.head = Guesser(task.network.head.space)
    descriptions, _ = guesses(task.network.head.space)
    expected = finish(task.learn_errors_job(descriptions))
    task.network.head.log_temper.zero_()
    n = len(descriptions)
    mixed = Descriptions(
        torch.cat([descriptions.description, torch.zeros(n, 1, 4, 8)]),
        torch.cat([descriptions.coefficients, torch.full((n, 6), 50.0)]),
        torch.arange(2 * n) >= n,
    )
    assert finish(task.learn_errors_job(mixed)) == pytest.approx(expected)
    strange = Descriptions(mixed.description, mixed.coefficients, torch.ones(2 * n) > 0)
    with pytest.raises(ValueError, match="more n_blurs"):
        finish(task.learn_errors_job(strange))


def telling(task, n, *, seed, noise=0.3):
    """Descriptions of 4 tiles, whose first features are the numbers of their places."""
    space = task.network.head.space
    generator = torch.Generator().manual_seed(seed)
    gamma = task.family.admissible_set.sample(n, generator=generator)
    numbers = torch.einsum("tqr,nr->ntq", space.design(even_places(2)), space.encode(gamma))
    described = torch.zeros(n, 1, 4, task.network.n_features)
    described[..., 512:] = 1
    numbers = numbers + noise * torch.randn(numbers.shape, generator=generator)
    described[:, 0, :, :2] = numbers
    return Descriptions(described, gamma, torch.zeros(n, dtype=torch.bool))


def test_the_heads_loss_is_that_of_the_psfs_over_the_field(task):
    head_task = FieldHeadTask(task, telling(task, 8, seed=0))
    family, places = task.family, even_places(5)
    gamma = family.admissible_set.sample(3, seed=2)
    wrong = gamma + torch.tensor([0.0, 0.05, 0.02, -0.03, 0.0, 0.04])
    true, estimated = (family.psf_at(one, places) for one in (gamma, wrong))
    relative = (estimated - true).square().sum((-2, -1)) / true.square().sum((-2, -1))
    expected = (relative + task.config.error_floor).log().mean(1)
    torch.testing.assert_close(head_task._field_error(wrong, gamma), expected, rtol=1e-3, atol=1e-4)


def test_the_head_learns_what_tiles_tell(family_folder, tiny_model):
    task = task_of(family_folder, tiny_model, error_floor=1e-3, n_hidden=32)
    torch.manual_seed(0)
    head_task = FieldHeadTask(task, telling(task, 400, seed=0))
    head, generator = task.network.head, torch.Generator().manual_seed(1)
    stage = StageConfig(n_crops=1, mix={}, batch=32)
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3)
    head.train()
    losses = []
    for _ in range(150):
        loss = head_task.loss(None, stage, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) - 0.5
    unseen = telling(task, 60, seed=9)
    with torch.no_grad():
        prediction = head.eval()(unseen.description[:, 0], even_places(2))
    estimate = task.family.admissible_set.project(prediction.coordinates)
    mean = task.family.admissible_set.sample(200, seed=0).mean(0).expand_as(estimate)
    snr, floor = (
        float(field_snr(task.family, one, unseen.coefficients).mean()) for one in (estimate, mean)
    )
    assert snr > floor + 2
    # And it knows about how well it does.
    relative = (prediction.coordinates - unseen.coefficients)[:, 1:] / prediction.log_std[
        :, 1:
    ].exp()
    assert 0.4 < float(relative.square().mean().sqrt()) < 2.5


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"stages": [StageConfig(n_crops=1, mix={"points": 1})]}, "leave out stages"),
        ({"family": {"folder": "x", "limit_waves": 0.1}}, "limit_waves"),
        ({"family": {"cutof": (0.2, 0.3)}}, "cutof"),
        ({"head_stages": []}, "head_stages"),
    ],
)
def test_inconsistent_settings_are_refused(family_folder, changes, fragment):
    with pytest.raises(ValidationError, match=fragment):
        config_of("none", family_folder, "widefield-zernike", **changes)


def test_a_start_is_needed(family_folder):
    settings = config_of("none", family_folder, "widefield-zernike").model_dump()
    with pytest.raises(ValidationError, match="give start_from.*such as widefield-zernike"):
        IdentificationConfig(**(settings | {"start_from": None}))


def test_a_family_that_is_not_there(tmp_path, tiny_model):
    with pytest.raises(ModelError, match=r"family\.npz is missing"):
        finish(train_model_job("identification", config_of("none", tmp_path, tiny_model)))


def test_haze_is_a_pupils(family_folder, tiny_model):
    with pytest.raises(ValueError, match=r"set conditions\.haze to 0"):
        task_of(family_folder, tiny_model, conditions={"haze": 0.1})


def test_the_familys_folder_is_meant_from_the_settings_file(tmp_path):
    path = tmp_path / "config.yaml"
    common = "output: out\nsources: {points: {scene: points}}\n"
    head = (
        "start_from: widefield-zernike\nfamily: {folder: ../family}\n"
        "descriptions: {n_blurs: 2, mix: {points: 1}}\nhead_stages: [{n_crops: 1}]\n"
    )
    path.write_text(common + head)
    config = read_config(path, IdentificationConfig)
    assert config.family == FamilyFolderConfig(folder=tmp_path / "../family")
    varying = "varying: 0.3\nvarying_families: [../one, ../two]\n"
    path.write_text(common + "stages: [{n_crops: 1, mix: {points: 1}}]\n" + varying)
    config = read_config(path, DeblurringConfig)
    assert config.varying_families == [tmp_path / "../one", tmp_path / "../two"]


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"varying": 0.3}, "go together"),
        ({"varying_families": ["x"]}, "go together"),
        ({"varying": 0.6, "varying_families": ["x"], "gaussian_mixtures": 0.5}, "exceeds 1"),
        ({"family": {"folder": "x"}, "gaussian_mixtures": 0.1}, "all batches"),
        ({"family": {"folder": "x"}, "varying": 0.6, "varying_families": ["x"]}, "all batches"),
    ],
)
def test_shares_of_a_deblurring_network_that_do_not_fit(changes, fragment):
    settings = {
        "output": "out",
        "sources": {"points": SceneSource(scene="points")},
        "stages": [StageConfig(n_crops=1, mix={"points": 1})],
    }
    with pytest.raises(ValidationError, match=fragment):
        DeblurringConfig(**(settings | changes))


def test_a_deblurring_network_joins_the_model(trained, family_folder, images, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("training"))
    config = DeblurringConfig(
        output=folder, sources=with_images(images), device="cpu", averaging=0.5,
        family={"folder": family_folder},
        network={"method": "fista", "n_iterations": 2, "n_channels": 4, "n_layers": 2},
        stages=[StageConfig(n_crops=4, mix={"points": 1}, crop=48, batch=2, coefficient_error=0.1)],
    )  # fmt: skip
    finish(train_model_job("deblurring", config))
    model = load_model(folder)
    assert model.deblurring.n_iterations == 2
    assert model.card.identification is not None
    (log,) = folder.rglob("log.csv")
    (row,) = csv.DictReader(log.read_text().splitlines())
    assert float(row["pictures deblurred_psnr_db"]) > 0
