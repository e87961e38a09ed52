"""How much a volume that is deblurred in tiles differs from one deblurred as a whole.

    python benchmarks/volume_seams.py [--write]

Points are photographed through two objectives, one with a narrow and one with a wide cone of light,
and deblurred as a whole, in two tiles that overlap more and more, and as a whole on a domain that
is wider by 45 pixels. Differences are by the range of the result, 16 pixels at the sides of the
field left out. `--write` puts the table into docs/accuracy.md. Takes five
minutes on one core.
"""

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from volume import OPTICS

import napari_deepblur as ndb
from napari_deepblur.engine.volume import deblur, tiles
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.engine.volume.stacks import Region
from napari_deepblur.evaluation import markdown, replace_between

PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
SHAPE, N_POINTS, PHOTONS, BACKGROUND = (12, 96, 640), 600, 200, 4
OVERLAPS = (32, 64, 128, 256)
#: Pixels by which a domain is wider, which leaves the volume as it is.
WIDER = 45
NARROW = StackOptics(
    ndb.Optics(numerical_aperture=0.5, wavelength_um=0.52, pixel_size_um=0.25, refractive_index=1),
    1.0,
)
OPTICS_OF = {"NA 0.5 in air": NARROW, "NA 1.4 in oil": StackOptics(OPTICS, 0.25)}


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = [row for name, known in OPTICS_OF.items() for row in measured(name, known)]
    head = ["objective", "deblurred", "largest difference", "99.9 % are below", "RMS"]
    text = markdown(head, rows)
    print(text)
    if given.write:
        PAGE.write_text(replace_between(PAGE.read_text("utf-8"), "volume seams", text), "utf-8")


def measured(name: str, known: StackOptics) -> list[list[str]]:
    """Rows of the table for one objective."""
    stack = photographed(known)
    coefficients = np.zeros((1, len(known.noll_indices)), np.float32)
    blur = ndb.VolumeBlurEstimate(coefficients, coefficients, known)
    whole = ndb.deblur(stack, blur)
    rows = []
    for overlap in OVERLAPS:
        with (
            patch.object(tiles, "OVERLAP", overlap),
            patch.object(deblur, "tiles_of", lambda region, *_, n=overlap: halves(region, n)),
        ):
            rows.append([name, f"tiles overlap by {overlap}", *differences(stack, blur, whole)])
    usual = StackOptics.domain_of

    def wider(self: StackOptics, shape: tuple[int, ...]) -> tuple[int, ...]:
        *first, width = usual(self, shape)
        return (*first, width + WIDER)

    with patch.object(StackOptics, "domain_of", wider):
        rows.append([name, f"whole, domain wider by {WIDER}", *differences(stack, blur, whole)])
    return rows


def halves(region: Region, overlap: int) -> list[Region]:
    """Two tiles side by side."""
    width = region.columns.stop
    first = slice(0, (width + overlap) // 2)
    second = slice((width - overlap) // 2, width)
    return [Region(region.planes, region.rows, part) for part in (first, second)]


def differences(stack, blur, whole: NDArray[np.float32]) -> list[str]:
    """Largest difference to the whole, that of one voxel in a thousand, and the RMS."""
    found = np.abs(ndb.deblur(stack, blur) - whole)[:, 16:-16, 16:-16] / np.ptp(whole)
    figures = found.max(), np.quantile(found, 0.999), np.sqrt(np.square(found).mean())
    return [f"{figure:.1e}" for figure in figures]


def photographed(known: StackOptics) -> NDArray[np.float32]:
    """Counts of points of different brightness."""
    rng = np.random.default_rng(0)
    sharp = np.zeros(SHAPE, np.float32)
    sharp[tuple(rng.integers(0, side, N_POINTS) for side in SHAPE)] = rng.uniform(0.3, 1, N_POINTS)
    transfer = known.pupil(SHAPE).transfer(torch.zeros(len(known.noll_indices)))
    seen = torch.fft.irfftn(torch.fft.rfftn(torch.from_numpy(sharp)) * transfer, s=SHAPE).numpy()
    return rng.poisson(seen.clip(0) / seen.max() * PHOTONS + BACKGROUND).astype(np.float32)


if __name__ == "__main__":
    main()
