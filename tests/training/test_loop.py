"""The training loop: it learns, stops and goes on as if it had not stopped."""

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from napari_deepblur.cli import app
from napari_deepblur.engine.events import Progress, finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.networks.half_quadratic import HalfQuadraticNetwork
from napari_deepblur.training.config import (
    DeblurringConfig,
    IdentificationConfig,
    SceneSource,
    StageConfig,
)
from napari_deepblur.training.data.sources import Mixture, ProceduralScenes, is_held_out
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.identification import IdentificationTask
from napari_deepblur.training.loop import Validated, train
from napari_deepblur.training.run import train_model_job

CPU = torch.device("cpu")
SOURCES = {"points": SceneSource(scene="points"), "lines": SceneSource(scene="filaments")}
STAGES = [
    StageConfig(n_crops=4, mix={"points": 1}, crop=64, batch=2),
    StageConfig(n_crops=3, mix={"points": 1, "lines": 1}, crop=64, batch=2),
]
N_STEPS = 4  # 2 + 2


def identification_config(output, **changes):
    settings = {"output": output, "sources": SOURCES, "stages": STAGES, "n_eigen_psfs": 6}
    settings |= {
        "descriptions": {"n_blurs": 40, "images_per_blur": 1, "size": 128, "mix": {"points": 1}},
        "head_stages": [{"n_crops": 16, "batch": 4}],
        "n_hidden": 16,
        "n_error_examples": 6,
    }
    return IdentificationConfig(**(settings | {"averaging": 0.5} | changes))


def deblurring_config(output, **changes):
    settings = {"output": output, "sources": SOURCES, "stages": STAGES}
    network = {"method": "fista", "n_iterations": 2, "n_channels": 4, "n_layers": 2}
    return DeblurringConfig(**(settings | {"network": network, "averaging": 0.5} | changes))


def half_quadratic_config(output, **changes):
    network = {"method": "half-quadratic", "n_iterations": 2, "n_channels": 4, "n_scales": 2}
    first, second = STAGES
    stages = [
        first.model_copy(update={"learns": "denoising"}),
        second.model_copy(update={"earlier_iterations": 0.5}),
    ]
    return deblurring_config(output, **({"network": network, "stages": stages} | changes))


def small_identification_task(config, device):
    """With batch normalisation like the ResNet-18, but without its 180 MB per checkpoint."""
    task = IdentificationTask(config, device)
    task.network.resnet = nn.Sequential(
        nn.Conv2d(1, 8, 7, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 512),
    )
    return task


SMALL = {
    "identification": (small_identification_task, identification_config),
    "deblurring": (DeblurringTask, deblurring_config),
    "half-quadratic": (DeblurringTask, half_quadratic_config),
}
KINDS = {
    "identification": (IdentificationTask, identification_config),
    "deblurring": (DeblurringTask, deblurring_config),
}
FIGURES = {"identification": "psf_snr_db sigma=0.05", "deblurring": "deblurred_psnr_db"}
both_kinds = pytest.mark.parametrize(("task", "make"), SMALL.values(), ids=SMALL.keys())


def run(task, config, folder, *, n_steps=None):
    """Train to the end, or leave after some steps as a killed process would."""
    job = train(task(config, CPU), config, CPU, folder)
    if n_steps is None:
        return finish(job)
    for _ in range(n_steps):
        next(job)
    job.close()
    return None


def assert_same_weights(first, second):
    other = second.state_dict()
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, other[name], rtol=1e-5, atol=1e-7, msg=name)


@both_kinds
def test_a_resumed_run_equals_an_uninterrupted_one(task, make, tmp_path):
    config = make(tmp_path, checkpoint_every=1)
    whole = run(task, config, tmp_path / "whole")
    run(task, config, tmp_path / "parts", n_steps=1)
    run(task, config, tmp_path / "parts", n_steps=2)
    resumed = run(task, config, tmp_path / "parts")
    assert_same_weights(resumed, whole)
    untrained = task(config, CPU).network.state_dict()
    moved = [not torch.equal(value, untrained[name]) for name, value in whole.named_parameters()]
    assert any(moved)
    assert not whole.training


class DropoutTask:
    """A layer with dropout that learns to return its input."""

    def __init__(self, config, device):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Dropout(0.4), nn.Linear(8, 8)).to(device)

    def loss(self, sources, stage, generator):
        values = torch.rand(stage.batch, 8, generator=generator)
        return (self.network(values) - values).square().mean()

    def validate(self, network):
        return {}


