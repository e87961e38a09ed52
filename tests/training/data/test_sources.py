"""Sources of sharp images: folders, scenes, mixtures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_deepblur.training.data.sources import (
    ImageFolder,
    Mixture,
    ProceduralScenes,
    is_held_out,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def write_images(folder, names, *, shape=(170, 200)):
    rng = np.random.default_rng(0)
    for name in names:
        low = rng.integers(0, 100)
        values = rng.integers(low, low + 100, shape).astype(np.uint8)
        Image.fromarray(values).save(folder / name)


def names(*, held_out, n):
    """File names on one side of the rule."""
    numbered = (Path(f"image{number}.png") for number in range(10_000))
    return [path.name for path in numbered if is_held_out(path) == held_out][:n]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, names(held_out=False, n=9) + names(held_out=True, n=2))
    return folder


def test_hold_out_is_by_name_only():
    stems = [f"name{number}" for number in range(2000)]
    held_out = [is_held_out(Path(f"{stem}.png")) for stem in stems]
    assert sum(held_out) / len(stems) == pytest.approx(1 / 16, abs=0.02)
    elsewhere = [is_held_out(Path("some") / "where" / f"{stem}.tif") for stem in stems]
    assert held_out == elsewhere


def test_training_and_validation_never_meet(folder):
    training = ImageFolder(folder)
    validation = ImageFolder(folder, held_out=True)
    assert set(training.paths).isdisjoint(validation.paths)
    assert (len(training), len(validation)) == (9, 2)


def test_crops_between_zero_and_one(folder):
    crops = ImageFolder(folder).sample(20, 64, generator())
    assert crops.shape == (20, 64, 64)
    assert float(crops.min()) >= 0
    assert float(crops.max()) <= 1
    assert torch.equal(crops, ImageFolder(folder).sample(20, 64, generator()))
    assert not torch.equal(crops, ImageFolder(folder).sample(20, 64, generator(1)))


def test_crops_larger_than_the_images_are_mirrored(folder):
    crops = ImageFolder(folder).sample(3, 300, generator())
    assert crops.shape == (3, 300, 300)
    fixed = ImageFolder(folder, held_out=True).centre_crop(0, 260)
    assert fixed.shape == (260, 260)
    assert float(fixed.std()) > 0


def test_centre_crops_are_fixed(folder):
    images = ImageFolder(folder, held_out=True)
    crop = images.centre_crop(1, 100)
    with Image.open(images.paths[1]) as image:
        values = np.array(image)
    np.testing.assert_allclose(crop.numpy(), values[35:135, 50:150] / 255, atol=1e-6)


def test_colour_becomes_grey(tmp_path):
    colour = np.zeros((170, 170, 3), np.uint8)
    colour[..., 1] = 200
    Image.fromarray(colour).save(tmp_path / "a.png")
    assert ImageFolder(tmp_path).centre_crop(0, 64).shape == (64, 64)


def test_sixteen_bits_are_not_cut_off(tmp_path):
    """A microscope's counts lie far above 255; their structure must survive."""
    ramp = np.linspace(300, 60_000, 170 * 170).reshape(170, 170).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.tif")
    crop = ImageFolder(tmp_path).centre_crop(0, 160)
    assert float(crop.std()) > 0.1


def test_a_folder_without_held_out_images(tmp_path):
    write_images(tmp_path, names(held_out=False, n=2))
    assert len(ImageFolder(tmp_path)) == 2
    with pytest.raises(ValueError, match="no usable validation image.*held out"):
        ImageFolder(tmp_path, held_out=True)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"no usable training image in .*JPEG, PNG or TIFF"):
        ImageFolder(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no usable training image"):
        ImageFolder(tmp_path / "none")


def test_too_small_images(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"], shape=(100, 300))
    with pytest.raises(ValueError, match="sides ≥ 160 pixels"):
        ImageFolder(tmp_path)


def test_other_files_are_left_alone(tmp_path):
    write_images(tmp_path, ["a.png"])
    (tmp_path / "notes.txt").write_text("no image")
    assert len(ImageFolder(tmp_path)) == 1


def test_an_unknown_scene():
    with pytest.raises(ValueError, match="unknown scene 'clouds'.*points"):
        ProceduralScenes("clouds")


class Constant:
    def __init__(self, value):
        self.value = value

    def sample(self, n, size, generator):
        return torch.full((n, size, size), self.value)


def test_a_mixture_draws_by_weight():
    mixture = Mixture(
        {"low": Constant(0.1), "high": Constant(0.9), "never": Constant(5.0)},
        {"low": 1, "high": 3},
    )
    crops = mixture.sample(2000, 2, generator())
    assert crops.shape == (2000, 2, 2)
    assert float((crops[:, 0, 0] > 0.5).float().mean()) == pytest.approx(0.75, abs=0.04)
    assert float(crops.max()) < 1


def test_a_weight_without_source():
    with pytest.raises(ValueError, match=r"'clouds'.*'points'"):
        Mixture({"points": ProceduralScenes("points")}, {"clouds": 1})
