"""Blur of a stack of any size, computed plane by plane and row by row from stored arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.volume.scratch import Scratch
from napari_deepblur.engine.volume.stack_blur import damped_inverse, n_threads

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.volume.stack_optics import StackOptics

__all__ = ["StoredBlur"]

#: Voxels that are worked on at a time.
_AT_A_TIME = 4_000_000

#: What is done with the spectrum: its part, and that of the transfer function.
Filter = Callable[["Tensor", "Tensor"], "Tensor"]

#: Work that goes on by one step at a time.
Steps = Iterator[None]


class StoredBlur:
    """The blur of `StackBlur`, of which no array need stand in memory.

    A Fourier transform in 3-D is one of each plane, and then one along z of each row: the result is
    that of a transform of the whole, so no border shows that is not the stack's own.

    Parameters
    ----------
    known
        Optics of the stack.
    gamma
        γ in waves RMS, shape (P,).
    shape
        (Z, Y, X) of the observed stack.
    scratch
        Room for two arrays as large as the domain.

    Attributes
    ----------
    shape
        As given.
    domain_shape
        (Z, Y, X) of the sharp volume.
    """

    def __init__(
        self,
        known: StackOptics,
        gamma: NDArray[np.float32],
        shape: tuple[int, int, int],
        scratch: Scratch,
    ) -> None:
        self.shape = shape
        depth, height, width = known.domain_of(shape)
        self.domain_shape = (depth, height, width)
        self._known, self._gamma = known, gamma
        half = (depth, height, width // 2 + 1)
        self._transfer = scratch.array(half, np.complex64)
        self._spectrum = scratch.array(half, np.complex64)

    def compute(self) -> Steps:
        """Compute the transfer function, before all else."""
        import torch

        depth, height, width = self.domain_shape
        with torch.no_grad():
            pupil = self._known.pupil((1, height, width))
            gamma = torch.from_numpy(self._gamma)
            z_um = self._known.z_step_um * np.fft.fftfreq(depth, 1 / depth)
            total = 0.0
            # On a grid that is finer twice, complex, and with as large copies.
            for planes in self.blocks(depth, room=16):
                spectrum = pupil.planes_at(gamma, z_um[planes]).numpy()
                total += float(spectrum[:, 0, 0].real.sum(dtype=float))
                self._transfer[planes, :] = spectrum
                yield
        from scipy.fft import fft

        for rows in self._row_blocks():
            part = self._transfer[:, rows] / np.float32(total)
            self._transfer[:, rows] = fft(part, axis=0, overwrite_x=True, workers=n_threads())
            yield

    def blocks(self, depth: int, *, room: int = 1) -> list[slice]:
        """Planes that are worked on at a time, by the memory that a voxel takes."""
        _, height, width = self.domain_shape
        return _parts(depth, _AT_A_TIME // (room * height * width))

    @property
    def n_steps(self) -> int:
        """Number of steps of `blur`, `correlate` or `restore`."""
        return len(self._row_blocks())

    def put(self, planes: slice, images: Tensor) -> None:
        """Store the spectra of some planes, of any size up to the domain's."""
        from scipy.fft import fft, rfft

        _, height, width = self.domain_shape
        rows = rfft(images.numpy(), n=width, axis=2, workers=n_threads())
        spectrum = fft(rows, n=height, axis=1, overwrite_x=True, workers=n_threads())
        self._spectrum[planes, :] = spectrum

    def get(self, planes: slice, height: int, width: int) -> Tensor:
        """Corner of some planes by their stored spectra."""
        import torch
        from scipy.fft import ifft, irfft

        spectrum = self._spectrum[planes, :]
        rows = ifft(spectrum, axis=1, overwrite_x=True, workers=n_threads())[:, :height]
        images = irfft(rows, n=self.domain_shape[2], axis=2, workers=n_threads())
        return torch.from_numpy(images)[:, :, :width]

    def blur(self) -> Steps:
        """From spectra of all planes of the domain to those of the stack, blurred."""
        depth = self.domain_shape[0]
        return self._filter(depth, self.shape[0], lambda image, transfer: image.mul_(transfer))

    def correlate(self) -> Steps:
        """From spectra of the stack's planes to those of the domain, by the adjoint."""
        depth = self.domain_shape[0]
        return self._filter(
            self.shape[0], depth, lambda image, transfer: image.mul_(transfer.conj())
        )

    def restore(self, damping: float) -> Steps:
        """From spectra of the stack's planes to those of the domain, by the damped inverse."""
        depth = self.domain_shape[0]
        return self._filter(
            self.shape[0],
            depth,
            lambda image, transfer: image.mul_(damped_inverse(transfer, damping)),
        )

    def _filter(self, n_before: int, n_after: int, applied: Filter) -> Steps:
        import torch
        from scipy.fft import fft, ifft

        depth = self.domain_shape[0]
        for rows in self._row_blocks():
            part = self._spectrum[:n_before, rows]
            spectrum = torch.from_numpy(fft(part, n=depth, axis=0, workers=n_threads()))
            filtered = applied(spectrum, torch.from_numpy(self._transfer[:, rows])).numpy()
            planes = ifft(filtered, axis=0, overwrite_x=True, workers=n_threads())
            self._spectrum[:n_after, rows] = planes[:n_after]
            yield

    def _row_blocks(self) -> list[slice]:
        depth, height, width = self.domain_shape
        return _parts(height, _AT_A_TIME // (2 * depth * (width // 2 + 1)))


def _parts(length: int, most: int) -> list[slice]:
    size = max(1, most)
    return [slice(first, min(first + size, length)) for first in range(0, length, size)]
