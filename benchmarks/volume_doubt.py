"""How far the doubts of 3-D blurs can be trusted: standard errors, and stacks that tell nothing.

    python benchmarks/volume_doubt.py --n 112 --silent 40 [--jobs 2] [--write]

Small stacks (16 × 64 × 64), half of them on a torus and half of samples that go on outside; and
stacks that tell next to nothing of their blur. `--write` puts the table into accuracy.md of the
folder --docs.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import volume
from scipy.ndimage import gaussian_filter

import napari_deepblur as ndb
from napari_deepblur.engine.volume.doubt import standard_errors, tells_nothing
from napari_deepblur.engine.volume.identify import Identification
from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks

SHAPE, AROUND = (16, 64, 64), (8, 40, 40)
KINDS = ("nuclei", "points", "filaments", "one plane")

#: Photons, whether on a torus, and the Gaussian that nobody knows of.
CONDITIONS = ((200, True, 0.0), (30, False, 0.3), (80, False, 0.2), (60, True, 0.3))

SILENT = ("sheet of 3 µm, dense", "sheet of 1.5 µm, dense", "3 planes, dense", "no light")
SHEET_OPTICS = ndb.Optics(
    numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.16, refractive_index=1.333
)


@dataclass(frozen=True)
class Outcome:
    """What was said of one stack: its name, errors and standard errors, and whether it tells."""

    name: str
    errors: volume.Volume
    std: volume.Volume
    tells: bool


def judge(name: str, stack: volume.Volume, gamma: volume.Volume, known: StackOptics,
          domain: tuple[int, ...]) -> Outcome:  # fmt: skip
    """Estimate, and compare with the truth."""
    torch.set_num_threads(1)
    photons = photons_of(stack, known.optics.cutoff)
    two = tuple(torch.from_numpy(half) for half in halves(photons.values))
    with torch.no_grad():
        work = Identification(
            known.pupil(domain), two, photons.background / 2, prior_std=known.prior_std
        )
        for _ in work.run():
            pass
    true = np.zeros(len(known.noll_indices), np.float32)
    true[: len(gamma)] = gamma
    tells = work.left is not None and not tells_nothing(work.left)
    std = (
        standard_errors(work.left, known.prior_std).numpy()
        if work.left is not None and tells
        else np.array(known.prior_std, np.float32)
    )
    return Outcome(name, work.coefficients.numpy() - true, std, tells)


def telling(seed: int) -> Outcome:
    """A stack that should tell its blur."""
    conditions = [(kind, *rest) for kind in KINDS for rest in CONDITIONS]
    kind, photons, periodic, broadening_px = conditions[seed % len(conditions)]
    volume.SHAPE, volume.AROUND = SHAPE, AROUND
    row = volume.Row(kind, kind, photons, periodic, broadening_px)
    case = volume.simulate(row, seed, None)
    known = StackOptics(volume.OPTICS, volume.Z_STEP_UM)
    domain = SHAPE if periodic else known.domain_of(SHAPE)
    name = "on a torus" if periodic else f"going on outside: {kind}"
    return judge(name, case.stack, case.gamma, known, domain)


def silent(seed: int) -> Outcome:
    """A stack that tells nothing."""
    kind, rng = SILENT[seed % len(SILENT)], np.random.default_rng(seed)
    gamma = rng.uniform(-0.15, 0.15, len(volume.MODES)).astype(np.float32)
    sheet_um = {"sheet of 3 µm, dense": 3.0, "sheet of 1.5 µm, dense": 1.5}.get(kind)
    optics, step = (SHEET_OPTICS, 1.0) if sheet_um else (volume.OPTICS, volume.Z_STEP_UM)
    whole = tuple(side + 2 * width for side, width in zip(SHAPE, AROUND, strict=True))
    texture = gaussian_filter(rng.normal(size=whole), (0.7, 1.5, 1.5))
    sharp = np.exp(texture / texture.std()).astype(np.float32) * (kind != "no light")
    true = StackOptics(optics, step, sheet_um, noll_indices=volume.MODES)
    with torch.no_grad():
        transfer = true.pupil(whole).transfer(torch.from_numpy(gamma))
        light = torch.fft.irfftn(torch.fft.rfftn(torch.from_numpy(sharp)) * transfer, s=whole)
    seen = light.clamp_min(0).numpy()[tuple(slice(width, -width) for width in AROUND)]
    if kind == "3 planes, dense":
        seen = seen[6:9]
    photons = 200 if seed // len(SILENT) % 2 else 30
    counts = rng.poisson(seen / max(seen.max(), 1e-9) * photons + 0.02 * photons + 5)
    known = StackOptics(optics, step, sheet_um)
    return judge(kind, counts.astype(np.float32), gamma, known, known.domain_of(counts.shape))


def table_of(told: list[Outcome], untold: list[Outcome]) -> Table:
    """Coverage of those that tell, and what was said of those that do not."""
    rows, record = [], {}
    for outcomes in (told, untold):
        for name in sorted({outcome.name for outcome in outcomes}):
            some = [outcome for outcome in outcomes if outcome.name == name]
            tell = [outcome for outcome in some if outcome.tells]
            errors = np.array([outcome.errors for outcome in tell])
            std = np.array([outcome.std for outcome in tell])
            within = float(np.mean(np.abs(errors) <= 2 * std)) if tell else float("nan")
            error = float(np.sqrt(np.mean(errors[:, : len(volume.MODES)] ** 2))) if tell else 0.0
            rows.append([name, f"{len(some)}", f"{len(some) - len(tell)}",
                         f"{100 * within:.0f} %" if tell else "",
                         f"{error:.3f}" if tell else ""])  # fmt: skip
            record |= {f"{name} silent": 1 - len(tell) / len(some), f"{name} within": within}
    tell = [outcome for outcome in told if outcome.tells]
    inside = np.concatenate([np.abs(one.errors) <= 2 * one.std for one in tell])
    caught = np.mean([not outcome.tells for outcome in untold])
    alarms = 1 - len(tell) / len(told)
    head = ["stacks", "number", "said to tell nothing", "within 2 std", "error, waves RMS"]
    text = (
        f"{markdown(head, rows)}\n\nOf {len(told)} stacks that should tell their blur, "
        f"{100 * alarms:.0f} % are said to tell nothing; in the others {100 * inside.mean():.0f} % "
        f"of the true coefficients lie within 2 std. Of {len(untold)} that tell next to nothing, "
        f"{100 * caught:.0f} % are said to."
    )
    record |= {"within": float(inside.mean()), "alarms": alarms, "caught": float(caught)}
    return Table("volume doubt", "Doubts of 3-D blurs", text, record)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=112, help="stacks that should tell their blur")
    parser.add_argument("--silent", type=int, default=40, help="stacks that tell nothing")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.write:
        require_marks(given.docs / "accuracy.md", ["volume doubt"])
    with ProcessPoolExecutor(given.jobs) as pool:
        told = list(pool.map(telling, range(given.first, given.first + given.n)))
        untold = list(pool.map(silent, range(given.first, given.first + given.silent)))
    table = table_of(told, untold)
    print(table.text)
    if given.write:
        record_in_page(given.docs / "accuracy.md", [table])


if __name__ == "__main__":
    main()
