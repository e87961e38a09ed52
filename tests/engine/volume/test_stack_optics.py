"""What is known of a stack's microscope."""

import numpy as np
import pytest
import torch

from helpers.stacks import GAMMA, KNOWN, OPTICS
from napari_deepblur.engine.volume.stack_optics import StackOptics


@pytest.mark.parametrize("z_step_um", [0.0, -0.3, float("nan"), float("inf")])
def test_a_z_step_that_is_no_length_is_refused(z_step_um):
    with pytest.raises(ValueError, match="z_step_um must be a positive number"):
        StackOptics(OPTICS, z_step_um)


def test_a_light_sheet_without_thickness_is_refused():
    with pytest.raises(ValueError, match="light_sheet_fwhm_um must be a positive number"):
        StackOptics(OPTICS, 0.3, 0.0)


def test_names_say_what_the_modes_are():
    assert KNOWN.coefficient_names[6] == "Z11 spherical"
    assert len(KNOWN.coefficient_names) == len(KNOWN.prior_std) == len(GAMMA)


def test_the_domain_holds_the_stack_and_light_from_all_sides():
    domain = KNOWN.domain_of((20, 100, 80))
    assert all(large >= small + 8 for large, small in zip(domain, (20, 100, 80), strict=True))


@pytest.mark.parametrize("shape", [(9, 21, 21), (15, 33, 25)])
def test_a_psf_is_centred_and_does_not_depend_on_the_window(shape):
    psf = KNOWN.psf(torch.from_numpy(GAMMA), shape).numpy()
    large = KNOWN.psf(torch.from_numpy(GAMMA), (21, 61, 61)).numpy()
    assert psf.shape == shape
    assert psf.sum() == pytest.approx(1, rel=1e-5)
    parts = [slice((n - m) // 2, (n + m) // 2) for n, m in zip(large.shape, shape, strict=True)]
    cut = large[tuple(parts)]
    np.testing.assert_allclose(psf, cut / cut.sum(), atol=0.03 * psf.max())
