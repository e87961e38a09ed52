"""Descriptions: made once, alike however the work is shared, and drawn in useful ways."""

import pytest
import torch

from napari_deepblur.engine.devices import multiplies_bfloat16
from napari_deepblur.engine.events import finish
from napari_deepblur.networks.identification import IdentificationNetwork
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.optics.settings import CANONICAL_CUTOFF
from napari_deepblur.training.config import ConditionsConfig, DescriptionsConfig
from napari_deepblur.training.data.microscope import Microscope
from napari_deepblur.training.data.sources import ProceduralScenes
from napari_deepblur.training.descriptions import Descriptions, describe, describe_job, draw_blurs
from napari_deepblur.training.processes import Processes

CPU = torch.device("cpu")
CANONICAL = (CANONICAL_CUTOFF, CANONICAL_CUTOFF)
CONFIG = DescriptionsConfig(n_blurs=7, images_per_blur=2, size=128, mix={"points": 1}, foreign=0.4)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    space = EigenPsfSpace.empty(ZernikeFamily(), n_eigen_psfs=6)
    return IdentificationNetwork(space, n_hidden=8).eval()


def microscope():
    return Microscope(ZernikeFamily(), CANONICAL, ConditionsConfig(), 0.1)


def describe_into(folder, network, *, processes, monkeypatch):
    monkeypatch.setattr("napari_deepblur.training.descriptions._PER_FILE", 3)
    job = describe_job(
        network, microscope(), ProceduralScenes("points"), CONFIG, folder,
        seed=1, processes=processes,
    )  # fmt: skip
    finish(job)


def test_two_processes_make_what_one_makes(network, tmp_path, monkeypatch):
    describe_into(tmp_path / "one", network, processes=Processes(), monkeypatch=monkeypatch)
    for rank in (1, 0):
        processes = Processes(rank, 2)
        describe_into(tmp_path / "two", network, processes=processes, monkeypatch=monkeypatch)
    one, two = (Descriptions.read(tmp_path / name, CPU) for name in ("one", "two"))
    assert len(one) == 7
    assert one.description.shape == (7, 2, 1, network.n_features)
    for name in ("description", "coefficients", "foreign"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    # Different blurs and different images of each.
    assert len({tuple(row) for row in one.coefficients.tolist()}) == 7
    assert not torch.equal(one.description[:, 0], one.description[:, 1])


def test_what_is_there_is_not_made_again(network, tmp_path, monkeypatch):
    describe_into(tmp_path, network, processes=Processes(), monkeypatch=monkeypatch)
    first, second, last = sorted(tmp_path.glob("*.safetensors"))
    kept, times = first.read_bytes(), [path.stat().st_mtime_ns for path in (first, last)]
    before = second.read_bytes()
    second.unlink()
    describe_into(tmp_path, network, processes=Processes(), monkeypatch=monkeypatch)
    assert second.read_bytes() == before
    assert first.read_bytes() == kept
    assert [path.stat().st_mtime_ns for path in (first, last)] == times


def test_a_large_image_is_described_by_its_tiles(network):
    image = torch.rand(2, 256, 256, generator=torch.Generator().manual_seed(0))
    tiles = torch.stack([image[:, :128, :128], image[:, :128, 128:],
                         image[:, 128:, :128], image[:, 128:, 128:]], 1)  # fmt: skip
    fast = multiplies_bfloat16(torch.device("cpu"))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=fast):
        expected = network.encode(tiles)
    described = describe(network, image)
    assert described.shape == (2, 4, network.n_features)
    torch.testing.assert_close(described.mean(1), expected)


def test_foreign_blurs_lie_outside():
    admissible = microscope().family.admissible_set
    generator = torch.Generator().manual_seed(0)
    gamma, foreign = draw_blurs(admissible, 2000, 0.3, generator)
    assert float(foreign.float().mean()) == pytest.approx(0.3, abs=0.04)
    assert bool(admissible.contains(gamma[~foreign]).all())
    assert not bool(admissible.contains(gamma[foreign]).any())
    # Some only out of focus, some aberrated in every way.
    others_inside = (gamma[foreign][:, 1:].abs() <= 0.15).all(-1)
    assert 0.3 < float(others_inside.float().mean()) < 0.7


def test_draws_average_one_two_or_four_images():
    marks = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    descriptions = Descriptions(
        marks.expand(5, 4)[..., None, None], torch.zeros(5, 7), torch.zeros(5)
    )
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(200):
        picks, described = descriptions.draw(3, generator)
        assert picks.shape == (3,)
        assert described.shape == (3, 1, 1)
        seen.add(round(4 * float(described[0])))
    singles = {4, 40, 400, 4000}
    pairs = {22, 202, 2002, 220, 2020, 2200}
    assert seen == singles | pairs | {1111}


def test_the_split_leaves_none_out_and_none_twice():
    numbers = torch.arange(50)
    whole = Descriptions(numbers.view(-1, 1, 1, 1), numbers.view(-1, 1), numbers)
    learned, kept = whole.split()
    assert (len(learned), len(kept)) == (47, 3)
    torch.testing.assert_close(torch.cat([learned.foreign, kept.foreign]), numbers)
