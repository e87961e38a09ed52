"""Gain in accuracy by larger fields and more planes."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from napari_deepblur.engine.events import Job
from napari_deepblur.evaluation.bench import Bench, noisy, read_job
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.training.data.synthesis import observe

__all__ = ["more_data_job"]

_NOISE_LEVEL = 0.05

#: Tiles along each side of a large field.
_N_ALONG = 4
_N_PLANES = (2, 4, 8)
_PLANE_SIDE = 256


def more_data_job(bench: Bench) -> Job[Table]:
    """PSF-SNR of 16 tiles and of several planes, apart and together, at σ = 0.05."""
    rows: list[tuple[str, str, float, float]] = []
    for name in bench.images:
        for mosaic in (True, False):
            rows += yield from _fields_job(bench, name, mosaic=mosaic)
        rows += yield from _planes_job(bench, name)
    return _table(rows)


def _fields_job(
    bench: Bench, name: str, *, mosaic: bool
) -> Job[list[tuple[str, str, float, float]]]:
    """Measure large fields: many images side by side, or one continued by mirroring."""
    n, side = bench.n_few, bench.size
    psf = bench.psf[:n]

    def fields() -> Iterator[Tensor]:
        # One by one: all together would fill the memory of small machines.
        for index in range(n):
            if mosaic:
                scene = _mosaic(
                    bench, name, _N_ALONG * side + psf.shape[-1] - 1, first=_N_ALONG**2 * index
                )
                clean = observe(scene[None], psf[index, None])
            else:
                clean = bench.blurred(name, psf[index, None], first=index, side=_N_ALONG * side)
            yield noisy(clean, _NOISE_LEVEL)[0]

    apart = yield from read_job(bench, map(_tiles, fields()), n, f"{name}, tiles one by one")
    together = yield from read_job(
        bench, map(_tiles, fields()), n, f"{name}, tiles together", per="stack"
    )
    whole = yield from read_job(bench, fields(), n, f"{name}, whole fields")
    n_tiles = _N_ALONG**2
    single = float(bench.snr(apart.coefficients, psf.repeat_interleave(n_tiles, 0)).mean())
    field = f"{_N_ALONG * side} × {_N_ALONG * side}, {'mosaic' if mosaic else 'mirrored'}"
    answers = {
        f"{n_tiles} tiles of {side} × {side} of a field of {field}": together,
        f"the whole field of {field}": whole,
    }
    return [
        (name, label, single, float(bench.snr(readings.coefficients).mean()))
        for label, readings in answers.items()
    ]


def _mosaic(bench: Bench, name: str, side: int, *, first: int) -> Tensor:
    """Sharp scene (side, side) of 4 × 4 images side by side."""
    part = -(-side // _N_ALONG)
    scenes = bench.scenes(name, part, _N_ALONG**2, first=first)
    rows = scenes.unflatten(0, (_N_ALONG, _N_ALONG))
    scene: Tensor = rows.permute(0, 2, 1, 3).reshape(_N_ALONG * part, _N_ALONG * part)
    return scene[:side, :side]


def _tiles(field: Tensor) -> Tensor:
    """Tiles of a field (Y, X) as the planes of a stack, shape (16, Y / 4, X / 4)."""
    side = field.shape[-1] // _N_ALONG
    tiles: Tensor = field.unfold(0, side, side).unfold(1, side, side).flatten(0, 1)
    return tiles


def _planes_job(bench: Bench, name: str) -> Job[list[tuple[str, str, float, float]]]:
    n, most = bench.n_few, max(_N_PLANES)
    stacks = [
        noisy(
            bench.blurred(name, psf.expand(most, -1, -1), first=most * index, side=_PLANE_SIDE),
            _NOISE_LEVEL,
        )
        for index, psf in enumerate(bench.psf[:n])
    ]
    apart = yield from read_job(bench, stacks, n, f"{name}, planes one by one")
    snr = bench.snr(apart.coefficients, bench.psf[:n].repeat_interleave(most, 0)).reshape(n, most)
    rows = []
    for n_planes in _N_PLANES:
        parts = [stack[:n_planes] for stack in stacks]
        label = f"{n_planes} planes of {_PLANE_SIDE} × {_PLANE_SIDE}, together"
        together = yield from read_job(bench, parts, n, f"{name}, {label}", per="stack")
        single = float(snr[:, :n_planes].mean())
        rows.append((name, label, single, float(bench.snr(together.coefficients).mean())))
    return rows


_HEAD = ("images", "read", "one alone (dB)", "so (dB)", "gain (dB)")


def _table(rows: list[tuple[str, str, float, float]]) -> Table:
    cells = [
        [name, label, f"{single:.1f}", f"{joint:.1f}", f"**{joint - single:+.1f}**"]
        for name, label, single, joint in rows
    ]
    figures = {f"{name} {label}: gain_db": joint - single for name, label, single, joint in rows}
    return Table("more data", "More data", markdown(_HEAD, cells), figures)
