"""Classical methods: that they are given their best chance."""

from __future__ import annotations

import pytest
import torch

from napari_deepblur import evaluation
from napari_deepblur.engine.events import finish
from napari_deepblur.evaluation import Bench
from napari_deepblur.evaluation.deblurring import against_classical
from napari_deepblur.evaluation.deblurring.against_classical import best_of, unaberrated_psf
from napari_deepblur.evaluation.deblurring.classical import (
    classical_candidates,
    total_variation_fista,
)
from napari_deepblur.evaluation.deblurring.restoration import observations, quality


@pytest.fixture(scope="module")
def observation(tiny_model, images):
    from napari_deepblur.engine.models import load_model

    bench = Bench(load_model(tiny_model), images, 1, 128, device="cpu")
    return observations(bench, "blocks", 0.01)[0]


class TestCandidates:
    def test_all_are_images_of_the_field(self, observation):
        candidates = classical_candidates(observation.image, observation.psf)
        assert len(candidates) == (4 + 6) * (1 + 3)
        for image in candidates.values():
            assert image.shape == observation.image.shape
            assert image.dtype == torch.float32
            assert bool(image.isfinite().all())

    def test_best_is_much_better_than_the_observation(self, observation):
        best = best_of(classical_candidates(observation.image, observation.psf), observation.sharp)
        before = quality(observation.image, observation.sharp)
        assert best.psnr > before.psnr + 2
        assert best.ssim > before.ssim + 0.05

    def test_no_shift(self):
        """A single pixel of light stays where it is."""
        image = torch.zeros(64, 80)
        image[20:23, 50:53] = 1.0
        psf = torch.zeros(5, 5)
        psf[1:4, 1:4] = 1 / 9
        for name, result in classical_candidates(image, psf).items():
            top = divmod(int(result.argmax()), 80)
            assert top == (21, 51), name

    def test_gain_scales_all(self, observation):
        once = classical_candidates(observation.image, observation.psf)
        hundredfold = classical_candidates(100 * observation.image, observation.psf)
        for name, image in once.items():
            error = (hundredfold[name] / 100 - image).abs().max()
            assert float(error) < 0.01 * float(image.max() - image.min()), name


class TestVariational:
    def test_better_than_the_observation(self, observation):
        found = total_variation_fista(observation.image, observation.psf, (0.001, 0.003))
        best = best_of(found, observation.sharp)
        assert best.psnr > quality(observation.image, observation.sharp).psnr + 2

    def test_weight_smooths(self, observation):
        weak, strong = total_variation_fista(
            observation.image, observation.psf, (0.001, 0.1), n_iterations=10
        ).values()
        assert float(strong.diff(dim=0).abs().sum()) < 0.8 * float(weak.diff(dim=0).abs().sum())


def test_best_of_takes_each_figure_from_whom_has_it():
    sharp = torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    shifted, noisy = sharp + 0.2, sharp + 0.15 * torch.randn(64, 64)
    one, other = quality(shifted, sharp), quality(noisy, sharp)
    assert one.psnr < other.psnr
    assert one.ssim > other.ssim
    best = best_of({"shifted": shifted, "noisy": noisy}, sharp)
    assert best == (other.psnr, one.ssim)


def test_table(measured, monkeypatch):
    """Candidates that return the observation gain nothing."""
    monkeypatch.setattr(
        against_classical, "classical_candidates", lambda image, _psf: {"none": image}
    )
    monkeypatch.setattr(
        against_classical, "total_variation_fista", lambda image, _psf: {"none": image}
    )
    results = finish(evaluation.restorations_job(measured, (0.01, 0.02)))
    table = finish(evaluation.classical_job(measured, results))
    figures = table.figures
    observed = figures["blocks observed: psnr_db"]
    assert figures["blocks best classical, true PSF: psnr_db"] == pytest.approx(observed)
    gain = figures["blocks network, true PSF over best classical, true PSF: gain_db"]
    assert gain == pytest.approx(figures["blocks network, true PSF: psnr_db"] - observed)
    assert "| blocks | 6 | observed |" in table.text
    assert "| blocks | 2 | FISTA with total variation, true PSF |" in table.text


def test_unaberrated_psf_is_symmetric(measured):
    psf = unaberrated_psf(measured)
    torch.testing.assert_close(psf, psf.flip(0))
    torch.testing.assert_close(psf, psf.T)
