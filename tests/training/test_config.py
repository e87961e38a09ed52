"""Training settings: read, completed, refused."""

import pytest
from pydantic import ValidationError

from napari_deepblur.training.config import (
    DeblurringConfig,
    FolderSource,
    IdentificationConfig,
    SceneSource,
    read_config,
)

MINIMAL = """\
output: model
sources:
  points: {scene: points}
  natural: {folder: images}
stages:
  - {n_crops: 100, mix: {points: 1}}
"""


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", [IdentificationConfig, DeblurringConfig])
def test_a_few_lines_are_enough(tmp_path, kind):
    config = read_config(write(tmp_path, MINIMAL), kind)
    assert isinstance(config, kind)
    assert config.family.noll_indices == (4, 5, 6, 7, 8, 9, 10)
    assert config.sources["points"] == SceneSource(scene="points")


def test_relative_folders_are_meant_from_the_file(tmp_path):
    config = read_config(write(tmp_path, MINIMAL), IdentificationConfig)
    assert config.output == tmp_path / "model"
    assert config.sources["natural"] == FolderSource(folder=tmp_path / "images")


def test_absolute_folders_stay(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    text = MINIMAL.replace("folder: images", f"folder: {elsewhere.as_posix()}")
    text = text.replace("output: model", f"output: {elsewhere.as_posix()}")
    config = read_config(write(tmp_path, text), IdentificationConfig)
    assert config.output == elsewhere
    assert config.sources["natural"].folder == elsewhere


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (MINIMAL + "learning_rat: 1\n", "learning_rat"),
        (MINIMAL.replace("n_crops: 100", "n_crops: -1"), "n_crops"),
        (MINIMAL.replace("n_crops: 100", "n_crops: many"), "n_crops"),
        (MINIMAL.replace("stages:\n  - {n_crops: 100, mix: {points: 1}}", "stages: []"), "stages"),
        (MINIMAL.replace("output: model\n", ""), "output"),
        (MINIMAL.replace("{scene: points}", "{scence: points}"), "sources"),
        (MINIMAL + "highest_noise: -0.1\n", "highest_noise"),
        (MINIMAL + "device: tpu\n", "device"),
        (MINIMAL + "n_channels: 8\n", "n_channels"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, fragment):
    with pytest.raises(ValidationError, match=fragment):
        read_config(write(tmp_path, text), IdentificationConfig)


def test_only_a_network_with_a_denoiser_learns_to_denoise(tmp_path):
    text = MINIMAL.replace("mix: {points: 1}", "mix: {points: 1}, learns: denoising")
    with pytest.raises(ValidationError, match="half-quadratic"):
        read_config(write(tmp_path, text), DeblurringConfig)
    config = read_config(
        write(tmp_path, text + "network: {method: half-quadratic}\n"), DeblurringConfig
    )
    assert config.network.n_iterations == 6


@pytest.mark.parametrize("text", ["{a: [1", "key: value: other"])
def test_bad_yaml(tmp_path, text):
    with pytest.raises(ValueError, match="not a YAML file"):
        read_config(write(tmp_path, text), IdentificationConfig)


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "just words"])
def test_yaml_without_settings(tmp_path, text):
    with pytest.raises(ValueError, match="holds no settings"):
        read_config(write(tmp_path, text), IdentificationConfig)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_config(tmp_path / "none.yaml", IdentificationConfig)
