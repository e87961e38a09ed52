"""The command line as tests drive it."""

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

import napari_deepblur
from napari_deepblur.cli import app
from napari_deepblur.io import write_image

OPTICS = ["--na", "1.4", "--wavelength", "0.52", "--pixel-size", "0.09"]
CARD = Path(napari_deepblur.__file__).parent / "models" / "widefield-zernike"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeed(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def fail(*arguments):
    """The one line that a refused command prints."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    lines = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert "Traceback" not in result.output
    return lines[0]


def observed(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (100 + 2000 * (rng.random(shape) > 0.98) + rng.normal(0, 10, shape)).astype(np.float32)


def write(path, data, axes="YX", **sizes):
    write_image(path, data, axes, **sizes)
    return path
