"""Features of many training images, from which the identification network's head learns.

To describe an image takes a hundred times as long as to learn from its description. So the
images are made and described once, kept in files, and learned from many times.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from napari_deepblur.engine.devices import multiplies_bfloat16
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.tiles import TILE
from napari_deepblur.networks.encoder import TileEncoder
from napari_deepblur.operators.admissible_sets import AdmissibleSet, Box
from napari_deepblur.operators.convex_hull import ConvexHull
from napari_deepblur.training.config import DescriptionsConfig
from napari_deepblur.training.data.microscope import Microscope
from napari_deepblur.training.data.sources import Source
from napari_deepblur.training.processes import Processes

__all__ = ["Descriptions", "describe", "describe_job", "draw_blurs"]

_PER_FILE = 256
_AT_A_TIME = 16

#: Blurs that are none of the family's reach this many times the family's limits …
_FOREIGN = (1.6, 4.0)


@dataclass(frozen=True, slots=True)
class Descriptions:
    """Images as features, with their true blurs.

    Attributes
    ----------
    description
        Shape (M, G, T, D): of M blurs, G images each, by T tiles; T is 1 where the blur is the
        same over the field, and one mean serves.
    coefficients
        γ of each blur, shape (M, P).
    foreign
        Whether the blur is none of the family's, shape (M,).
    """

    description: Tensor
    coefficients: Tensor
    foreign: Tensor

    def __len__(self) -> int:
        return len(self.coefficients)

    def split(self) -> tuple[Descriptions, Descriptions]:
        """Split into most of the blurs to learn from, and one in 16 to learn the errors from."""
        n_kept = len(self) - max(1, len(self) // 16)
        parts = zip(
            *(
                values.tensor_split([n_kept])
                for values in (self.description, self.coefficients, self.foreign)
            ),
            strict=True,
        )
        learned, kept = (Descriptions(*part) for part in parts)
        return learned, kept

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Numbers (n,) of random blurs, and descriptions (n, T, D), means of some images each.

        One, two, four … images: a head that is to use much data must have seen much.
        """
        n_images = self.description.shape[1]
        picks = torch.randint(len(self), (n,), generator=generator, device=generator.device)
        n_doublings = n_images.bit_length()
        some = 2 ** int(
            torch.randint(n_doublings, (), generator=generator, device=generator.device)
        )
        chosen = torch.randperm(n_images, generator=generator, device=generator.device)[:some]
        return picks, self.description[picks][:, chosen].float().mean(1)

    @classmethod
    def read(cls, folder: Path, device: torch.device) -> Descriptions:
        """Read all files of a folder."""
        parts = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
        joined = {name: torch.cat([part[name] for part in parts]).to(device) for name in parts[0]}
        return cls(**joined)


def describe_job(
    network: TileEncoder,
    microscope: Microscope,
    sources: Source,
    config: DescriptionsConfig,
    folder: Path,
    *,
    seed: int,
    processes: Processes,
) -> Job[None]:
    """Make and describe images; files that are there already are not made again.

    Parameters
    ----------
    network
        Network that computes the features.
    microscope
        Source of the images.
    sources
        Of the sharp scenes.
    config
        How many images, and of what.
    folder
        Folder of the files with features.
    seed
        One seed gives the same files, whichever process makes them.
    processes
        Those that share the work.

    Yields
    ------
    Progress
        After each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_files = -(-config.n_blurs // _PER_FILE)
    mine = processes.share(n_files)
    generator = Generator(next(network.parameters()).device)
    for done, number in enumerate(mine):
        path = folder / f"{number:05d}.safetensors"
        if not path.exists():
            # Apart from the seeds of training steps, which are small numbers too.
            generator.manual_seed((seed + 1) * 1_000_003 + number)
            n = min(_PER_FILE, config.n_blurs - number * _PER_FILE)
            content = _described(
                network, microscope, sources, config.model_copy(update={"n_blurs": n}), generator
            )
            partial = path.with_suffix(".partial")
            save_file(content, partial)
            partial.replace(path)
        yield Progress(done + 1, len(mine), "describing images")


@torch.no_grad()
def _described(
    network: TileEncoder,
    microscope: Microscope,
    sources: Source,
    config: DescriptionsConfig,
    generator: Generator,
) -> dict[str, Tensor]:
    admissible = microscope.family.admissible_set
    rows = []
    for start in range(0, config.n_blurs, _AT_A_TIME):
        n = min(_AT_A_TIME, config.n_blurs - start)
        gamma, foreign = draw_blurs(admissible, n, config.foreign, generator)
        levels = microscope.draw_levels(n, generator)
        per_blur = []
        for _ in range(config.images_per_blur):
            image, band = microscope.images(gamma, levels, sources, config.size, generator)
            tiles = describe(network, image, band=band)
            varies = microscope.family.varies
            per_blur.append(tiles if varies else tiles.mean(1, keepdim=True))
        description = torch.stack(per_blur, 1).to(torch.bfloat16).cpu()
        rows.append((description, gamma.cpu(), foreign.cpu()))
    names = ("description", "coefficients", "foreign")
    return {
        name: torch.cat(parts) for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    }


def draw_blurs(
    admissible: AdmissibleSet, n: int, share: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Coefficients (n, P), a share of them beyond the admissible set, and which those are (n,).

    Of a box, half of the foreign ones are far out in all coefficients, half in the first
    (defocus) only; of a hull they are beyond one of its vertices.
    """
    device = generator.device
    gamma = admissible.sample(n, generator=generator)
    uniform = torch.rand(4, n, generator=generator, device=device)
    foreign = uniform[0] < share
    low, high = _FOREIGN
    if isinstance(admissible, ConvexHull):
        vertices, centre = admissible.vertices, admissible.vertices.mean(0)
        corner = vertices[(uniform[1] * len(vertices)).long()]
        outer = centre + (low + (high - low) * uniform[2])[:, None] * (corner - centre)
        return torch.where(foreign[:, None], outer, gamma), foreign
    assert isinstance(admissible, Box)
    beyond = (low + (high - low) * uniform[1])[:, None].expand_as(gamma).clone()
    alone = uniform[2] < 0.5
    beyond[alone, 1:] = 1
    # In the first coefficient at least, so that none of them lands inside again.
    first = admissible.high[0] * (0.75 + 0.25 * uniform[3])
    outer = torch.cat([first[:, None], gamma[:, 1:]], 1) * beyond
    return torch.where(foreign[:, None], outer, gamma), foreign


@torch.no_grad()
def describe(network: TileEncoder, image: Tensor, *, band: float = 0.5) -> Tensor:
    """Describe images (n, Y, X), sides multiples of a tile's, by tiles side by side: (n, T, D)."""
    tiles = image.unfold(1, TILE, TILE).unfold(2, TILE, TILE).flatten(1, 2)
    # Most processors only imitate bfloat16, which takes four times as long as single precision.
    fast = image.device.type != "cpu" or multiplies_bfloat16(image.device)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=fast):
        standard = network.standardise(tiles)
        return torch.stack([network.encode_each(part, band=band) for part in standard])
