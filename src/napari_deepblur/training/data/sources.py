"""Sources of sharp images: folders of files and procedural scenes, mixed by weight."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from napari_deepblur.training.data.scenes import SCENES, Scene

__all__ = ["ImageFolder", "Mixture", "ProceduralScenes", "Source", "is_held_out"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
_HELD_OUT_ONE_IN = 16


class Source(Protocol):
    """Gives sharp crops."""

    def sample(self, n: int, size: int, generator: Generator) -> Tensor:
        """Crops of shape (n, size, size) in [0, 1]."""


def is_held_out(path: Path) -> bool:
    """Tell whether a file belongs to validation: one in 16 does, by a hash of its name.

    The rule depends on nothing but the name, so that a file never changes sides.
    """
    digest = hashlib.sha256(path.stem.encode()).digest()
    return digest[0] % _HELD_OUT_ONE_IN == 0


class ImageFolder:
    """Images of a folder as 8-bit grey values in memory, at full and at half resolution.

    Halving an image removes the blur of the camera and of its compression.

    Parameters
    ----------
    folder
        With JPEG, PNG or TIFF files; sub-folders are not read.
    held_out
        Take the validation files instead of the training files.
    smallest_side
        Files with a smaller side are left out.
    device
        Where the images are kept.

    Raises
    ------
    ValueError
        If no usable image is found.
    """

    def __init__(
        self,
        folder: Path,
        *,
        held_out: bool = False,
        smallest_side: int = 160,
        device: torch.device | str = "cpu",
    ) -> None:
        paths = sorted(p for p in Path(folder).glob("*") if p.suffix.lower() in _SUFFIXES)
        self.paths = [p for p in paths if is_held_out(p) == held_out]
        images = [_read_grey(path) for path in self.paths]
        kept = [image for image in images if min(image.shape) >= smallest_side]
        if not kept:
            raise ValueError(
                f"no usable {'validation' if held_out else 'training'} image in {folder}: need "
                f"JPEG, PNG or TIFF files with sides ≥ {smallest_side} pixels, of which one in "
                f"{_HELD_OUT_ONE_IN} is held out for validation by its name (read {len(images)})"
            )
        self._full = [torch.from_numpy(image).to(device) for image in kept]
        self._half = [_half(image) for image in self._full]

    def __len__(self) -> int:
        return len(self._full)

    def sample(self, n: int, size: int, generator: Generator) -> Tensor:
        """Crops of shape (n, size, size) in [0, 1], flipped, turned, with random gamma."""
        crops = torch.stack([self._crop(size, generator) for _ in range(n)]).float() / 255
        return crops ** torch.exp(_draw(generator, n, low=-0.6, high=0.6))[:, None, None]

    def _crop(self, size: int, generator: Generator) -> Tensor:
        pool = self._half if _integer(generator, 2) else self._full
        index = _integer(generator, len(pool))
        image = pool[index] if min(pool[index].shape) >= size else self._full[index]
        if min(image.shape) < size:
            image = _mirrored(image, size)
        top = _integer(generator, image.shape[0] - size + 1)
        left = _integer(generator, image.shape[1] - size + 1)
        crop = image[top : top + size, left : left + size]
        crop = crop.rot90(_integer(generator, 4))
        return crop.flip(0) if _integer(generator, 2) else crop

    def centre_crop(self, index: int, size: int) -> Tensor:
        """Cut a fixed crop (size, size) in [0, 1] of one image, mirrored where it is too small."""
        image = self._full[index]
        if min(image.shape) < size:
            image = _mirrored(image, size)
        top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
        return image[top : top + size, left : left + size].float() / 255


class ProceduralScenes:
    """Crops of one kind of procedural scene.

    Parameters
    ----------
    kind
        A name in `scenes.SCENES`.

    Raises
    ------
    ValueError
        If there is no such scene.
    """

    def __init__(self, kind: str) -> None:
        if kind not in SCENES:
            raise ValueError(f"unknown scene {kind!r}: use one of {', '.join(SCENES)}")
        self._scene: Scene = SCENES[kind]

    def sample(self, n: int, size: int, generator: Generator) -> Tensor:
        """Crops of shape (n, size, size) in [0, 1]."""
        return self._scene(n, size, generator)


class Mixture:
    """Draws each crop from one of several sources.

    Parameters
    ----------
    sources
        Sources by name.
    weights
        Relative frequency by name; a source without a weight is not used.

    Raises
    ------
    ValueError
        If a weight names no source.
    """

    def __init__(self, sources: Mapping[str, Source], weights: Mapping[str, float]) -> None:
        unknown = set(weights) - set(sources)
        if unknown:
            raise ValueError(f"the mix names {sorted(unknown)}, sources are {sorted(sources)}")
        self._sources = [sources[name] for name in weights]
        self._weights = torch.tensor(list(weights.values()), dtype=torch.float32)

    def sample(self, n: int, size: int, generator: Generator) -> Tensor:
        """Crops of shape (n, size, size) in [0, 1]."""
        picks = torch.multinomial(
            self._weights.to(generator.device), n, replacement=True, generator=generator
        )
        counts = torch.bincount(picks, minlength=len(self._sources)).tolist()
        parts = [
            source.sample(count, size, generator)
            for source, count in zip(self._sources, counts, strict=True)
            if count
        ]
        return torch.cat(parts)


def _read_grey(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        if not image.mode.startswith(("I", "F")):
            return np.array(image.convert("L"))
        counts = np.array(image, np.float32)
    # Pillow cuts deeper images off at 255; their own range fits instead.
    low, high = counts.min(), counts.max()
    return np.asarray((counts - low) * (255 / max(high - low, 1e-6)) + 0.5, np.uint8)


def _half(image: Tensor) -> Tensor:
    height, width = (side // 2 * 2 for side in image.shape)
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return blocks.float().mean((1, 3)).round().to(torch.uint8)


def _mirrored(image: Tensor, size: int) -> Tensor:
    """Repeat an image by mirroring until it covers size × size."""
    for axis in (0, 1):
        while image.shape[axis] < size:
            image = torch.cat([image, image.flip(axis)], axis)
    return image


def _integer(generator: Generator, high: int) -> int:
    return int(torch.randint(high, (), generator=generator, device=generator.device))


def _draw(generator: Generator, n: int, *, low: float, high: float) -> Tensor:
    uniform = torch.rand(n, generator=generator, device=generator.device)
    return low + (high - low) * uniform
