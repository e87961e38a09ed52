"""Time the stages of restoring a plane, beside what the machine can do and Richardson-Lucy.

    python benchmarks/speed.py [--quick] [--threads 2] [--rounds 3]

A plane of 2048 × 2048 pixels (--quick: 512 × 512) is read from OME-Zarr, its blur estimated and
taken out, the result checked and written. The fastest of some rounds counts, in seconds and in
seconds of processors, which other programs on a busy machine lengthen less. Beside it stand 30
iterations of scikit-image's Richardson-Lucy in single precision with the same PSF on the same
plane, the time that the network's products would take at the rate of a large matrix product, and
that of the Fourier transforms at the rate of a large one. Where there is a GPU, estimate and
deblurring are timed there too. The peak of memory is that of the whole process at its end.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from skimage.restoration import richardson_lucy

import napari_deepblur as ndb
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.photometry import Photometry
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.io import read_image, write_image
from napari_deepblur.networks.proximal import ProximalNetwork
from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.samples import SAMPLES

N_CLASSICAL = 30

#: Side of the matrices that tell the machine's rate.
_MATRIX = 2048


def main() -> None:
    """Print the machine's rates, then each stage, then the quotients."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="512 × 512 pixels, one round")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    side, rounds = (512, 1) if given.quick else (2048, given.rounds)
    load = os.getloadavg()[0]
    print(f"{side} × {side} pixels, {given.threads} threads, load {load:.1f} at the start")
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        Bench(side, rounds, torch.device(device)).run()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


