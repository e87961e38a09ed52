"""Samples: true to their own word, the same each time."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers.samples import sample_of
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.samples import SAMPLES, Sample

PLANE_BY_PLANE = ("podosomes", "spheroid")


@pytest.fixture(scope="module", params=sorted(SAMPLES))
def sample(request) -> Sample:
    return sample_of(request.param)


def test_shapes_and_types(sample):
    assert sample.image.dtype == np.uint16
    assert sample.sharp.dtype == np.float32
    assert sample.image.shape == sample.sharp.shape
    assert len(sample.axes) == sample.image.ndim
    assert len(sample.scale_um) == sample.image.ndim
    assert sample.coefficients.dtype == np.float32
    assert (sample.z_step_um is None) == ("Z" not in sample.axes)
    assert SAMPLES[sample.name]


@pytest.mark.parametrize("name", PLANE_BY_PLANE)
def test_coefficients_of_planes_are_admissible(name):
    sample = sample_of(name)
    n_planes = int(np.prod(sample.image.shape[:-2]))
    assert sample.coefficients.shape == (n_planes, 7)
    allowed = ZernikeFamily().admissible_set.contains(torch.from_numpy(sample.coefficients))
    assert bool(allowed.all())


def test_sampling_is_near_the_canonical_one(sample):
    assert 0.2 < sample.optics.cutoff < 0.3


def test_same_each_time(sample):
    again = SAMPLES[sample.name]()
    np.testing.assert_array_equal(again.image, sample.image)
    np.testing.assert_array_equal(again.sharp, sample.sharp)


@pytest.mark.parametrize("name", PLANE_BY_PLANE)
def test_image_is_the_blurred_sharp_one_plus_noise(name):
    sample = sample_of(name)
    family = ZernikeFamily().at_cutoff(sample.optics.cutoff)
    shape = sample.image.shape[-2:]
    planes = zip(sample.image.reshape(-1, *shape), sample.sharp.reshape(-1, *shape), strict=True)
    for gamma, (image, sharp) in zip(sample.coefficients, planes, strict=True):
        operator = family.operator(torch.from_numpy(gamma), shape)
        blurred = operator.forward(operator.embed(torch.from_numpy(sharp))).numpy()
        inside = tuple(slice(m, -m) for m in operator.margin)
        noise = (image - blurred)[inside]
        assert abs(noise.mean()) < 1
        assert 0.005 < noise.std() / np.ptp(blurred) < 0.03


def test_stack_is_the_sharp_one_in_3d_blurred_plus_noise():
    sample = sample_of("lymphocyte")
    known = sample.stack_optics
    assert sample.coefficients.shape == (1, len(known.noll_indices))
    shape = sample.image.shape
    domain = known.domain_of(shape)
    transfer = known.pupil(domain).transfer(torch.from_numpy(sample.coefficients[0]))
    operator = StackBlur(transfer, shape, domain)
    # Around the view it is dark: what lies there is even background.
    dark = sample.sharp.min()
    light = torch.zeros(domain)
    operator.crop(light).copy_(torch.from_numpy(sample.sharp - dark))
    noise = sample.image - (operator.forward(light).numpy() + dark)
    assert abs(noise.mean()) < 3
    assert 0.005 < noise.std() / np.ptp(sample.image) < 0.03


def test_out_of_focus_light_hides_the_lymphocyte():
    sample = sample_of("lymphocyte")
    assert np.corrcoef(sample.image.ravel(), sample.sharp.ravel())[0, 1] < 0.5


def test_aberration_of_the_spheroid_grows_with_depth():
    strength = np.linalg.norm(sample_of("spheroid").coefficients, axis=-1)
    assert (np.diff(strength) > 0).all()


def test_sharp_truth_has_fine_detail(sample):
    """Some of its variation lies beyond what any objective transmits."""
    planes = sample.sharp.reshape(-1, *sample.sharp.shape[-2:])
    plane = planes[planes.std((1, 2)).argmax()]
    power = np.abs(np.fft.fft2(plane - plane.mean())) ** 2
    row, column = np.meshgrid(*(np.fft.fftfreq(n) for n in plane.shape), indexing="ij")
    beyond = np.hypot(row, column) > 2 * sample.optics.cutoff
    assert power[beyond].sum() > 0.002 * power.sum()


def test_import_is_light():
    code = (
        "import sys, napari_deepblur.samples;"
        "print([m for m in ('torch', 'scipy', 'skimage', 'napari') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
