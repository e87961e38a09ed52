"""Sample of a stack of any size, by accelerated Richardson-Lucy iterations on stored arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.volume import richardson_lucy as steps
from napari_deepblur.engine.volume.scratch import Scratch, Stored
from napari_deepblur.engine.volume.stored_blur import Steps, StoredBlur

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["StoredSample", "bytes_of"]

#: Bytes for each voxel: sample, the one before, sensitivity, spectrum, transfer; and the photons.
_DOMAIN_BYTES, _STACK_BYTES = 20, 4


def bytes_of(shape: tuple[int, ...], domain_shape: tuple[int, ...]) -> int:
    """Room that the arrays of a stack take."""
    domain, stack = (float(np.prod(sides, dtype=float)) for sides in (domain_shape, shape))
    return int(_DOMAIN_BYTES * domain + _STACK_BYTES * stack)


class StoredSample:
    """The sample of `RichardsonLucy`, of which no array need stand in memory.

    All that is done is done in steps, each on some planes or some rows of all planes.

    Parameters
    ----------
    blur
        Of the stack.
    background
        Photons per voxel.
    n_gentle
        Iterations with the PSF itself, before those that sharpen faster.
    scratch
        Room for the arrays: see `bytes_of`.

    Attributes
    ----------
    photons
        Observed, shape (Z, Y, X): to be written before all else.
    misfit
        Deviance where the last iteration began.
    """

    def __init__(
        self,
        blur: StoredBlur,
        background: float,
        *,
        n_gentle: int,
        scratch: Scratch,
    ) -> None:
        self._blur, self._background = blur, background
        self._n_gentle, self._n_done = n_gentle, 0
        self.photons = scratch.array(blur.shape, np.float32)
        self._domain, self._previous, self._sensitivity = (
            scratch.array(blur.domain_shape, np.float32) for _ in range(3)
        )
        self.misfit = 0.0

    @property
    def n_steps(self) -> int:
        """Number of steps of an iteration."""
        return 2 * len(self._of_domain) + len(self._of_stack) + 2 * self._blur.n_steps

    def begin(self, light: float) -> Steps:
        """Compute the blur, and the light that is seen, blurred once more: see `RichardsonLucy`.

        Parameters
        ----------
        light
            Mean light above the background, photons per voxel.
        """
        import torch

        yield from self._blur.compute()
        for planes in self._of_stack:
            self._blur.put(planes, torch.ones(_length(planes), *self._blur.shape[1:]))
            yield
        yield from self._blur.correlate()
        for planes in self._of_domain:
            self._sensitivity[planes, :] = self._whole(planes).numpy()
            yield
        for planes in self._of_stack:
            self._blur.put(planes, steps.light_of(_tensor(self.photons, planes), self._background))
            yield
        yield from self._blur.correlate()
        for planes in self._of_domain:
            even = steps.evened(self._whole(planes), _tensor(self._sensitivity, planes))
            sample = steps.start(even, light).numpy()
            self._domain[planes, :] = self._previous[planes, :] = sample
            yield

    def advance(self, momentum: float) -> Steps:
        """Do an iteration."""
        for planes in self._of_domain:
            self._blur.put(planes, self._point(planes, momentum))
            yield
        yield from self._blur.blur()
        self.misfit = 0.0
        for planes in self._of_stack:
            photons, expected = _tensor(self.photons, planes), self._expected(planes)
            self.misfit += steps.deviance(photons, expected)
            self._blur.put(planes, photons / expected - 1)
            yield
        gentle = self._n_done < self._n_gentle
        yield from self._blur.correlate() if gentle else self._blur.restore(steps.DAMPING)
        for planes in self._of_domain:
            factor = self._whole(planes)
            if gentle:
                factor = steps.evened(factor, _tensor(self._sensitivity, planes))
            grown = steps.grown(self._point(planes, momentum), factor)
            self._previous[planes, :] = grown.numpy()
            yield
        self._previous, self._domain = self._domain, self._previous
        self._n_done += 1

    def explain(self) -> Steps:
        """Put what is expected in the place of the photons, which are gone then."""
        for planes in self._of_domain:
            self._blur.put(planes, _tensor(self._domain, planes))
            yield
        yield from self._blur.blur()
        for planes in self._of_stack:
            self.photons[planes, :] = self._expected(planes).numpy()
            yield

    def plane(self, z: int) -> NDArray[np.float32]:
        """Sample in a plane of the stack, photons, shape (Y, X)."""
        _, height, width = self._blur.shape
        return np.asarray(self._domain[z : z + 1, :height][0, :, :width])

    def expected(self, z: int) -> NDArray[np.float32]:
        """Photons that are expected in a plane, after `explain`, shape (Y, X)."""
        return np.asarray(self.photons[z : z + 1, :][0])

    @property
    def _of_stack(self) -> Sequence[slice]:
        return self._blur.blocks(self._blur.shape[0])

    @property
    def _of_domain(self) -> Sequence[slice]:
        return self._blur.blocks(self._blur.domain_shape[0])

    def _point(self, planes: slice, momentum: float) -> Tensor:
        before, now = _tensor(self._previous, planes), _tensor(self._domain, planes)
        return steps.ahead(before, now, momentum)

    def _whole(self, planes: slice) -> Tensor:
        return self._blur.get(planes, *self._blur.domain_shape[1:])

    def _expected(self, planes: slice) -> Tensor:
        seen = self._blur.get(planes, *self._blur.shape[1:])
        return steps.expected_of(seen, self._background)


def _length(planes: slice) -> int:
    return int(planes.stop - planes.start)


def _tensor(stored: Stored, planes: slice) -> Tensor:
    import torch

    return torch.from_numpy(stored[planes, :])