def test_a_resumed_run_with_dropout_equals_an_uninterrupted_one(tmp_path):
    config = deblurring_config(tmp_path, checkpoint_every=1)
    whole = run(DropoutTask, config, tmp_path / "whole")
    run(DropoutTask, config, tmp_path / "parts", n_steps=2)
    torch.manual_seed(1)  # another process begins from another state
    resumed = run(DropoutTask, config, tmp_path / "parts")
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


@both_kinds
def test_work_since_the_last_checkpoint_is_done_again(task, make, tmp_path):
    config = make(tmp_path, checkpoint_every=2)
    whole = run(task, config, tmp_path / "whole")
    run(task, config, tmp_path / "parts", n_steps=3)
    assert_same_weights(run(task, config, tmp_path / "parts"), whole)


@both_kinds
def test_reports_every_step(task, make, tmp_path):
    config = make(tmp_path)
    events = list(train(task(config, CPU), config, CPU, tmp_path))
    assert [event.done for event in events] == list(range(1, N_STEPS + 1))
    assert {event.total for event in events} == {N_STEPS}
    assert [event.stage for event in events] == ["stage 1 of 2"] * 2 + ["stage 2 of 2"] * 2


def test_a_finished_run_has_nothing_to_do(tmp_path):
    config = deblurring_config(tmp_path)
    first = run(DeblurringTask, config, tmp_path)
    job = train(DeblurringTask(config, CPU), config, CPU, tmp_path)
    with pytest.raises(StopIteration) as stop:
        next(job)
    assert_same_weights(stop.value.value, first)


def test_the_log_has_a_row_for_each_validation(tmp_path):
    config = deblurring_config(tmp_path, validate_every=1)
    run(DeblurringTask, config, tmp_path, n_steps=3)
    (log,) = tmp_path.glob("*.csv")
    with log.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert [row["stage"] for row in rows] == ["1", "1", "2"]
    assert all(float(row["loss"]) < 10 for row in rows)
    assert all(float(row["crops_per_second"]) > 0 for row in rows)


def test_the_learning_rate_warms_up_and_follows_its_cosine(tmp_path):
    stage = StageConfig(
        n_crops=4, mix={"points": 1}, crop=64, batch=2, learning_rate=1e-2,
        final_learning_rate=1e-3,
    )  # fmt: skip
    config = deblurring_config(tmp_path, stages=[stage, stage], validate_every=1)
    run(DeblurringTask, config, tmp_path)
    (log,) = tmp_path.glob("*.csv")
    with log.open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    # Warm-up over 100 steps times half a cosine, which starts anew in the second stage.
    assert rates == pytest.approx([1e-4, 2 * 5.5e-5, 3e-4, 4 * 5.5e-5], rel=1e-3)


