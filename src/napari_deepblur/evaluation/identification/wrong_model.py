"""Accuracy for blurs outside the family, beside the best that the family could hold."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from napari_deepblur.engine.events import Job
from napari_deepblur.evaluation.bench import Bench, noisy, read_job
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.optics.pupil import Pupil

__all__ = ["wrong_model_job"]

_NOISE_LEVELS = (0.0, 0.05)
_N_FURTHER_MODES = 5
_LIMIT_WAVES = 0.05
_SEED = 5


def wrong_model_job(bench: Bench) -> Job[Table]:
    """PSF-SNR of blurs with five modes that the family lacks, each within ± 0.05 waves."""
    psf = _psf_with_further_modes(bench)
    space = bench.space
    best = torch.cat([space.fit(space.encode(part)) for part in psf.split(1)])
    limit = float(bench.snr(best, psf).mean())
    cells = []
    figures = {"wrong model: best_of_family_db": limit}
    for name in bench.images:
        clean = bench.blurred(name, psf)
        for level in _NOISE_LEVELS:
            stage = f"{name}, foreign modes, σ = {level:g}"
            readings = yield from read_job(bench, noisy(clean, level), len(clean), stage)
            snr = float(bench.snr(readings.coefficients, psf).mean())
            flagged = 1 - float(readings.in_domain.float().mean())
            cells.append([name, f"{level:g}", f"**{snr:.1f}**", f"{limit:.1f}", f"{flagged:.0%}"])
            figures[f"{name} sigma={level:g} wrong model: psf_snr_db"] = snr
    return Table("wrong model", "Modes that the model lacks", markdown(_HEAD, cells), figures)


_HEAD = ("images", "σ", "PSF-SNR (dB)", "best of the family (dB)", "flagged")


@torch.no_grad()
def _psf_with_further_modes(bench: Bench) -> Tensor:
    """PSFs (n, h, w) of the bench's γ and of the modes that follow in Noll's order."""
    family = bench.pupil_family
    modes = family.noll_indices
    further = range(max(modes) + 1, max(modes) + 1 + _N_FURTHER_MODES)
    pupil = Pupil((*modes, *further), cutoff=family.cutoff)
    uniform = torch.rand(bench.n_images, _N_FURTHER_MODES, generator=Generator().manual_seed(_SEED))
    return pupil.psf(torch.cat([bench.coefficients, _LIMIT_WAVES * (2 * uniform - 1)], -1))
