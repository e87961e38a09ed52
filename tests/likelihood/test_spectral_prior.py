"""The prior of log power spectra is learned, saved and read."""

import pytest
import torch

from napari_deepblur.likelihood.spectra import WINDOW
from napari_deepblur.likelihood.spectral_prior import SpectralPrior

GRID = 16


def made_up_powers(n=200, seed=0):
    """Spectra with two known components of standard deviations 2 and 1, and a remainder of 0.1."""
    generator = torch.Generator().manual_seed(seed)
    mean = -torch.hypot(torch.arange(GRID)[:, None].float(), torch.arange(GRID // 2 + 1.0))
    shapes = torch.linalg.qr(torch.randn(mean.numel(), 2, generator=generator)).Q.T
    factors = torch.randn(n, 2, generator=generator) * torch.tensor([2.0, 1.0])
    left = 0.1 * torch.randn(n, mean.numel(), generator=generator)
    logs = mean.flatten() + factors @ shapes + left
    return logs.reshape(n, *mean.shape).exp(), shapes


def test_components_of_known_spectra_are_found():
    powers, shapes = made_up_powers()
    prior = SpectralPrior.of(powers, n_components=2)
    assert prior.grid == GRID
    sizes = prior.components.flatten(1).norm(dim=1)
    # Each spectrum counts by its mean power, which moves with its strongest bins.
    torch.testing.assert_close(sizes, torch.tensor([2.0, 1.0]), rtol=0.3, atol=0)
    cosine = (prior.components.flatten(1) / sizes[:, None] @ shapes.T).abs()
    assert float(cosine.diagonal().min()) > 0.9
    assert float(prior.remainder.mean()) == pytest.approx(0.01, rel=0.3)


def prior_of(shape=(2 * WINDOW, WINDOW + 1), n_components=3, **parts):
    generator = torch.Generator().manual_seed(0)
    whole = {
        "mean": torch.randn(shape, generator=generator),
        "components": torch.randn(n_components, *shape, generator=generator),
        "remainder": torch.rand(shape, generator=generator),
    }
    return SpectralPrior(**(whole | parts))


def test_written_and_read_in_half_precision():
    prior = prior_of()
    read = SpectralPrior.of_bytes(prior.to_bytes())
    for name in ("mean", "components", "remainder"):
        torch.testing.assert_close(getattr(read, name), getattr(prior, name), rtol=2e-3, atol=1e-3)
        assert getattr(read, name).dtype == torch.float32


def test_more_components_than_spectra_are_refused():
    with pytest.raises(ValueError, match="5 components need more spectra than that, got 4"):
        SpectralPrior.of(made_up_powers(4)[0], n_components=5)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (prior_of((64, 33)), "must be of"),
        (prior_of(mean=torch.zeros(1, 2 * WINDOW, WINDOW + 1)), "must be of"),
        (prior_of(remainder=torch.zeros(4, 3)), "must be of"),
        (prior_of(remainder=torch.full((2 * WINDOW, WINDOW + 1), torch.nan)), "NaN"),
    ],
)
def test_priors_of_other_shapes_are_refused(prior, message):
    with pytest.raises(ValueError, match=message):
        SpectralPrior.of_bytes(prior.to_bytes())


def test_other_files_are_refused():
    from safetensors.torch import save

    with pytest.raises(ValueError, match="no spectral prior"):
        SpectralPrior.of_bytes(b"something else")
    with pytest.raises(ValueError, match="no spectral prior"):
        SpectralPrior.of_bytes(save({"mean": torch.zeros(2)}))
