"""What the power spectra of an image tell of a light sheet's blur, at best.

    python benchmarks/light_sheet_spectra.py CONFIG.yaml [--n 24]

Bayesian linear regression, linearised at the true blur: prior of the blur as the family draws it;
data are the log powers of 4 × 4 tiles of 128 × 128 pixels in rings and sectors. The spectrum of the
sharp tile is known, or known only as spectra of the training images vary, between images and within
them. As many held-out images and blurs for each figure; several images of one blur count as so many
like it. Figures: expected PSF-SNR in dB over that of the family's mean operator, means over the
field.
"""

import argparse
import math
from pathlib import Path

import torch
from torch import Generator, Tensor, fft
from torch.nn import functional

from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.tiles import TILE
from napari_deepblur.evaluation import markdown
from napari_deepblur.operators.field_space import FieldSpace
from napari_deepblur.training.config import IdentificationConfig, read_config
from napari_deepblur.training.data.sources import Mixture
from napari_deepblur.training.field_identification import even_places
from napari_deepblur.training.loop import build_sources, held_out_folders

DEVICE = torch.device("cpu")
SIDE, N_TILES = 512, 16
LEVELS, N_IMAGES = (1e-4, 0.01, 0.05), (1, 2, 4, 8, 16)
N_RINGS, N_SECTORS = 18, 6
#: Pairs of sharp images whose spectra show how spectra vary.
N_PAIRS = 300
BLUR_SEED, ONE_IN = 4, 4
MEAN_SEED, N_MEAN = 11, 300
#: The brightest pixel of a blurred image beside that of the sharp one, about.
PEAK = 0.8
#: Power below which there is only rounding.
FLOOR = 1e-7
N_DRAWS = 40


class Bins:
    """Rings and sectors of the frequencies of a tile, and their power."""

    def __init__(self) -> None:
        y, x = fft.fftfreq(TILE)[:, None], fft.rfftfreq(TILE)[None]
        radius, angle = torch.hypot(y, x), torch.atan2(y.expand(-1, x.shape[1]), x + 0 * y)
        lowest = 1.5 / TILE
        self.used = (radius > lowest) & (radius <= 0.5)
        self.used[:, 0] &= y[:, 0] > 0  # the other half is their conjugate
        edges = torch.logspace(math.log10(lowest), math.log10(0.5), N_RINGS + 1)
        ring = (torch.bucketize(radius, edges) - 1).clamp(0, N_RINGS - 1)
        sector = ((angle / math.pi + 0.5) * N_SECTORS).floor().clamp(0, N_SECTORS - 1).long()
        numbers = (ring * N_SECTORS + sector)[self.used]
        _, self._bin, self._counts = numbers.unique(return_inverse=True, return_counts=True)
        hann = torch.hann_window(TILE, periodic=False)
        window = hann[:, None] * hann
        self._window = window / window.square().mean().sqrt()
        #: The window makes neighbouring frequencies alike: so many of them are independent.
        self.independent = float(1 / (self._window**4).mean())
        self.n_independent = (self._counts * self.independent).double()

    def __len__(self) -> int:
        return len(self._counts)

    def mean(self, values: Tensor) -> Tensor:
        """Means (..., B) over the bins of values (..., F)."""
        sums = values.new_zeros(*values.shape[:-1], len(self))
        return sums.index_add_(-1, self._bin, values) / self._counts

    def power(self, image: Tensor) -> Tensor:
        """Powers (16, F) of the tiles of an image."""
        tiles = image.unfold(0, TILE, TILE).unfold(1, TILE, TILE).flatten(0, 1)
        tiles = (tiles - tiles.mean((-2, -1), keepdim=True)) * self._window
        return (fft.rfft2(tiles).abs().square() / TILE**2)[:, self.used]

    def transfer(self, psfs: Tensor) -> Tensor:
        """Transfer functions (..., F) of PSFs, their centre at a corner's phase."""
        missing = TILE - psfs.shape[-1]
        return fft.rfft2(functional.pad(psfs, (0, missing, 0, missing)))[..., self.used]


def variety(config: IdentificationConfig, bins: Bins) -> tuple[Tensor, Tensor]:
    """Covariances (B, B) of sharp tiles' log power, between images and within them."""
    mix = {"natural": 1, "fluorescence": 1, "membranes": 0.1, "dead_leaves": 0.1, "podosomes": 0.1}
    sources = Mixture(build_sources(config, DEVICE), mix)
    generator = Generator().manual_seed(3)
    rows = []
    for _ in range(N_PAIRS):
        for image in sources.sample(2, SIDE, generator):
            power = bins.mean(bins.power(image))
            if bool((power.sum(1) > 10 * FLOOR).all()):  # an empty tile has no spectrum
                rows.append((power + FLOOR).log())
    logs = torch.stack(rows).double()
    of_image = logs.mean(1)
    apart = (logs - of_image[:, None]).flatten(0, 1)
    within = apart.T @ apart / ((N_TILES - 1) * len(logs))
    values, axes = torch.linalg.eigh(torch.cov(of_image.T) - within / N_TILES)
    return (axes * values.clamp_min(0)) @ axes.T, within


