"""The package's face: what it names, and what importing it does not load."""

import subprocess
import sys

import pytest

import napari_deepblur

HEAVY = ("torch", "qtpy", "PyQt6", "napari", "pandas", "scipy", "skimage", "monai", "zarr", "dask")


def test_import_loads_nothing_heavy():
    code = (
        "import sys, napari_deepblur; dir(napari_deepblur); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


ESTIMATE = """
import sys
import numpy as np
import napari_deepblur

optics = napari_deepblur.Optics(numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09)
image = np.random.default_rng(0).poisson(100, (128, 128))
napari_deepblur.estimate_blur(image, optics=optics)
"""

SLOW_TO_IMPORT = (
    "torch._dynamo", "torch._inductor", "sympy", "monai", "matplotlib", "pandas", "torchvision",
    "skimage",
)  # fmt: skip


def test_the_first_estimate_loads_nothing_that_it_does_not_need():
    code = f"{ESTIMATE}\nprint([name for name in {SLOW_TO_IMPORT!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    ["calibration.result", "engine.axes", "engine.blur", "engine.calibrate", "engine.deblur",
     "engine.devices", "engine.estimate", "engine.events", "engine.models", "optics",
     "optics.zernike"],
)  # fmt: skip
def test_what_a_dock_imports_loads_no_torch(module):
    code = f"import sys, napari_deepblur.{module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name",
    ["BlurEstimate", "CalibrationResult", "Model", "Optics", "available_models", "calibrate",
     "deblur", "estimate_blur",
     "load_blur", "load_model"],
)  # fmt: skip
def test_public_names(name):
    assert name in dir(napari_deepblur)
    assert callable(getattr(napari_deepblur, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = napari_deepblur.no_such_name


def test_version_is_a_release_number():
    assert all(part.isdigit() for part in napari_deepblur.__version__.split(".")[:2])
