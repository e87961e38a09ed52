"""How much a volume that is deblurred piece by piece differs from one deblurred as a whole.

    python benchmarks/volume_seams.py [--write]

Points are photographed through two objectives, one with a narrow and one with a wide cone of light,
and deblurred as a whole in memory, by the iterations that the estimate of a blur uses, and in
pieces of different sizes, from temporary files. Differences are by the range of the result,
everywhere: the field's border counts. `--write` puts the table into docs/accuracy.md. Takes some
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
from napari_deepblur.engine.volume import deblur, scratch, stored_blur
from napari_deepblur.engine.volume.richardson_lucy import Pace, RichardsonLucy
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.engine.volume.stored_blur import StoredBlur
from napari_deepblur.engine.volume.stored_sample import StoredSample
from napari_deepblur.evaluation import markdown, replace_between

PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
SHAPE, N_POINTS, PHOTONS, BACKGROUND = (12, 96, 640), 600, 200, 4
#: Voxels of a piece.
PIECES = (4_000_000, 300_000, 20_000, 1)
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
    head = ["objective", "voxels at a time", "largest difference", "99.9 % are below", "RMS"]
    text = markdown(head, rows)
    print(text)
    if given.write:
        PAGE.write_text(replace_between(PAGE.read_text("utf-8"), "volume seams", text), "utf-8")


def measured(name: str, known: StackOptics) -> list[list[str]]:
    """Rows of the table for one objective."""
    stack = photographed(known)
    coefficients = np.zeros((1, len(known.noll_indices)), np.float32)
    blur = ndb.VolumeBlurEstimate(coefficients, coefficients, known)
    with patch.multiple(deblur, StoredBlur=WholeBlur, StoredSample=WholeSample):
        whole = ndb.deblur(stack, blur)
    rows = []
    for voxels in PIECES:
        with (
            patch.object(scratch, "MOST_IN_MEMORY", 0),
            patch.object(stored_blur, "_AT_A_TIME", voxels),
        ):
            rows.append([name, f"{voxels:,}", *differences(ndb.deblur(stack, blur), whole)])
    return rows


class WholeBlur(StoredBlur):
    """The blur of a stack that stands in memory."""

    @property
    def in_memory(self) -> StackBlur:
        """Blur on the whole domain."""
        transfer = self._known.pupil(self.domain_shape).transfer(torch.from_numpy(self._gamma))
        return StackBlur(transfer, self.shape, self.domain_shape)


class WholeSample(StoredSample):
    """The sample of a stack that stands in memory."""

    def begin(self, light):
        """Begin as a whole."""
        self._whole = RichardsonLucy(
            torch.from_numpy(self.photons[:, :]),
            self._background,
            self._blur.in_memory,
            Pace(deblur.N_GENTLE, 0, shortens=False),
            light=light,
        )
        yield

    def advance(self, momentum):
        """Do an iteration as a whole."""
        self._whole.advance(momentum)
        yield

    def plane(self, z):
        """Sample in a plane of the stack."""
        return self._whole.estimate[z].numpy()


def differences(found: NDArray[np.float32], whole: NDArray[np.float32]) -> list[str]:
    """Largest difference to the whole, that of one voxel in a thousand, and the RMS."""
    away = np.abs(found - whole) / np.ptp(whole)
    figures = away.max(), np.quantile(away, 0.999), np.sqrt(np.square(away).mean())
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
