"""Held-out images, blurs and noise that every measurement of a model uses, and its estimates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Generator, Tensor

from napari_deepblur.engine.blur import BlurEstimate, Per
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.estimate import estimate_blur_job
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import Model
from napari_deepblur.networks.identification import IdentificationNetwork
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics
from napari_deepblur.training.data.sources import ImageFolder
from napari_deepblur.training.data.synthesis import add_noise, observe

__all__ = ["Bench", "Readings", "held_out", "noisy", "optics_at", "read_job"]

_BLUR_SEED, _NOISE_SEED = 1, 2

#: Images that are blurred at once.
_AT_A_TIME = 10


def optics_at(cutoff: float = CANONICAL_CUTOFF) -> Optics:
    """Optics of an oil immersion objective of NA 1.3 whose pixels give a cutoff."""
    aperture, wavelength_um = 1.3, 0.52
    return Optics(
        numerical_aperture=aperture,
        wavelength_um=wavelength_um,
        pixel_size_um=cutoff * wavelength_um / aperture,
        refractive_index=1.518,
    )


def held_out(folders: Mapping[str, Path]) -> dict[str, ImageFolder]:
    """Open the held-out images of folders, by the name of the image set."""
    return {name: ImageFolder(path, held_out=True) for name, path in folders.items()}


@dataclass(frozen=True)
class Bench:
    """A model, and the images and blurs that it is measured on.

    Attributes
    ----------
    model
        Model to be measured.
    images
        Held-out images by the name of the image set.
    n_images
        Blurs × images for each figure; a third of them where many images make one estimate.
    size
        Side of the observed images, pixels.
    device
        Where the networks run.
    """

    model: Model
    images: Mapping[str, ImageFolder]
    n_images: int = 60
    size: int = 400
    device: Device = field(default="auto", kw_only=True)

    @property
    def optics(self) -> Optics:
        """Optics whose pixels are those at which the model's network sees images."""
        return optics_at(self.model.family.seen_at)

    @property
    def n_few(self) -> int:
        """Number of blurs in measurements that need many images for each."""
        return max(1, self.n_images // 3)

    @property
    def pupil_family(self) -> ZernikeFamily:
        """Family of a pupil model; measurements that need one use it."""
        assert isinstance(self.model.family, ZernikeFamily)
        return self.model.family

    @property
    def space(self) -> EigenPsfSpace:
        """The space in which the network of a pupil model answers."""
        network = self.model.identification
        assert isinstance(network, IdentificationNetwork)
        return network.space

    @cached_property
    def coefficients(self) -> Tensor:
        """True γ, uniform in the admissible set, shape (n, P)."""
        return self.model.family.admissible_set.sample(self.n_images, seed=_BLUR_SEED)

    @cached_property
    def psf(self) -> Tensor:
        """True PSFs at the canonical cutoff, shape (n, h, w)."""
        return self.psf_of(self.coefficients)

    @torch.no_grad()
    def psf_of(self, coefficients: Tensor) -> Tensor:
        """PSFs at the canonical cutoff, where all are compared: (n, P) to (n, h, w)."""
        return self.model.family.psf(coefficients)

    def snr(self, estimate: Tensor, psf: Tensor | None = None) -> Tensor:
        """PSF-SNR in dB of estimated γ (n, P), by default beside this bench's PSFs: (n,)."""
        return psf_snr(self.psf_of(estimate), self.psf[: len(estimate)] if psf is None else psf)

    def scenes(self, name: str, side: int, n: int, *, first: int = 0) -> Tensor:
        """Sharp centre crops of n images in turn, mirrored where small: (n, side, side)."""
        folder = self.images[name]
        crops = [folder.centre_crop((first + i) % len(folder), side) for i in range(n)]
        return torch.stack(crops)

    def blurred(self, name: str, psf: Tensor, *, first: int = 0, side: int | None = None) -> Tensor:
        """Noiseless images, one for each PSF (n, h, w), from as many scenes: (n, side, side)."""
        side = side or self.size
        parts = [
            observe(
                self.scenes(
                    name, side + psf.shape[-1] - 1, len(part), first=first + _AT_A_TIME * i
                ),
                part,
            )
            for i, part in enumerate(psf.split(_AT_A_TIME))
        ]
        return torch.cat(parts)


def noisy(clean: Tensor, level: float) -> Tensor:
    """Images (n, Y, X) with noise σ by each image's maximum, the same at each call."""
    levels = torch.full((len(clean),), level)
    return add_noise(clean, levels, Generator().manual_seed(_NOISE_SEED))


@dataclass(frozen=True, slots=True)
class Readings:
    """Estimates of many images, row by row: γ and its standard error in waves, the flag."""

    coefficients: Tensor  # (N, P)
    std: Tensor  # (N, P)
    in_domain: Tensor  # (N,)

    @classmethod
    def of(cls, blurs: Iterable[BlurEstimate]) -> Readings:
        """Rows of all estimates, one after the other."""
        blurs = list(blurs)
        return cls(
            torch.cat([torch.from_numpy(blur.coefficients) for blur in blurs]),
            torch.cat([torch.from_numpy(blur.std) for blur in blurs]),
            torch.cat([torch.from_numpy(blur.in_domain) for blur in blurs]),
        )


def read_job(
    bench: Bench,
    images: Iterable[Tensor],
    n: int,
    stage: str,
    *,
    optics: Optics | None = None,
    per: Per = "plane",
) -> Job[Readings]:
    """Estimate the blur of n images, each on its own as users do.

    Parameters
    ----------
    bench
        Model, images and blurs.
    images
        Each of shape (Y, X), or (Z, Y, X) for a stack.
    n
        Number of images, for the progress.
    stage
        What to call this.
    optics
        Of the images; by default those of the canonical cutoff.
    per
        One blur per ``plane`` or per ``stack``, as for `estimate_blur`.
    """
    blurs = []
    for image in images:
        job = estimate_blur_job(
            image.numpy(),
            optics=optics or optics_at(),
            model=bench.model,
            axes="ZYX"[-image.ndim :],
            per=per,
            device=bench.device,
        )
        # Coarse pixels are among what is measured: no word of them.
        blurs.append(finish(job, warn=lambda _: None))
        yield Progress(len(blurs), n, stage)
    return Readings.of(blurs)