class Bench:
    """One plane on one device."""

    def __init__(self, side: int, rounds: int, device: torch.device) -> None:
        sample = SAMPLES["podosomes"]()
        self.image = np.tile(sample.image, (side // sample.image.shape[0],) * 2)
        self.optics, self.device = sample.optics, device
        self.fastest = partial(fastest, rounds=rounds, device=device)

    def run(self) -> None:
        """Measure and print."""
        rates = {dtype: self.matrix_rate(dtype) for dtype in (torch.float32, torch.bfloat16)}
        fft_rate = self.fft_rate()
        print(f"\n{self.device}: matrices", end=" ")
        print(", ".join(f"{str(k)[6:]} {v / 1e9:.0f}" for k, v in rates.items()), end=" ")
        print(f"GFLOP/s, FFT {fft_rate / 1e9:.1f} GFLOP/s")
        blur = ndb.estimate_blur(self.image, optics=self.optics, device=self.device.type)
        taken = {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.ome.zarr"
            taken["write"] = self.fastest(
                lambda: write_image(path, self.image, "YX", overwrite=True)
            )
            taken["read"] = self.fastest(lambda: np.asarray(read_image(path).data))
        plane = self.image.astype(np.float32)
        observed = ValidPlane.of(plane)
        taken["repair"] = self.fastest(lambda: ValidPlane.of(plane))
        taken["noise"] = self.fastest(lambda: Photometry.of(observed, self.optics.cutoff))
        taken["estimate"] = self.fastest(
            lambda: ndb.estimate_blur(self.image, optics=self.optics, device=self.device.type)
        )
        with counted(rates, fft_rate, self.device) as work:
            deblur = partial(ndb.deblur, self.image, blur, device=self.device.type)
            taken["deblur"] = self.fastest(deblur)
        sharp = deblur()
        taken["check"] = self.fastest(lambda: ndb.check_deblurring(self.image, sharp, blur))
        psf, scaled = blur.psf(), plane / plane.max()
        taken["Richardson-Lucy"] = self.fastest(
            lambda: richardson_lucy(scaled, psf, N_CLASSICAL, clip=False)
        )
        for name in ("read", "repair", "noise", "estimate", "deblur", "check", "write"):
            print(f"{name:16} {taken[name]}")
        for part in work.values():
            share = part.ideal / max(part.seconds, 1e-9)
            print(
                f"  {part.name:14} {part.seconds / part.n_runs:7.2f} s, "
                f"at {share:.0%} of the machine's rate"
            )
        print(f"{'Richardson-Lucy':16} {taken['Richardson-Lucy']}")
        network = work["network"]
        ours, classical = taken["deblur"], taken["Richardson-Lucy"]
        print(
            f"deblur / Richardson-Lucy: {ours.seconds / classical.seconds:.2f}, "
            f"of processor seconds {ours.processor / classical.processor:.2f}"
        )
        print(f"network / (its FLOP / matrix rate): {network.seconds / network.ideal:.2f}")

    def matrix_rate(self, dtype: torch.dtype) -> float:
        """FLOP a second of a product of large matrices."""
        one, other = torch.rand(2, _MATRIX, _MATRIX, device=self.device).to(dtype)
        return 2 * _MATRIX**3 / self.fastest(lambda: one @ other, rounds=5).seconds

    def fft_rate(self) -> float:
        """FLOP a second of a large real transform, 2.5 n log₂ n."""
        image = torch.rand(2160, 2160, device=self.device)
        return fft_flop(image) / self.fastest(lambda: torch.fft.rfft2(image), rounds=5).seconds


class Taken(NamedTuple):
    """Time that a piece of work takes, seconds."""

    seconds: float
    processor: float

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s, {self.processor:7.2f} s of processors"


def fastest(work: Callable[[], Any], *, rounds: int, device: torch.device) -> Taken:
    """Least time of some rounds, after one to warm up."""
    work()
    taken = []
    for _ in range(rounds):
        begun, processor = time.perf_counter(), time.process_time()
        work()
        finish(device)
        taken.append((time.perf_counter() - begun, time.process_time() - processor))
    return Taken(*map(min, zip(*taken, strict=True)))


def finish(device: torch.device) -> None:
    """Wait until a GPU has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()


class Part:
    """Time that a part of the deblurring takes, and would take at the machine's rate."""

    def __init__(self, name: str) -> None:
        self.name, self.seconds, self.ideal, self.n_calls, self.per_run = name, 0.0, 0.0, 0, 1

    @property
    def n_runs(self) -> float:
        """Number of times that the plane was deblurred."""
        return self.n_calls / self.per_run


@contextmanager
def counted(
    rates: dict[torch.dtype, float], fft_rate: float, device: torch.device
) -> Iterator[dict[str, Part]]:
    """Time all calls of the network and of the Fourier transforms meanwhile."""
    n_iterations = load_model().deblurring.n_iterations
    network, transforms = Part("network"), Part("transforms")
    # Each iteration applies the blur and its adjoint; a transfer function is one more transform.
    network.per_run, transforms.per_run = n_iterations, 4 * n_iterations

    def timed(part: Part, function: Any, ideal: Callable[..., float]) -> Any:
        def call(self: Any, *arguments: Any) -> Any:
            begun = time.perf_counter()
            result = function(self, *arguments)
            finish(device)
            part.seconds += time.perf_counter() - begun
            part.ideal += ideal(self, *arguments)
            part.n_calls += 1
            return result

        return call

    def of_network(network: ProximalNetwork, image: torch.Tensor, _: torch.Tensor) -> float:
        weights = [one for one in network.layers.parameters() if one.ndim == 4]
        n_blocks = image.numel() / network.unshuffle**2
        return sum(2 * n_blocks * one.numel() / rates[one.dtype] for one in weights)

    def of_transform(blur: FourierBlur, *_: torch.Tensor) -> float:
        return fft_flop(torch.empty(blur.domain_shape, device="meta")) / fft_rate

    with (
        patch.object(
            ProximalNetwork, "forward", timed(network, ProximalNetwork.forward, of_network)
        ),
        patch.object(
            FourierBlur, "spectrum", timed(transforms, FourierBlur.spectrum, of_transform)
        ),
        patch.object(FourierBlur, "image", timed(transforms, FourierBlur.image, of_transform)),
    ):
        yield {"network": network, "transforms": transforms}


def fft_flop(image: torch.Tensor) -> float:
    """FLOP of a real transform of an image."""
    return 2.5 * image.numel() * math.log2(image.numel())


if __name__ == "__main__":
    main()
