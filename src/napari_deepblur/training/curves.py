"""The log of a training run: a CSV file, and a picture of it."""

from __future__ import annotations

import csv
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TrainingLog", "plot_log"]

Row = Mapping[str, str]

#: Columns that every log has; all others are validation figures.
_COLUMNS = (
    "step", "stage", "crops", "crops_in_stage", "learning_rate", "crops_per_second", "loss",
)  # fmt: skip


class TrainingLog:
    """`log.csv` with one line per validation, and `curves.png` beside it.

    Parameters
    ----------
    folder
        Folder of `log.csv` and `curves.png`.
    start
        Step at which training goes on: later lines of an interrupted run are dropped, for
        their steps are done again.
    """

    def __init__(self, folder: Path, start: int) -> None:
        self._path = folder / "log.csv"
        self._rows = [row for row in _read(self._path) if int(float(row["step"])) <= start]
        self._losses: list[float] = []
        self._n_crops_before = 0
        self._n_crops = 0
        self._began = self._since = time.perf_counter()

    @property
    def n_crops(self) -> int:
        """Crops since the log was opened."""
        return self._n_crops_before + self._n_crops

    @property
    def seconds(self) -> float:
        """Time since the log was opened, validation included."""
        return time.perf_counter() - self._began

    def count(self, loss: float, n_crops: int) -> None:
        """Count one step."""
        self._losses.append(loss)
        self._n_crops += n_crops

    def means(self) -> dict[str, float]:
        """Mean loss and speed since the last line; call it before validation, which takes time."""
        seconds = max(time.perf_counter() - self._since, 1e-9)
        return {
            "crops_per_second": round(self._n_crops / seconds, 1),
            "loss": sum(self._losses) / max(1, len(self._losses)),
        }

    def write(self, row: Mapping[str, float]) -> None:
        """Add a line and draw the picture anew.

        Parameters
        ----------
        row
            Values by column. New columns may appear, as when a resumed run has more images.
        """
        self._rows.append({k: str(v) if isinstance(v, int) else f"{v:.5g}" for k, v in row.items()})
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        partial = self._path.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self._rows)
        partial.replace(self._path)
        self._draw()
        self._losses = []
        self._n_crops_before, self._n_crops = self.n_crops, 0
        self._since = time.perf_counter()

    def _draw(self) -> None:
        try:
            plot_log(self._path, self._path.with_name("curves.png"))
        except Exception as error:  # noqa: BLE001 - no picture is worth hours of training
            warnings.warn(f"the curves were not drawn: {error}", stacklevel=2)


def plot_log(csv_path: Path, picture_path: Path) -> None:
    """Draw loss, learning rate and every validation figure against crops.

    Figures of one quantity (the last word of their name with an underscore) share a panel;
    dashed lines stand where a stage begins.

    Parameters
    ----------
    csv_path
        Log of a training run.
    picture_path
        PNG file to write.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the log has no line with a number of crops.
    """
    rows = [row for row in _read(csv_path) if row.get("crops")]
    if not rows:
        raise ValueError(f"{csv_path} has nothing to draw")
    partial = picture_path.with_suffix(".partial")
    _figure(rows).savefig(partial, format="png", dpi=100)
    partial.replace(picture_path)


def _figure(rows: list[Row]) -> Figure:
    # Not pyplot, which keeps every figure and asks for a display.
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import EngFormatter

    panels = _panels(rows)
    # As high as the legend beside a panel, in inches.
    heights = [max(2.0, 0.3 + 0.19 * len(curves)) for curves in panels.values()]
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(9.5, 0.8 + sum(heights)), layout=layout)
    axes = figure.subplots(
        len(panels), sharex=True, squeeze=False, height_ratios=heights
    )[:, 0].tolist()  # fmt: skip
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        n_colours = 10 if len(curves) <= 10 else 20
        ax.set_prop_cycle(color=colormaps[f"tab{n_colours}"](range(n_colours)))
        for label, name in curves.items():
            _curve(ax, rows, name, label)
        ax.set_title(title, loc="left", fontsize="medium")
        ax.grid(alpha=0.3)
        # Beside the panel, where no curve runs.
        if any(curves):
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    _mark_stages(axes, rows)
    axes[-1].set_xlabel("crops (dashed: a stage begins)")
    axes[-1].xaxis.set_major_formatter(EngFormatter(sep=""))
    return figure


def _panels(rows: list[Row]) -> dict[str, dict[str, str]]:
    """Columns by panel and by the label of the curve there."""
    panels = {"loss": {"": "loss"}, "learning rate": {"": "learning_rate"}}
    for name in dict.fromkeys(name for row in rows for name in row):
        if name not in _COLUMNS:
            words = name.split()
            quantity = next((word for word in reversed(words) if "_" in word), name)
            label = " ".join(word for word in words if word != quantity)
            panels.setdefault(quantity, {})[label] = name
    return panels


def _curve(ax: Axes, rows: list[Row], name: str, label: str) -> None:
    points = [(float(row["crops"]), float(row[name])) for row in rows if row.get(name)]
    ax.plot(*zip(*points, strict=True), marker=".", markersize=4, linewidth=1.2, label=label)


def _mark_stages(axes: list[Axes], rows: list[Row]) -> None:
    begins = {row["stage"]: float(row["crops"]) - float(row["crops_in_stage"]) for row in rows}
    for ax in axes:
        for begin in begins.values():
            ax.axvline(begin, color="grey", linestyle="--", linewidth=0.8)
    top = axes[0].secondary_xaxis("top")
    # Numbers only, as the first stages may be short.
    top.set_xticks(list(begins.values()), list(begins))
    top.tick_params(length=2, labelsize="small")


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
