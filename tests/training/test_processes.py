"""Several processes learn what one alone would have learned."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from napari_deepblur.engine.events import finish
from napari_deepblur.errors import DeviceError
from napari_deepblur.training.config import (
    DeblurringConfig,
    SceneSource,
    StageConfig,
    TrainingConfig,
    read_config,
)
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.loop import train
from napari_deepblur.training.processes import Processes, joined, own_device

CPU = torch.device("cpu")
N_STEPS = 6


class Denoising:
    """The smallest task with batch normalisation and random draws."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.network = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 1, 3, padding=1),
        )
        self.n_crops = []

    def loss(self, sources, stage, generator):
        self.n_crops.append(stage.batch)
        sharp = sources.sample(stage.batch, stage.crop, generator)[:, None]
        noise = torch.randn(sharp.shape, generator=generator)
        return (self.network(sharp + 0.1 * noise) - sharp).square().mean()

    @torch.no_grad()
    def validate(self, network):
        return {"grey_db": float(network(torch.full((1, 1, 8, 8), 0.5)).mean())}


def settings(folder, *, batch=8, **changes):
    stage = StageConfig(n_crops=N_STEPS * batch, mix={"points": 1}, crop=16, batch=batch)
    values = {
        "output": folder,
        "sources": {"points": SceneSource(scene="points")},
        "stages": [stage],
        "validate_every": 1,
        "checkpoint_every": 2,
    }
    return TrainingConfig(**(values | changes))


def read_log(folder):
    with (folder / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def assert_same_log(first, second, *, rel=1e-4):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        one.pop("crops_per_second")
        assert one == pytest.approx({name: other[name] for name in one}, rel=rel)


def assert_same_weights(first, second, **tolerance):
    assert first.keys() == second.keys()
    for name, value in first.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, second[name], msg=name, **tolerance)


def work(folder):
    """What each process of the test does: a whole run, and one in two parts."""
    with joined(CPU) as processes:
        task = Denoising()
        network = finish(train(task, settings(folder), CPU, folder / "whole", processes=processes))
        torch.save(network.state_dict(), folder / f"{processes.rank}.pt")
        (folder / f"crops{processes.rank}").write_text(str(sum(task.n_crops)))

        job = train(Denoising(), settings(folder), CPU, folder / "parts", processes=processes)
        for _ in range(3):
            next(job)
        job.close()
        finish(train(Denoising(), settings(folder), CPU, folder / "parts", processes=processes))


def torchrun(*arguments, cwd):
    """Two processes; what they wrote to stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Folder of a run with two processes."""
    folder = tmp_path_factory.mktemp("two")
    torchrun(Path(__file__), folder, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Folder and averaged weights of the same run with one process."""
    folder = tmp_path_factory.mktemp("one")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the others have: sums round otherwise with more
    network = finish(train(Denoising(), settings(folder), CPU, folder, n_parts=2))
    torch.set_num_threads(n_threads)
    return folder, network.state_dict()


def test_two_processes_lose_what_one_loses(two, one):
    log = read_log(two / "whole")
    assert [row["crops"] for row in log] == [8 * step for step in range(1, N_STEPS + 1)]
    assert_same_log(log, read_log(one[0]))


def test_two_processes_learn_what_one_learns(two, one):
    for rank in range(2):
        # Running statistics and the averaging are part of it.
        assert_same_weights(torch.load(two / f"{rank}.pt"), one[1], rtol=1e-5, atol=1e-7)
    untrained = Denoising().network.state_dict()
    assert not torch.equal(one[1]["0.weight"], untrained["0.weight"])
    assert not torch.equal(one[1]["1.running_mean"], untrained["1.running_mean"])


def test_each_process_draws_its_share_only(two):
    assert {(two / f"crops{rank}").read_text() for rank in range(2)} == {str(4 * N_STEPS)}


def test_a_resumed_run_of_two_processes_equals_an_uninterrupted_one(two):
    assert_same_log(read_log(two / "parts"), read_log(two / "whole"))
    whole, parts = (torch.load(two / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert_same_weights(whole["network"], parts["network"], rtol=1e-6, atol=1e-8)
    assert_same_weights(whole["average"], parts["average"], rtol=1e-6, atol=1e-8)


def test_parts_are_different_draws(tmp_path):
    class Recording(Denoising):
        def loss(self, sources, stage, generator):
            draws.append(int(torch.randint(1 << 40, (), generator=generator)))
            return super().loss(sources, stage, generator)

    draws = []
    for seed in (0, 1):
        config = settings(tmp_path, seed=seed, validate_every=100)
        finish(train(Recording(), config, CPU, tmp_path / str(seed), n_parts=4))
    assert len(set(draws)) == 2 * 4 * N_STEPS


def test_the_gradient_of_a_batch_is_that_of_its_parts(tmp_path):
    class Constant(Denoising):
        """Without batch normalisation and chance, parts do not matter."""

        def loss(self, sources, stage, generator):
            assert stage.batch in {2, 8}
            image = torch.linspace(0, 1, 64).view(1, 1, 8, 8).expand(stage.batch, -1, -1, -1)
            return (self.network.eval()(image) - image).square().mean()

    # Unclipped, for a clipped gradient and AdamW hide a wrong factor.
    config = settings(tmp_path, gradient_norm=1e9)
    gradients = []
    for n_parts in (1, 4):
        task = Constant()
        finish(train(task, config, CPU, tmp_path / str(n_parts), n_parts=n_parts))
        gradients.append({name: p.grad for name, p in task.network.named_parameters()})
    assert_same_weights(*gradients, rtol=1e-4, atol=1e-6)
    assert gradients[0]["3.bias"].abs() > 1e-3
    assert_same_log(read_log(tmp_path / "1"), read_log(tmp_path / "4"))


@pytest.mark.parametrize(
    ("batch", "processes", "n_parts", "message"),
    [
        (9, Processes(0, 2), None, "batches of 9 crops.*multiple of 2"),
        (8, Processes(), 3, "batches of 8 crops.*multiple of 3"),
        (9, Processes(0, 2), 3, "2 processes cannot share 3 parts"),
    ],
)
def test_unequal_shares_are_refused(batch, processes, n_parts, message, tmp_path):
    config = settings(tmp_path, batch=batch)
    job = train(Denoising(), config, CPU, tmp_path, processes=processes, n_parts=n_parts)
    with pytest.raises(ValueError, match=message):
        next(job)


class TestDevice:
    @pytest.fixture(autouse=True)
    def second_of_two(self, monkeypatch):
        for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
            monkeypatch.setenv(name, value)

    @pytest.mark.parametrize(("n_gpus", "name"), [(2, "cuda:1"), (4, "cuda:1")])
    def test_each_process_has_its_gpu(self, n_gpus, name, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
        assert str(own_device(torch.device("cuda"))) == name

    def test_too_few_gpus(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        with pytest.raises(DeviceError, match="process 2 of this machine has no GPU"):
            own_device(torch.device("cuda"))

    def test_processes_on_one_cpu(self):
        assert own_device(CPU) == CPU

    def test_a_device_that_cannot_be_shared(self):
        with pytest.raises(DeviceError, match="mps"):
            own_device(torch.device("mps"))

    def test_one_process_takes_any_device(self, monkeypatch):
        monkeypatch.delenv("RANK")
        assert own_device(torch.device("cuda")) == torch.device("cuda")


def test_the_command_line_under_torchrun(tmp_path):
    """From settings to a model folder; compared with one process."""
    path = tmp_path / "run.yaml"
    values = {
        "output": "model",
        "sources": {"points": {"scene": "points"}},
        "stages": [{"n_crops": 12, "mix": {"points": 1}, "crop": 64, "batch": 4}],
        "network": {"method": "fista", "n_iterations": 2, "n_channels": 4, "n_layers": 2},
        "validate_every": 1,
        "device": "cpu",
    }
    path.write_text(yaml.safe_dump(values))
    lines = torchrun("-m", "napari_deepblur", "train", "deblurring", path, cwd=tmp_path)
    told = [line.split()[:2] for line in lines.splitlines()]
    assert told[:3] == [["step", "1"], ["step", "2"], ["step", "3"]]
    assert [line.split()[0] for line in lines.splitlines()[3:]] == ["12", "wrote"]

    config = read_config(path, DeblurringConfig)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as torchrun does
    network = finish(train(DeblurringTask(config, CPU), config, CPU, tmp_path / "one", n_parts=2))
    torch.set_num_threads(n_threads)
    # Both compute in bfloat16, whose rounding depends on the machine's kernels.
    assert_same_log(
        read_log(tmp_path / "model" / "training" / "deblurring"),
        read_log(tmp_path / "one"),
        rel=5e-3,
    )
    written = load_file(tmp_path / "model" / "deblurring.safetensors")
    expected = {name: value.to(written[name].dtype) for name, value in network.state_dict().items()}
    assert_same_weights(written, expected, rtol=2e-3, atol=1e-4)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
