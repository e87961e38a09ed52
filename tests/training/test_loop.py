"""The training loop: it learns, stops and goes on as if it had not stopped."""

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from napari_deepblur.engine.events import finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.training.config import (
    DeblurringConfig,
    IdentificationConfig,
    SceneSource,
    StageConfig,
)
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.identification import IdentificationTask
from napari_deepblur.training.loop import train
from napari_deepblur.training.run import train_model_job
from napari_deepblur.training.sources import Mixture, ProceduralScenes, is_held_out

CPU = torch.device("cpu")
SOURCES = {"points": SceneSource(scene="points"), "lines": SceneSource(scene="filaments")}
STAGES = [
    StageConfig(n_crops=4, mix={"points": 1}, crop=64, batch=2),
    StageConfig(n_crops=3, mix={"points": 1, "lines": 1}, crop=64, batch=2),
]
N_STEPS = 4  # 2 + 2


def identification_config(output, **changes):
    settings = {"output": output, "sources": SOURCES, "stages": STAGES, "n_eigen_psfs": 6}
    return IdentificationConfig(**(settings | {"averaging": 0.5} | changes))


def deblurring_config(output, **changes):
    settings = {"output": output, "sources": SOURCES, "stages": STAGES}
    network = {"n_iterations": 2, "n_channels": 4, "n_layers": 2}
    return DeblurringConfig(**(settings | network | {"averaging": 0.5} | changes))


def small_identification_task(config, device):
    """With batch normalisation like the ResNet-18, but without its 180 MB per checkpoint."""
    task = IdentificationTask(config, device)
    task.network.resnet = nn.Sequential(
        nn.Conv2d(1, 8, 7, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, config.n_eigen_psfs),
    )
    return task


SMALL = {
    "identification": (small_identification_task, identification_config),
    "deblurring": (DeblurringTask, deblurring_config),
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
    monkeypatch.setattr(f"napari_deepblur.training.{kind}._VALIDATION_SIZE", 64)
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
    (log,) = folder.rglob("*.csv")
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
        n_iterations=3,
        n_channels=8,
    )
    after = load_model(finish(train_model_job("deblurring", config))).deblurring
    for name, value in after.named_parameters():
        torch.testing.assert_close(value, before[name], rtol=1e-3, atol=1e-5)


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
