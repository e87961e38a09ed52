"""The pupil on a grid of frequencies: it agrees with the quadrature, in focus and far from it."""

import pytest
import torch

from napari_deepblur import Optics
from napari_deepblur.optics.grid_pupil import GridPupil
from napari_deepblur.optics.pupil import Pupil

OPTICS = Optics(
    numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.1625, refractive_index=1.333
)
MODES = (5, 7, 11)


def test_it_agrees_with_the_quadrature():
    gamma = torch.tensor([[0.0, 0, 0], [0.1, 0.05, 0.2], [-0.1, 0.1, 0]])
    depth = torch.tensor([0.0, -2.0, 4.0])
    exact = Pupil(MODES, cutoff=0.25, window=81, optics=OPTICS).psf(gamma, defocus_um=depth)
    psf = GridPupil(MODES, window=81, optics=OPTICS).psf(gamma, defocus_um=depth)
    torch.testing.assert_close(psf.sum((1, 2)), torch.ones(3))
    assert float(psf.min()) >= 0
    error = (psf - exact).norm(dim=(1, 2)) / exact.norm(dim=(1, 2))
    assert float(error.max()) < 0.03


@pytest.mark.parametrize(
    ("window", "pixel", "fragment"), [(80, 0.1625, "odd"), (81, 0.2, "at most 0.25")]
)
def test_what_it_cannot_hold_is_refused(window, pixel, fragment):
    optics = OPTICS.model_copy(update={"pixel_size_um": pixel})
    with pytest.raises(ValueError, match=fragment):
        GridPupil(MODES, window=window, optics=optics)
