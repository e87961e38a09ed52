"""Measure what the check of deblurred images finds where the truth is known.

    python benchmarks/deblurring_check.py [--model MODEL]

The thresholds in engine/diagnostics.py come from here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional
from tqdm import tqdm

from napari_deepblur import BlurEstimate, DeblurringCheck, Optics, check_deblurring, deblur
from napari_deepblur.cli.report import table
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
from napari_deepblur.operators import Convolution
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.training.data.synthesis import add_noise, observe

OPTICS = Optics(numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1)
SIZES = (128, 256)
NOISE_LEVELS = (0.003, 0.01, 0.05)
NAMES = ("points", "filaments", "nuclei", "membranes", "dead_leaves", "spheroids")
#: Images of each size, scene and noise level.
N_IMAGES = 4
SEED = 0
#: Concerns about deblurred images.
KINDS = (
    ConcernKind.NOT_EXPLAINED,
    ConcernKind.BORDER_RINGING,
    ConcernKind.UNSUPPORTED,
)
RESULTS = (
    "the sharp image itself",
    "deblurred with its own blur",
    "deblurred with no aberration",
    "deblurred with another blur",
    "Richardson-Lucy, zeros outside",
)

Plane = NDArray[np.float32]


def blur_of(gamma: Tensor, model: str) -> BlurEstimate:
    """A blur that nobody had to estimate."""
    coefficients = gamma.reshape(1, -1).numpy()
    return BlurEstimate(coefficients, np.zeros_like(coefficients), OPTICS, model)


def richardson_lucy(image: Plane, psf: Tensor, n_iterations: int = 20) -> Plane:
    """Above the dark level, as if all were dark outside the field."""
    dark = float(image.min()) - 1
    observed = torch.from_numpy(image) - dark
    operator = Convolution(psf, observed.shape)
    mirrored = Convolution(psf.flip((-2, -1)), observed.shape)
    light = torch.full_like(observed, float(observed.mean()))
    around = (psf.shape[-1] // 2,) * 4
    for _ in range(n_iterations):
        ratio = observed / operator(functional.pad(light, around)).clamp_min(1e-3)
        light = light * mirrored(functional.pad(ratio, around))
    return (light + dark).numpy()


def checks(size: int, name: str, level: float, model: str) -> Iterator[tuple[str, DeblurringCheck]]:
    """Check every kind of result on images of a scene."""
    family = load_model(model).family.at_optics(OPTICS)
    own, other = family.admissible_set.sample(2 * N_IMAGES, seed=SEED).split(N_IMAGES)
    for number in range(N_IMAGES):
        generator = Generator().manual_seed(SEED + number)
        psf = family.psf(own[number])
        margin = psf.shape[-1] // 2
        scene = SCENES[name](1, size + 2 * margin, generator)
        noisy = add_noise(observe(scene, psf[None]), torch.tensor([level]), generator)[0]
        image = 1000 * noisy.numpy() + 100
        sharp = 1000 * scene[0, margin:-margin, margin:-margin].numpy() + 100
        blurs = [blur_of(gamma, model) for gamma in (own[number], 0 * own[number], other[number])]
        results = [sharp, *(deblur(image, blur) for blur in blurs), richardson_lucy(image, psf)]
        used = (blurs[0], *blurs, blurs[0])
        for kind, result, blur in zip(RESULTS, results, used, strict=True):
            yield kind, check_deblurring(image, result, blur)


def row(kind: str, found: list[DeblurringCheck]) -> list[str]:
    """Medians, and in brackets what one in twenty exceeds; then the shares with concerns."""
    cells = [kind]
    for field, style in (
        ("residual", "{:.2f} ({:.2f})"),
        ("border_ringing", "{:.2f} ({:.2f})"),
        ("flux_moved", "{:.0%} ({:.0%})"),
        ("residual_of_bright", "{:.2f} ({:.2f})"),
        ("unsupported", "{:.2f} ({:.2f})"),
    ):
        values = np.concatenate([getattr(check, field) for check in found])
        cells.append(style.format(*np.quantile(values, (0.5, 0.95))))
    for concern in KINDS:
        share = np.mean([any(c.kind is concern for c in check.concerns[0]) for check in found])
        cells.append(f"{share:.1%}")
    return cells


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    model = parser.parse_args().model
    found: dict[tuple[float, str], list[DeblurringCheck]] = {}
    for size, name, level in tqdm(list(product(SIZES, NAMES, NOISE_LEVELS)), disable=None):
        for kind, check in checks(size, name, level, model):
            found.setdefault((level, kind), []).append(check)
    head = ["residual", "border ringing", "flux moved", "in bright places", "unsupported", *KINDS]
    for level in NOISE_LEVELS:
        rows = [row(kind, found[level, kind]) for kind in RESULTS]
        print("\n".join(table([f"σ = {level:g}", *head], rows)), end="\n\n")


if __name__ == "__main__":
    main()
