"""Find the units of the bundled deblurring network that fire, so that the others can be left out.

    python benchmarks/live_units.py CONFIG.yaml [--n 56] [--write]

Crops are made as for training (CONFIG.yaml is that of `deepblur train deblurring`), some of them
saturated, and deblurred with the whole network; then each iteration's layers are looked at, the
last one first. Units that fire on none of the crops are left out. In iterations that change images
by less than a fifth of their range others are left out, too: those that matter least, as long
as all of that changes no image by more than 1e-4 of the range. Layers are filled up to a multiple
of eight units, which are as quick. `--write` puts the units into the descriptions of the bundled
models. Takes about ten minutes on one core.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn import functional

from napari_deepblur.engine.model_files import save_card
from napari_deepblur.engine.models import available_models, load_model
from napari_deepblur.networks.proximal import ProximalNetwork
from napari_deepblur.training.config import DeblurringConfig, read_config
from napari_deepblur.training.data.sources import Mixture
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.loop import build_sources

MODELS = Path(__file__).parent.parent / "src/napari_deepblur/models"
#: Iterations that change images by less are approximated, up to the error, both by the range.
SMALL, ERROR = 0.2, 1e-4
#: Units of a layer come in multiples of this.
TOGETHER = 8
#: Side of the crops, pixels: small ones show more of different kinds.
CROP = 96
#: One batch in so many tells what error is made, and of those one in so many what a unit does.
ONE_IN, OF_THOSE = 7, 4


@torch.no_grad()
def inputs_of_iterations(config: DeblurringConfig, network, n: int) -> list[list]:
    """What the proximal network of each iteration is given in the deblurring of n batches."""
    task = DeblurringTask(config, torch.device("cpu"))
    stage = config.stages[-1].model_copy(update={"crop": CROP})
    mixture = Mixture(build_sources(config, torch.device("cpu")), stage.mix)
    generator = Generator().manual_seed(3)
    inputs: list[list] = [[] for _ in network.proximal]
    hooks = [
        proximal.register_forward_pre_hook(lambda _, given, kept=kept: kept.append(given))
        for proximal, kept in zip(network.proximal, inputs, strict=True)
    ]
    for batch in range(n):
        _, noisy, scale, blur = task.crops(mixture, stage, generator)
        image, level = scale.normalise(noisy.image), noisy.deviation / scale.span
        if batch % 4 == 1:  # saturated
            image = image.clamp_max(0.5)
        if batch % 4 == 2:
            level = level.mean((-2, -1))
        list(network.iterate(image, blur, level))
    for hook in hooks:
        hook.remove()
    return inputs


class Layers:
    """Layers of one iteration, and what they are given."""

    def __init__(self, proximal: ProximalNetwork, inputs: list) -> None:
        self.convolutions = list(proximal.layers[::2])
        self.features = [proximal.features(*given) for given in inputs]
        self.whole = [proximal.layers(one) for one in self.features]
        self.few = list(zip(self.features, self.whole, strict=True))[::ONE_IN]
        self.largest = max(float(one.abs().max()) for one in self.whole)
        n_units = [layer.out_channels for layer in self.convolutions[:-1]]
        self.kept = [torch.arange(n) for n in n_units]

    def choose(self) -> None:
        """Leave out what does not matter."""
        highest = self.highest()
        for number in reversed(range(len(self.kept))):
            order = highest[number].argsort()
            n_out = int((highest[number] <= 0).sum())
            if self.largest < SMALL:
                order = order[self.effects(number, highest[number])[order].argsort(stable=True)]
                n_out = self.most_out(number, order)
            self.kept[number] = order[n_out - n_out % TOGETHER :].sort().values

    def highest(self) -> list[Tensor]:
        """What drives each unit at most: it fires where that is positive."""
        highest = [torch.full((len(kept),), -torch.inf) for kept in self.kept]
        for features in self.features:
            given = features
            for layer, convolution in enumerate(self.convolutions[:-1]):
                drive = convolution(given)
                highest[layer] = highest[layer].maximum(drive.amax((0, 2, 3)))
                given = drive.relu_()
        return highest

    def effects(self, number: int, highest: Tensor) -> Tensor:
        """Largest change by each unit of a layer, the others being as they are."""
        few = [features for features, _ in self.few[::OF_THOSE]]
        whole = [self.change(features, self.kept) for features in few]
        effects = torch.zeros(len(self.kept[number]))
        for unit in torch.nonzero(highest > 0)[:, 0].tolist():
            kept = list(self.kept)
            kept[number] = kept[number][kept[number] != unit]
            effects[unit] = max(
                float((self.change(features, kept) - before).abs().max())
                for features, before in zip(few, whole, strict=True)
            )
        return effects

    def most_out(self, number: int, order: Tensor) -> int:
        """Number of units of a layer that can be left out."""
        # Each layer may use up its share of the error.
        allowed = ERROR * (len(self.kept) - number) / len(self.kept)
        least, most = 0, len(order) - 1
        while least < most:
            n_out = (least + most + 1) // 2
            kept = list(self.kept)
            kept[number] = order[n_out:].sort().values
            least, most = (n_out, most) if self.error(kept) <= allowed else (least, n_out - 1)
        return least

    def error(self, kept: list[Tensor]) -> float:
        """Largest difference to the whole network."""
        return max(
            float((self.change(features, kept) - whole).abs().max()) for features, whole in self.few
        )

    def change(self, features: Tensor, kept: list[Tensor]) -> Tensor:
        """What is added to the image, with some units alone."""
        inside = [torch.arange(self.convolutions[0].in_channels), *kept]
        outside = [*kept, torch.arange(self.convolutions[-1].out_channels)]
        for convolution, given, wanted in zip(self.convolutions, inside, outside, strict=True):
            weight, bias = convolution.weight[wanted][:, given], convolution.bias[wanted]
            drive = functional.conv2d(features, weight, bias, padding=1)
            features = drive.relu()
        return drive


@torch.inference_mode()
def main() -> None:
    """Choose for each iteration, print how many stay, and write which."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--n", type=int, default=56, help="batches of crops")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    model = load_model("widefield-zernike")
    config = read_config(given.config, DeblurringConfig)
    inputs = inputs_of_iterations(config, model.deblurring, given.n)
    live, shares = [], []
    for number, proximal in enumerate(model.deblurring.proximal):
        layers = Layers(proximal, inputs[number])
        layers.choose()
        inputs[number].clear()
        widths = [layer.in_channels for layer in layers.convolutions[:1]]
        widths += [len(kept) for kept in layers.kept]
        widths += [layers.convolutions[-1].out_channels]
        whole = sum(layer.in_channels * layer.out_channels for layer in layers.convolutions)
        shares.append(sum(one * other for one, other in pairwise(widths)) / whole)
        print(
            f"iteration {number + 1}: changes up to {layers.largest:.1e}, units "
            f"{', '.join(map(str, widths[1:-1]))}, {shares[-1]:.0%} of the work, "
            f"error {layers.error(layers.kept):.1e}",
            flush=True,
        )
        live.append(
            tuple(
                one_per_unit(kept, layer.out_channels)
                for kept, layer in zip(layers.kept, layers.convolutions[:-1], strict=True)
            )
        )
    print(f"{sum(shares) / len(shares):.0%} of the work of all iterations")
    if given.write:
        for card in available_models().values():
            if card.deblurring and card.deblurring.sha256 == model.card.deblurring.sha256:
                described = card.deblurring.model_copy(update={"live_units": tuple(live)})
                save_card(MODELS / card.name, card.model_copy(update={"deblurring": described}))


def one_per_unit(kept: Tensor, n_units: int) -> str:
    """Say which units stay: 1 for each that does, 0 for the others."""
    return "".join("1" if unit in kept else "0" for unit in range(n_units))


if __name__ == "__main__":
    main()