def test_the_log_tells_where_the_run_is(tmp_path):
    run(DeblurringTask, deblurring_config(tmp_path, validate_every=1), tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    # A stage of 3 crops in batches of 2 takes 4.
    assert [row["crops"] for row in rows] == ["2", "4", "6", "8"]
    assert [row["crops_in_stage"] for row in rows] == ["2", "4", "2", "4"]
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_an_interrupted_run_logs_each_step_once(tmp_path):
    config = deblurring_config(tmp_path, validate_every=1, checkpoint_every=2)
    run(DeblurringTask, config, tmp_path, n_steps=3)
    run(DeblurringTask, config, tmp_path)
    with (tmp_path / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


class OneWeight:
    """A weight that every step moves; its loss draws one number."""

    def __init__(self):
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, 100.0)
        self.weights = []

    def loss(self, sources, stage, generator):
        self.weights.append(float(self.network.weight.detach()))
        return (self.network.weight * torch.rand((), generator=generator)).square().sum()

    def validate(self, network):
        return {"weight": float(network.weight.detach())}


@pytest.mark.parametrize("averaging", [0.999, 0.3])
def test_the_average_forgets_a_random_start(averaging, tmp_path):
    stage = StageConfig(
        n_crops=30, mix={"points": 1}, batch=1, learning_rate=10, final_learning_rate=10
    )
    config = deblurring_config(tmp_path, stages=[stage], averaging=averaging)
    task = OneWeight()
    network = finish(train(task, config, CPU, tmp_path))
    final = float(torch.load(tmp_path / "checkpoint.pt")["network"]["weight"])
    after = [*task.weights[1:], final]
    expected = after[0]
    for n, weight in enumerate(after[1:], 1):
        decay = min(averaging, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * weight
    assert float(network.weight.detach()) == pytest.approx(expected, rel=1e-5)
    assert abs(expected - 100) > 0.5 * abs(final - 100)


def test_validations_are_told_with_speed_and_figures(tmp_path):
    stages = [StageConfig(n_crops=10, mix={"points": 1}, batch=2)]
    config = deblurring_config(tmp_path, stages=stages, validate_every=2)
    events = list(train(OneWeight(), config, CPU, tmp_path))
    told = [event for event in events if isinstance(event, Validated)]
    assert [event.done for event in told] == [2, 4, 5]
    assert [event.n_crops for event in told] == [4, 8, 10]
    assert all(event.crops_per_second > 0 for event in told)
    assert 0 < told[0].seconds < told[1].seconds
    assert set(told[0].figures) == {"weight"}
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == pytest.approx(
        [event.loss for event in told], rel=1e-4
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_the_train_command_prints_each_validation(as_json, tmp_path, monkeypatch):
    def job(kind, config):
        yield Progress(1, 2, "stage 1 of 1")
        yield Validated(
            2, 2, "stage 1 of 1", loss=-1.5, crops_per_second=32.04,
            figures={"natural psnr_db": 27.126}, n_crops=128, seconds=8.0,
        )  # fmt: skip
        return config.output

    monkeypatch.setattr("napari_deepblur.training.run.train_model_job", job)
    settings = tmp_path / "run.yaml"
    settings.write_text(
        "output: model\nsources: {points: {scene: points}}\n"
        "stages: [{n_crops: 8, mix: {points: 1}}]\n"
    )
    arguments = ["train", "deblurring", str(settings)] + ["--json"] * as_json
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    told, total = (result.stderr if as_json else result.stdout).splitlines()[:2]
    assert told == ("step 2 of 2  stage 1 of 1  32.0 crops/s  loss -1.5000  natural psnr_db 27.13")
    assert total == "128 crops in 8 s, 16.0 crops/s with validation"
    if as_json:
        assert json.loads(result.stdout) == {"model": str(tmp_path / "model")}


def write_pictures(folder):
    """A folder with training and held-out pictures."""
    folder.mkdir()
    paths = [Path(f"{number}.png") for number in range(200)]
    kept = [path for path in paths if is_held_out(path)][:2]
    kept += [path for path in paths if not is_held_out(path)][:3]
    for path in kept:
        picture = torch.randint(0, 255, (170, 170), dtype=torch.uint8)
        Image.fromarray(picture.numpy()).save(folder / path)


@pytest.mark.parametrize("kind", KINDS)
def test_from_settings_to_a_model_folder(kind, tmp_path, monkeypatch):
    # Validation images as small as the training crops keep this test fast.
    monkeypatch.setattr(f"napari_deepblur.training.{kind}._N_VALIDATION", 2)
    monkeypatch.setattr(f"napari_deepblur.training.{kind}._VALIDATION_SIZE", 128)
    write_pictures(tmp_path / "pictures")
    config = KINDS[kind][1](
        tmp_path / "model",
        sources=SOURCES | {"pictures": {"folder": tmp_path / "pictures"}},
        stages=[
            StageConfig(n_crops=4, mix={"points": 1, "pictures": 1}, crop=64, batch=2),
        ],
        device="cpu",
    )
    folder = finish(train_model_job(kind, config))
    card = getattr(load_model(folder).card, kind)
    assert card.n_training_crops == 4
    assert set(card.trained_on) == {"points (drawn)", "filaments (drawn)", "pictures images"}
    assert isinstance(getattr(load_model(folder), kind), nn.Module)
    logs = list(folder.rglob("*.csv"))
    assert len(logs) == {"identification": 2, "deblurring": 1}[kind]  # the ResNet's, the head's
    for log in logs:
        (row,) = csv.DictReader(log.read_text().splitlines())
        assert any(name.startswith("pictures") and name.endswith(FIGURES[kind]) for name in row)


def test_training_goes_on_from_a_model(tiny_model, tmp_path):
    before = {
        name: value.clone() for name, value in load_model(tiny_model).deblurring.named_parameters()
    }
    config = deblurring_config(
        tmp_path / "model",
        start_from=str(tiny_model),
        stages=[StageConfig(n_crops=2, mix={"points": 1}, crop=64, batch=2, learning_rate=1e-7)],
        network={"method": "fista", "n_iterations": 3, "n_channels": 8, "n_layers": 2},
    )
    after = load_model(finish(train_model_job("deblurring", config))).deblurring
    for name, value in after.named_parameters():
        torch.testing.assert_close(value, before[name], rtol=1e-3, atol=1e-5)


def test_a_half_quadratic_network_becomes_a_model(tmp_path):
    folder = finish(train_model_job("deblurring", half_quadratic_config(tmp_path, device="cpu")))
    model = load_model(folder)
    assert model.card.deblurring.arguments.method == "half-quadratic"
    assert isinstance(model.deblurring, HalfQuadraticNetwork)
    assert model.deblurring.n_iterations == 2


def test_denoising_trains_the_denoiser_alone(tmp_path):
    learner = DeblurringTask(half_quadratic_config(tmp_path), CPU)
    source = Mixture({"points": ProceduralScenes("points")}, {"points": 1})
    stage = StageConfig(n_crops=2, mix={"points": 1}, crop=64, batch=2, learns="denoising")
    learner.loss(source, stage, torch.Generator().manual_seed(4)).backward()
    trained = {name for name, value in learner.network.named_parameters() if value.grad is not None}
    assert trained == {
        name for name, _ in learner.network.named_parameters() if name.startswith("denoiser.")
    }


def test_earlier_iterations_count_as_much_as_asked(tmp_path):
    config = half_quadratic_config(tmp_path)
    learner = DeblurringTask(config, CPU)
    source = Mixture({"points": ProceduralScenes("points")}, {"points": 1})
    stage = StageConfig(n_crops=2, mix={"points": 1}, crop=64, batch=2)
    last, both, mostly_first = (
        float(
            learner.loss(
                source,
                stage.model_copy(update={"earlier_iterations": weight}),
                torch.Generator().manual_seed(4),
            ).detach()
        )
        for weight in (0.0, 1.0, 1e6)
    )
    assert both == pytest.approx((last + mostly_first) / 2, rel=1e-3)
    assert last != pytest.approx(mostly_first, rel=1e-3)


def test_a_wrong_blur_changes_the_loss(tmp_path):
    config = deblurring_config(tmp_path)
    learner = DeblurringTask(config, CPU)
    crops = ProceduralScenes("points").sample(4, 94, torch.Generator().manual_seed(0))
    source = Mixture({"points": OneBatch(crops)}, {"points": 1})
    losses = [
        float(learner.loss(source, stage, torch.Generator().manual_seed(4)).detach())
        for stage in (
            StageConfig(n_crops=4, mix={"points": 1}, crop=64, batch=4, coefficient_error=error)
            for error in (0.0, 0.3)
        )
    ]
    assert losses[1] != pytest.approx(losses[0], abs=1e-4)


def test_a_model_of_another_shape_is_no_start(tiny_model, tmp_path):
    config = deblurring_config(tmp_path / "model", start_from=str(tiny_model))
    with pytest.raises(ModelError, match="another shape"):
        finish(train_model_job("deblurring", config))


class OneBatch:
    """The same crops again and again."""

    def __init__(self, crops):
        self.crops = crops

    def sample(self, n, size, generator):
        return self.crops


@pytest.mark.parametrize(
    ("task", "make", "n_steps"),
    [(*KINDS["identification"], 25), (*KINDS["deblurring"], 150)],
    ids=KINDS,
)
def test_the_loss_falls_on_a_fixed_batch(task, make, n_steps, tmp_path):
    config = make(tmp_path, highest_noise=0.0)
    learner = task(config, CPU)
    stage = StageConfig(n_crops=4, mix={"points": 1}, crop=64, batch=4)
    # The family of the default cutoff has a window of 31 pixels.
    crops = ProceduralScenes("points").sample(4, 94, torch.Generator().manual_seed(0))
    source = Mixture({"points": OneBatch(crops)}, {"points": 1})
    network = learner.network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(n_steps):
        loss = learner.loss(source, stage, torch.Generator().manual_seed(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert min(losses[-20:]) < losses[0] - 0.05 * abs(losses[0])
