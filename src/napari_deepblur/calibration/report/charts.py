"""Charts as SVG, drawn into the page.

Written by hand because the report must open anywhere and matplotlib is no dependency of users:
three plain kinds of chart stay sharp in print and weigh a few kilobytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.report.pictures import hex_colour

__all__ = ["colour_bar", "curve_chart", "field_chart", "legend"]

_SERIES = ("#2b8cbe", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#666666")

#: Sides of a chart of curves and of the space around its frame, pixels.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 220, 58, 12, 10, 40

#: Numbers below such a chart, at most.
_MOST_NUMBERS = 12

Floats = NDArray[np.floating]


def field_chart(
    positions_yx: Floats, fills: Sequence[str], shape: tuple[int, int], *, width: int, title: str
) -> str:
    """Dots at pixels (n, 2) of a field, seen as the image is."""
    height = round(width * shape[0] / shape[1])
    scale = width / shape[1]
    radius = float(np.clip(25 / max(len(fills), 1) ** 0.5, 1, 5))
    dots = "".join(
        f'<circle cx="{scale * (x + 0.5):.1f}" cy="{scale * (y + 0.5):.1f}" r="{radius:.1f}" '
        f'fill="{fill}"/>'
        for (y, x), fill in zip(np.asarray(positions_yx).tolist(), fills, strict=True)
    )
    frame = f'<rect width="{width}" height="{height}" class="frame"/>'
    return _svg(width, height, frame + dots, title)


def curve_chart(
    values: Mapping[str, Floats],
    *,
    x_label: str,
    y_label: str,
    title: str,
    first: int = 0,
    marked: int | None = None,
) -> str:
    """Lines with dots, drawn over whole numbers.

    Parameters
    ----------
    values
        Curves by name, all of one length.
    x_label, y_label
        Labels of the axes.
    title
        Text for readers who cannot see the chart.
    first
        Number of the first value.
    marked
        Number of the value to mark.
    """
    table = np.stack([np.asarray(part, float) for part in values.values()])
    axes = _Axes(first, table.shape[1], _ticks(float(table.min()), float(table.max())))
    colours = np.resize(_SERIES, len(table)).tolist()
    lines = [axes.line(row, colour) for row, colour in zip(table.tolist(), colours, strict=True)]
    mark = "" if marked is None else axes.mark(marked)
    chart = _svg(_WIDTH, _HEIGHT, axes.drawn(x_label, y_label) + mark + "".join(lines), title)
    return chart + (legend(dict(zip(values, colours, strict=True))) if len(table) > 1 else "")


@dataclass(frozen=True, slots=True)
class _Axes:
    """A frame for n values, the numbers below beginning with `first`."""

    first: int
    n: int
    ticks: list[float]

    def across(self, place: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (place + 0.5) / self.n

    def down(self, value: float) -> float:
        share = (self.ticks[-1] - value) / (self.ticks[-1] - self.ticks[0])
        return _TOP + (_HEIGHT - _BOTTOM - _TOP) * share

    def drawn(self, x_label: str, y_label: str) -> str:
        foot = _HEIGHT - _BOTTOM
        parts = [self._tick(tick) for tick in self.ticks]
        parts += [
            _text(self.across(place), foot + 16, str(self.first + place), "mid")
            for place in range(0, self.n, -(-self.n // _MOST_NUMBERS))
        ]
        parts.append(_text(self.across((self.n - 1) / 2), _HEIGHT - 6, x_label, "mid"))
        side = f"translate(14 {foot / 2 + 5}) rotate(-90)"
        parts.append(f'<text transform="{side}" class="mid">{escape(y_label)}</text>')
        return "".join(parts)

    def line(self, values: Sequence[float], colour: str) -> str:
        points = [f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in enumerate(values)]
        dots = "".join(
            '<circle cx="{}" cy="{}" r="3" fill="{}"/>'.format(*point.split(","), colour)
            for point in points
        )
        way = f'fill="none" stroke="{colour}" stroke-width="2"'
        return f'<polyline points="{" ".join(points)}" {way}/>{dots}'

    def mark(self, number: int) -> str:
        x = self.across(number - self.first) - 9
        height = _HEIGHT - _BOTTOM - _TOP
        return f'<rect x="{x:.1f}" y="{_TOP}" width="18" height="{height}" class="marked"/>'

    def _tick(self, value: float) -> str:
        y = self.down(value)
        grid = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        return grid + _text(_LEFT - 6, y + 4, f"{value:g}".replace("-", "−"), "end")


def colour_bar(low: str, high: str) -> str:
    """Scale of the colours from blue to yellow."""
    stops = "".join(
        f'<rect x="{8 * number}" width="8" height="10" fill="{hex_colour(number, 0, 19)}"/>'
        for number in range(20)
    )
    bar = _svg(160, 10, stops, "colour scale")
    return f'<span class="bar">{escape(low)} {bar} {escape(high)}</span>'


def legend(names: Mapping[str, str]) -> str:
    """Legend: names with their colours."""
    items = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in names.items()
    )
    return f'<p class="legend">{items}</p>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose an interval, evenly spaced."""
    span = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-9)
    step = 10.0 ** np.floor(np.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= span / 5)
    numbers = range(int(np.floor(low / step)), int(np.ceil(high / step)) + 1)
    ticks = [round(number * step, 10) for number in numbers]
    return ticks if len(ticks) > 1 else [ticks[0], ticks[0] + step]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, content: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )
