"""Accuracy against noise, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_deepblur.evaluation.identification.accuracy import Accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_accuracy"]

_FLOORS = {
    "floor_mean_psf": ("mean PSF", "--"),
    "floor_random_psf": ("another PSF", "-."),
    "floor_unaberrated": ("unaberrated PSF", ":"),
}


def draw_accuracy(results: tuple[Accuracy, ...], picture: Path) -> None:
    """Draw mean PSF-SNR and the band that 90 % of images fill, one panel per image set.

    Parameters
    ----------
    results
        At several noise levels.
    picture
        PNG to write, 800 pixels wide.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    # Not pyplot, which keeps every figure and asks for a display.
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(result.images for result in results))
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0].tolist()
    for ax, name in zip(axes, names, strict=True):
        _panel(ax, [result for result in results if result.images == name])
        ax.set_title(f"{name} (n = {results[0].n})", fontsize="medium")
    axes[0].set_ylabel("PSF-SNR (dB)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="small")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, format="png", dpi=100)


def _panel(ax: Axes, results: list[Accuracy]) -> None:
    levels = [result.noise_level for result in results]
    low = [result.psf_snr_5_percent for result in results]
    high = [result.psf_snr_95_percent for result in results]
    ax.fill_between(levels, low, high, alpha=0.25, linewidth=0, label="5 % – 95 % of images")
    ax.plot(levels, [r.psf_snr for r in results], marker="o", label="mean")
    for name, (label, style) in _FLOORS.items():
        ax.plot(levels, [getattr(r, name) for r in results], "k", ls=style, lw=1, label=label)
    ax.set_xlabel("noise σ (fraction of the maximum)")
    ax.grid(alpha=0.3)