class Reader:
    """The best linear reader of the blurs of a family from tiles' power."""

    def __init__(self, family, space: FieldSpace, bins: Bins) -> None:
        self._family, self._bins = family, bins
        self._places = even_places(4)
        basis = family.basis(self._places)
        self._weights = torch.einsum("rp,mpk->mrk", space.factors, basis)
        flat = family.eigen_psfs.flatten(1)
        self._gram = flat @ flat.T
        transfer = bins.transfer(family.eigen_psfs)
        self._change = torch.einsum("mrk,kf->mrf", self._weights.to(transfer.dtype), transfer)

    def effects(self, sharp: Tensor, gamma: Tensor, level: float) -> tuple[Tensor, Tensor, Tensor]:
        """Powers of signal and noise (16, F), their noise, and the change (16, R, F) by factors."""
        power = self._bins.power(sharp)
        transfer = self._bins.transfer(self._family.psf_at(gamma, self._places))
        noise = torch.tensor((level * PEAK * float(sharp.max())) ** 2)
        change = 2 * (transfer.conj()[:, None] * self._change).real * power[:, None]
        return power * transfer.abs().square() + noise, noise, change

    def known(self, total: Tensor, change: Tensor) -> Tensor:
        """Information (R, R) where the spectrum of the sharp tiles is known."""
        relative = (change / total[:, None]).double()
        return self._bins.independent * torch.einsum("mrf,msf->rs", relative, relative)

    def varied(
        self, total: Tensor, noise: Tensor, change: Tensor, between: Tensor, within: Tensor
    ) -> Tensor:
        """Information (R, R) where it varies as those of sharp images do."""
        mean = self._bins.mean(total)
        design = (self._bins.mean(change) / mean[:, None]).mT.flatten(0, 1).double()
        share = ((mean - noise) / mean).double()
        n_tiles, n_bins = share.shape
        covariance = between[None, :, None].repeat(n_tiles, 1, n_tiles, 1)
        for tile in range(n_tiles):
            covariance[tile, :, tile] += within
        covariance *= share[:, :, None, None] * share
        square = covariance.reshape(n_tiles * n_bins, -1)
        square.diagonal().add_((1 / self._bins.n_independent).repeat(n_tiles))
        white = torch.linalg.solve_triangular(torch.linalg.cholesky(square), design, upper=False)
        return white.T @ white

    def snr(self, information: Tensor, gamma: Tensor) -> float:
        """Expected PSF-SNR in dB, given what the data tell beyond the prior."""
        covariance = torch.linalg.inv(torch.eye(len(information)).double() + information)
        root = torch.linalg.cholesky(covariance)
        draws = torch.randn(N_DRAWS, len(root), generator=Generator().manual_seed(0)).double()
        error = torch.einsum("nr,mrk->nmk", (draws @ root.T).float(), self._weights)
        square = torch.einsum("nmk,kl,nml->nm", error, self._gram, error)
        energy = self._family.psf_at(gamma, self._places).square().sum((-2, -1))
        return float(-10 * (square / energy).log10().mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--n", type=int, default=48, help="held-out images and blurs")
    given = parser.parse_args()
    config = read_config(given.config, IdentificationConfig)
    own = config.family.read()
    family, hull, bins = own.at_cutoff(own.seen_at), own.admissible_set, Bins()
    gamma = hull.sample(ONE_IN * given.n, seed=BLUR_SEED)[::ONE_IN]
    mean, places = hull.sample(N_MEAN, seed=MEAN_SEED).mean(0), even_places(4)
    floor = psf_snr(family.psf_at(mean[None], places), family.psf_at(gamma, places)).mean(1)
    print(f"mean operator: {floor.mean():.1f} dB, from {floor.min():.1f} to {floor.max():.1f}")
    between, within = variety(config, bins)
    reader = Reader(family, FieldSpace.of(own), bins)
    rows = []
    for name, folder in held_out_folders(config, DEVICE).items():
        for level in LEVELS:
            figures = []
            for index, one in enumerate(gamma):
                sharp = folder.centre_crop(index * len(folder) // len(gamma), SIDE)
                total, noise, change = reader.effects(sharp, one, level)
                varied = reader.varied(total, noise, change, between, within)
                informations = [reader.known(total, change), *(n * varied for n in N_IMAGES)]
                figures.append([reader.snr(each, one) for each in informations])
            gains = torch.tensor(figures).mean(0) - floor.mean()
            rows.append([name, f"{level:g}", *(f"{gain:+.1f}" for gain in gains)])
    names = ["images", "σ", "spectrum known", *(f"{n} of a blur" for n in N_IMAGES)]
    print(markdown(names, rows))


if __name__ == "__main__":
    main()
