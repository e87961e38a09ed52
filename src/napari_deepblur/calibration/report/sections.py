"""Sections of the report, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.calibration.field_figures import FieldFigures
from napari_deepblur.calibration.report.charts import (
    colour_bar,
    curve_chart,
    field_chart,
    legend,
)
from napari_deepblur.calibration.report.pictures import (
    around_zero,
    colours,
    grey,
    hex_colour,
    mosaic,
    picture,
)
from napari_deepblur.optics.field import field_grid

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.result import CalibrationResult

__all__ = [
    "bead_section",
    "drift_section",
    "eigen_psf_section",
    "field_section",
    "input_section",
    "trust_section",
]

#: PSFs along each axis of the mosaic, and acquisitions that are drawn one by one.
_N_MOSAIC, _MOST_DRAWN = 5, 12

#: Residuals between these have different colours, dB.
_RESIDUALS = (-25.0, -5.0)


def input_section(result: CalibrationResult) -> str:
    """Show what was calibrated, and from which images."""
    rows, columns = result.field_shape
    pixel = result.pixel_size_um
    if result.optics is None:
        optics = (
            "not given; the OTF's support gives a cutoff of at least "
            f"{result.family.cutoff:.3f} cycles / pixel"
        )
    else:
        optics = (
            f"NA {result.optics.numerical_aperture:g}, λ {result.optics.wavelength_um:g} µm, "
            f"n {result.optics.refractive_index:g}: cutoff {result.family.cutoff:.3f} cycles / "
            "pixel"
        )
    images = "<br>".join(
        escape(f"{name}: {taken}" if taken else name)
        for name, taken in zip(result.names, result.planes, strict=True)
    )
    facts = {
        "Images": images,
        "Field": f"{rows} × {columns} pixels of {pixel:g} µm, {rows * pixel:.4g} × "
        f"{columns * pixel:.4g} µm",
        "Window of a PSF": f"{result.window} pixels, {result.window * pixel:.3g} µm",
        "Optics": optics,
        "Eigen-PSFs": f"K = {len(result.eigen_psfs)}",
        "Coefficients": f"P = {result.coefficients.shape[1]}",
    }
    body = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts.items())
    return f"<h2>What was done</h2><table>{body}</table>"


def bead_section(result: CalibrationResult) -> str:
    """Show the beads that were used and rejected, their places and shapes."""
    counts = {BeadStatus.USED: result.n_used, **result.n_rejected}
    table = _table(["status", "beads"], [[name, str(count)] for name, count in counts.items()])
    charts = []
    for index, name in enumerate(result.names[:_MOST_DRAWN]):
        beads = result.beads[result.beads["acquisition"] == index]
        chart = _bead_chart(result, beads, name)
        charts.append(f"<figure>{chart}<figcaption>{escape(name)}</figcaption></figure>")
    shown = {name: BeadStatus(name).colour for name in counts}
    return (
        f'<h2>Beads</h2><div class="row"><div>{table}{_shapes(result)}</div>'
        f'<div><div class="row">{"".join(charts)}</div>{legend(shown)}</div></div>'
    )


def field_section(result: CalibrationResult, figures: FieldFigures) -> str:
    """Show the PSF at places of the field, its width and its roundness."""
    name = escape(result.names[0])
    if len(result.eigen_psfs) == 1:
        psf = picture(grey(_cropped(result.psf()[None])[0]), "PSF", width=220)
        return (
            f"<h2>The PSF</h2><figure>{psf}<figcaption>PSF of {name}, the same all over the field; "
            "grey is the square root of the light.</figcaption></figure>"
        )
    psfs = _cropped(result.psf_field(field_grid(_N_MOSAIC, _N_MOSAIC)))
    tiles = picture(grey(mosaic(psfs, _N_MOSAIC)), "PSFs at 5 × 5 places of the field", width=440)
    width = _map(figures.fwhm_um, "width (FWHM)", " µm")
    roundness = _map(figures.ellipticity, "ellipticity (1 − short / long axis)", "")
    return (
        f'<h2>The PSF over the field</h2><div class="row"><figure>{tiles}<figcaption>PSFs of '
        f"{name} at 5 × 5 places, each at its place in the field; enlarged, grey is the square "
        f"root of the light.</figcaption></figure><div>{width}{roundness}</div></div>"
    )


def eigen_psf_section(result: CalibrationResult) -> str:
    """Show the eigen-PSFs and their weights over the field."""
    weights = np.einsum("p,pkyx->kyx", result.coefficients[0], result.family.maps.cpu().numpy())
    kept = [f"{share:.2%}".replace("%", " %") for share in result.energy]
    varying = [f"{share:.1%}".replace("%", " %") for share in result.varying_energy]
    columns = []
    for number, (eigen_psf, weight) in enumerate(zip(result.eigen_psfs, weights, strict=True)):
        columns.append(
            f"<figure><h3>{number + 1}</h3>"
            + picture(around_zero(eigen_psf), f"eigen-PSF {number + 1}", width=140)
            + "<br>"
            + picture(around_zero(weight), f"weight map {number + 1}", width=140, smooth=True)
            + f"<figcaption>{kept[number]} of the energy<br>{varying[number]} of what varies"
            f"<br>weight {_signed(weight.min())} … {_signed(weight.max())}</figcaption></figure>"
        )
    return (
        '<h2>Eigen-PSFs and their weights</h2><div class="row">'
        + "".join(columns)
        + "</div><p><small>The PSF at a place is the sum of the eigen-PSFs (above), each times "
        "its weight there (below). Red is positive, blue negative. Shares are those kept by this "
        "and all eigen-PSFs before it.</small></p>"
    )


def trust_section(result: CalibrationResult) -> str:
    """Show the error of beads that were predicted from the others."""
    if not len(result.cross_validation_db):
        return ""
    chart = curve_chart(
        {"error": result.cross_validation_db},
        x_label="number K of eigen-PSFs",
        y_label="error (dB)",
        title="error of beads left out, by the number of eigen-PSFs",
        first=1,
        marked=min(len(result.eigen_psfs), len(result.cross_validation_db)),
    )
    beads = result.beads[
        (result.beads["acquisition"] == 0) & (result.beads["status"] == BeadStatus.USED)
    ]
    fills = [hex_colour(value, *_RESIDUALS) for value in beads["residual_db"]]
    places = beads[["y", "x"]].to_numpy(float)
    where = field_chart(
        places, fills, result.field_shape, width=300, title="error of each bead that was left out"
    )
    all_used = result.beads["residual_db"].dropna()
    low, middle, high = np.quantile(all_used, [0.05, 0.5, 0.95])
    return (
        '<h2>How far to trust it</h2><div class="row"><figure>'
        f"{chart}<figcaption>Beads left out, predicted from all others with K eigen-PSFs: error by "
        "the beads' energy, noise apart; −20 dB is 10 %. The marked K was taken.</figcaption>"
        f"</figure><figure>{where}<br>"
        f"{colour_bar(f'{_RESIDUALS[0]:g} dB', f'{_RESIDUALS[1]:g} dB')}"
        "<figcaption>The same bead by bead, of the first acquisition. Half of all beads are below "
        f"{middle:.1f} dB, 90 % between {low:.1f} and {high:.1f} dB. No bead can show less than "
        "its noise allows.</figcaption></figure></div>"
    )


def drift_section(result: CalibrationResult) -> str:
    """Show γ and the PSF of each acquisition."""
    if result.n_acquisitions == 1:
        return ""
    centre = _cropped(
        np.stack([result.psf(acquisition=index) for index in range(result.n_acquisitions)])
    )
    some = np.unique(np.linspace(0, len(centre) - 1, _MOST_DRAWN).round().astype(int))
    row = picture(
        grey(mosaic(centre[some], len(some))), "PSF at the field's centre", width=70 * len(some)
    )
    chart = ""
    names = result.family.coefficient_names
    if len(names) > 1:
        chart = curve_chart(
            dict(zip(names[1:], result.coefficients.T[1:], strict=True)),
            x_label="acquisition",
            y_label="γ",
            title="coefficients of each acquisition",
        )
        chart = (
            f"<figure>{chart}<figcaption>Coefficients γ of each acquisition: how far it deviates "
            "from the mean operator in each mode, in units of the modes' standard deviation. The "
            "coefficient of the mean operator is always 1.</figcaption></figure>"
        )
    numbers = ", ".join(str(index) for index in some.tolist())
    return (
        f'<h2>Acquisitions: what changes</h2><div class="row">{chart}<figure>{row}<figcaption>'
        f"PSF at the field's centre in the acquisitions {numbers}.</figcaption></figure></div>"
    )


def _signed(value: float) -> str:
    return f"{value:.2g}".replace("-", "−")


def _shapes(result: CalibrationResult) -> str:
    """Width and roundness of the beads, acquisition by acquisition."""
    used = result.beads[result.beads["status"] == BeadStatus.USED]
    rows = []
    for index, name in enumerate(result.names):
        own = used[used["acquisition"] == index]
        rows.append(
            [
                name,
                str(len(own)),
                _mean_and_spread(own["fwhm_um"].to_numpy(), 3),
                _mean_and_spread(own["ellipticity"].to_numpy(), 2),
            ]
        )
    head = ["", "used", "FWHM (µm)", "ellipticity"]
    return _table(head, rows) + "<small>mean ± standard deviation over the beads</small>"


def _mean_and_spread(values: NDArray[np.floating], digits: int) -> str:
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std():.{digits}f}"


def _bead_chart(result: CalibrationResult, beads: DataFrame, name: str) -> str:
    # The beads that count lie on top.
    ordered = beads.iloc[np.argsort(beads["status"] == BeadStatus.USED, kind="stable")]
    return field_chart(
        ordered[["y", "x"]].to_numpy(float),
        [BeadStatus(status).colour for status in ordered["status"]],
        result.field_shape,
        width=400 if result.n_acquisitions == 1 else 180,
        title=f"beads of {name}",
    )


def _map(values: NDArray[np.floating], name: str, unit: str) -> str:
    low, high = float(values.min()), float(values.max())
    image = picture(colours(values, low, high), name, width=200, smooth=True)
    bar = colour_bar(f"{low:.3g}{unit}", f"{high:.3g}{unit}")
    return f"<figure>{image}<br>{bar}<figcaption>{name}</figcaption></figure>"


def _cropped(psfs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Crop PSFs to the middle that holds what can be seen of the brightest."""
    mean = psfs.mean(0)
    seen = np.argwhere(mean > 0.01 * mean.max()) - len(mean) // 2
    half = min(len(mean) // 2, int(np.abs(seen).max()) + 1)
    middle = slice(len(mean) // 2 - half, len(mean) // 2 + half + 1)
    return psfs[:, middle, middle]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if position else ''}>{escape(cell)}</{tag}>"
            for position, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{line(head, 'th')}</tr>{body}</table>"
