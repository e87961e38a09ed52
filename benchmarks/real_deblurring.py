"""Deblur real widefield images beside Richardson-Lucy: residual, spectrum, ring correlation.

    python benchmarks/real_deblurring.py DATA_FOLDER --out docs/images --write --docs docs

DATA_FOLDER holds `real_stacks/deconwolf_dapi_001.tif` and `train_micro` with its
`manifest.csv`, of which six images of the Widefield2SIM set (W2S) that are held out of training
are taken. `--write` puts the tables into real-data.md of the folder --docs.

No truth exists. But what deblurring adds must be in the data: two halves of the data with
independent noise are deblurred with one PSF, and at frequencies where the results do not
correlate (Fourier ring correlation below 1/7) nothing may have been added.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import tifffile
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from real_data import NUCLEUS
from ring_correlation import fourier_ring_correlation, radial_power
from scipy.ndimage import gaussian_filter
from torch import Generator, Tensor
from torch.nn import functional
from tqdm import tqdm

import napari_deepblur as ndb
from napari_deepblur.engine.diagnostics import check_deblurring
from napari_deepblur.engine.models import DEFAULT_MODEL, Model, load_model
from napari_deepblur.engine.noise import noise_deviation
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks
from napari_deepblur.evaluation.deblurring.classical import richardson_lucy
from napari_deepblur.training.data.sources import is_held_out
from napari_deepblur.training.data.synthesis import add_noise

Counts = NDArray[np.float32]

#: Known are 100 × and 512 × 512 pixels of three channels. Assumed, as is usual for structured
#: illumination of that kind: excitation at 488, 561 and 640 nm in the channels 0, 1 and 2, a
#: total internal reflection objective, and a camera whose pixels of 16 µm are imaged 250 ×.
W2S_WAVELENGTHS_UM = {"0": 0.525, "1": 0.6, "2": 0.68}
W2S_NUMERICAL_APERTURE = 1.49
W2S_PIXEL_UM = 0.064
N_W2S = 6

#: Of the noise that is added to the means of 400 frames, by the maximum: about one frame's.
NOISE_LEVEL = 0.02
N_ITERATIONS = 30
N_RINGS = 25
N_BINS = 20
#: Below it rings are taken not to correlate (Rosenthal & Henderson, J. Mol. Biol. 333, 2003).
LEAST_CORRELATION = 1 / 7
N_BANDS = 5

NETWORK, RICHARDSON_LUCY = "network, own PSF", "Richardson–Lucy, theoretical PSF"


@dataclass(frozen=True)
class Observed:
    """One plane and two halves of its data, of independent noise."""

    name: str
    image: Counts  # (Y, X)
    optics: ndb.Optics
    halves: tuple[Counts, Counts]


@dataclass(frozen=True)
class Result:
    """What one method made of a plane."""

    name: str
    method: str
    cutoff: float
    residual: float  # of the plane, by its noise
    residual_half: float  # of a half, by the half's noise
    power: NDArray[np.float64]  # (N_RINGS,), mean of the halves
    power_before: NDArray[np.float64]
    correlation: NDArray[np.float64]  # (N_RINGS,), of the deblurred halves
    correlation_before: NDArray[np.float64]

    @property
    def added(self) -> NDArray[np.float64]:
        """Power that deblurring adds in each ring."""
        return np.clip(self.power - self.power_before, 0, None)

    def share_added(self, where: NDArray[np.bool_]) -> float:
        """Of all added power, what lies in some rings."""
        return float(self.added[where].sum() / max(self.added.sum(), 1e-30))

    @property
    def drawn(self) -> float:
        """Of the shared power that deblurring adds, what lies where the observed halves share none.

        A network can draw the same into both halves, even below the noise that it removes.
        """
        before = np.clip(self.correlation_before, 0, None) * self.power_before
        gain = np.clip(np.clip(self.correlation, 0, None) * self.power - before, 0, None)
        unseen = self.correlation_before < LEAST_CORRELATION
        return float(gain[unseen].sum() / max(gain.sum(), 1e-30))


FREQUENCY = (np.arange(N_RINGS) + 0.5) / (2 * N_RINGS)


def w2s_optics(channel: str) -> ndb.Optics:
    """What the microscope is taken to be."""
    return ndb.Optics(
        numerical_aperture=W2S_NUMERICAL_APERTURE,
        wavelength_um=W2S_WAVELENGTHS_UM[channel],
        pixel_size_um=W2S_PIXEL_UM,
        refractive_index=1.515,
    )


def w2s_images(folder: Path, model: Model) -> list[Observed]:
    """The first six by name that training does not see and whose cutoff the network knows."""
    low, high = model.card.deblurring.cutoff_range
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        sources = {row["file"]: row["source_path"] for row in csv.DictReader(file)}
    found = []
    for path in sorted(folder.glob("w2s_*.jpg")):
        optics = w2s_optics(Path(sources[path.name]).stem[-1])
        if is_held_out(path) and low <= optics.cutoff <= high:
            with Image.open(path) as picture:
                image = np.array(picture.convert("L"), np.float32)
            found.append(Observed(path.stem, image, optics, single_frames(image, optics)))
    return found[:N_W2S]


def nucleus_planes(folder: Path) -> list[Observed]:
    """The sharpest plane of the nucleus, and those five planes before and after it."""
    path, optics = NUCLEUS
    stack = tifffile.imread(folder / path).astype(np.float32)
    middle = int(np.argmax(stack.std((1, 2))))
    planes = [plane for plane in (middle - 5, middle, middle + 5) if 0 <= plane < len(stack)]
    return [
        Observed(f"nucleus, plane {plane}", stack[plane], optics, thinned(stack[plane], optics))
        for plane in planes
    ]


def single_frames(image: Counts, optics: ndb.Optics) -> tuple[Counts, Counts]:
    """A mean of many frames as two that have the noise of about one frame each."""
    # Thinned first, for else both would share the noise that is left in the mean.
    halves = torch.from_numpy(np.stack(thinned(image, optics))).clamp_min(0)
    levels = torch.full((2,), NOISE_LEVEL)
    first, second = add_noise(halves, levels, Generator().manual_seed(0)).numpy()
    return first, second


def thinned(image: Counts, optics: ndb.Optics) -> tuple[Counts, Counts]:
    """One exposure as two of half the light: y ± s z, z normal, s² the noise's variance in y.

    For Gaussian noise y + s z and y - s z are independent and each has twice the variance, as
    the halves of a binomial splitting of photon counts would; it needs no camera gain. Even and
    odd pixels would not do: each half would be undersampled, and the PSF with it.
    """
    draw = np.random.default_rng(0).standard_normal(image.shape)
    change = np.sqrt(noise_variance(image, optics)) * draw
    return (image + change).astype(np.float32), (image - change).astype(np.float32)


def noise_variance(image: Counts, optics: ndb.Optics) -> NDArray[np.float64]:
    """Variance of the noise in each pixel, a line in the local mean, shape (Y, X).

    The line is fitted to the second differences along both axes (Immerkær, 1996), binned by
    local mean; the mean over the plane is that which the frequencies beyond the optics tell.
    """
    plane = torch.from_numpy(image)[None, None].double()
    kernel = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=torch.float64) / 6
    padded = functional.pad(plane, (1, 1, 1, 1), mode="reflect")
    difference = functional.conv2d(padded, kernel[None, None])[0, 0].numpy()
    mean = gaussian_filter(image.astype(float), 2)
    edges = np.quantile(mean, np.linspace(0, 1, N_BINS + 1)[1:-1])
    bins = [place for k in range(N_BINS) if (place := np.digitize(mean, edges) == k).any()]
    centres = [mean[place].mean() for place in bins]
    # The median of squares, so that few strong edges do not count.
    variances = [np.median(difference[place] ** 2) for place in bins]
    slope, offset = np.polyfit(centres, variances, 1)
    line = np.clip(slope * mean + offset, max(min(variances), 1e-3 * max(variances)), None)
    return line * (noise_deviation(image, optics.cutoff) ** 2 / line.mean())


Method = Callable[[Counts], Counts]


def methods(observed: Observed, model: Model) -> dict[str, tuple[ndb.BlurEstimate, Method]]:
    """Each method with the blur that it takes out."""
    own = ndb.estimate_blur(observed.image, optics=observed.optics, model=model)
    zero = np.zeros_like(own.coefficients)
    theoretical = ndb.BlurEstimate(zero, zero, observed.optics, model.reference)

    def network(image: Counts) -> Counts:
        return ndb.deblur(image, own, model=model)

    def iterative(image: Counts) -> Counts:
        psf = torch.tensor(theoretical.psf())
        dark = float(np.quantile(image, 0.01))
        estimates = richardson_lucy(torch.tensor(image - dark), psf, (N_ITERATIONS,))
        return estimates[N_ITERATIONS].numpy() + np.float32(dark)

    return {NETWORK: (own, network), RICHARDSON_LUCY: (theoretical, iterative)}


def evaluate(observed: Observed, model: Model) -> list[Result]:
    """Deblur a plane and its halves by each method."""
    before = [torch.from_numpy(half) for half in observed.halves]
    results = []
    for name, (blur, method) in methods(observed, model).items():
        after = [torch.from_numpy(method(half)) for half in observed.halves]
        whole = check_deblurring(observed.image, method(observed.image), blur, axes="YX")
        half = check_deblurring(observed.halves[0], after[0].numpy(), blur, axes="YX")
        results.append(
            Result(
                name=observed.name,
                method=name,
                cutoff=observed.optics.cutoff,
                residual=float(whole.residual[0]),
                residual_half=float(half.residual[0]),
                power=mean_power(after),
                power_before=mean_power(before),
                correlation=fourier_ring_correlation(*after, n_rings=N_RINGS).numpy(),
                correlation_before=fourier_ring_correlation(*before, n_rings=N_RINGS).numpy(),
            )
        )
    return results


def mean_power(halves: Sequence[Tensor]) -> NDArray[np.float64]:
    """Radial power of both halves."""
    return np.mean([radial_power(half, n_rings=N_RINGS).numpy() for half in halves], 0)


def resolution(correlation: NDArray[np.float64]) -> float:
    """Frequency at which rings first stop to correlate, cycles per pixel."""
    below = correlation < LEAST_CORRELATION
    return float(FREQUENCY[np.argmax(below)]) if below.any() else 0.5


def table_of(results: Sequence[Result]) -> Table:
    """One row per image and method, and the frequency bands of all images together."""
    head = (
        "image", "f_c", "method", "residual / σ, image", "residual / σ, a half",
        "FRC above 1/7 up to: before", "after", "added power where FRC after < 1/7",
        "where FRC before < 1/7", "added shared power where FRC before < 1/7",
    )  # fmt: skip
    rows = []
    figures = {}
    for one in results:
        unshared = one.share_added(one.correlation < LEAST_CORRELATION)
        beyond = one.share_added(one.correlation_before < LEAST_CORRELATION)
        rows.append(
            [
                one.name,
                f"{one.cutoff:.2f}",
                one.method,
                f"{one.residual:.2f}",
                f"{one.residual_half:.2f}",
                f"{resolution(one.correlation_before):.2f}",
                f"{resolution(one.correlation):.2f}",
                f"**{unshared:.2%}**",
                f"{beyond:.2%}",
                f"{one.drawn:.2%}",
            ]
        )
        figures[f"{one.name} {one.method}: added_unshared"] = unshared
        figures[f"{one.name} {one.method}: added_unseen"] = beyond
    text = "\n\n".join([markdown(head, rows), band_table(results), verdict(results)])
    return Table("real deblurring", "Deblurred real images", text, figures)


def band_table(results: Sequence[Result]) -> str:
    """Gain of power and ring correlation by band: medians over images."""
    both = (NETWORK, RICHARDSON_LUCY)
    columns = [f"{method}: {what}" for method in both for what in ("power (dB)", "FRC")]
    head = ("cycles / pixel", "FRC before", *columns)
    edges = np.linspace(0, N_RINGS, N_BANDS + 1).astype(int)
    rows = []
    for low, high in pairwise(edges):
        band = slice(low, high)
        before = [one.correlation_before[band].mean() for one in results]
        cells = [f"{low / 2 / N_RINGS:g} … {high / 2 / N_RINGS:g}", f"{np.median(before):.2f}"]
        for method in both:
            own = [one for one in results if one.method == method]
            gain = [one.power[band].sum() / one.power_before[band].sum() for one in own]
            shared = [one.correlation[band].mean() for one in own]
            cells += [f"{10 * np.log10(np.median(gain)):+.1f}", f"{np.median(shared):.2f}"]
        rows.append(cells)
    return markdown(head, rows)


def verdict(results: Sequence[Result]) -> str:
    """The largest share of added power that halves do not share, for each method."""
    lines = []
    for method in (NETWORK, RICHARDSON_LUCY):
        own = [one for one in results if one.method == method]
        after = [one.share_added(one.correlation < LEAST_CORRELATION) for one in own]
        before = [one.share_added(one.correlation_before < LEAST_CORRELATION) for one in own]
        drawn = [one.drawn for one in own]
        lines.append(
            f"- {method}: of the added power **{np.median(after):.2%}** (median; at most "
            f"{max(after):.2%}) lies at frequencies where the deblurred halves do not correlate, "
            f"{np.median(before):.2%} (at most {max(before):.2%}) where the observed halves do "
            f"not. Of the shared power that was added, {np.median(drawn):.2%} (at most "
            f"{max(drawn):.2%}) lies where the observed halves do not correlate."
        )
    return "\n".join(lines)


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw radial spectra above, ring correlations below, one column per image."""
    names = list(dict.fromkeys(one.name for one in results))
    figure = Figure(figsize=(1.35 * len(names), 4.5), layout="constrained")
    axes = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    for column, name in zip(axes.T, names, strict=True):
        own = [one for one in results if one.name == name]
        pixels = np.diff(np.pi * (np.arange(N_RINGS + 1) / 2 / N_RINGS) ** 2)
        total = own[0].power_before.sum()
        column[0].semilogy(FREQUENCY, own[0].power_before / pixels / total, "k", label="observed")
        column[1].plot(FREQUENCY, own[0].correlation_before, "k", label="observed")
        for one, style in zip(own, ("C0", "C1--"), strict=True):
            column[0].semilogy(FREQUENCY, one.power / pixels / total, style, label=one.method)
            column[1].plot(FREQUENCY, one.correlation, style)
        for ax in column:
            ax.axvline(2 * own[0].cutoff, color="0.6", lw=1)
            ax.set_xlim(0, 0.5)
        column[1].axhline(LEAST_CORRELATION, color="0.6", lw=1, ls=":")
        column[1].set_xlabel("cycles / pixel", fontsize="small")
        column[0].set_title(name, fontsize="small")
    axes[0, 0].set_ylabel("power")
    axes[1, 0].set_ylabel("FRC of two halves")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(path, format="png", dpi=80)


def main() -> None:
    """Run all images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    page = arguments.docs / "real-data.md"
    if arguments.write:
        require_marks(page, ["real deblurring"])
    model = load_model(arguments.model)
    observed = nucleus_planes(arguments.data)
    observed += w2s_images(arguments.data / "train_micro", model)
    results = []
    with warnings.catch_warnings():
        # The nucleus is undersampled, as the page says.
        warnings.simplefilter("ignore", UserWarning)
        for one in tqdm(observed, "images", disable=None):
            results += evaluate(one, model)
    table = table_of(results)
    print(table.text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw(results, arguments.out / "real-deblurring.png")
    if arguments.write:
        record_in_page(page, [table])


if __name__ == "__main__":
    main()
