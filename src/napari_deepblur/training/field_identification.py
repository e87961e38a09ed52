"""Training of the identification network of families whose blur varies over the field.

Images are described tile by tile by a ResNet that was trained before; the head learns from the
descriptions what the blur is over the whole field.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import Model
from napari_deepblur.networks.field_identification import FieldIdentificationNetwork
from napari_deepblur.operators.field_space import FieldSpace
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.optics.field import field_grid
from napari_deepblur.training.config import (
    IdentificationConfig,
    StageConfig,
)
from napari_deepblur.training.data.microscope import Microscope
from napari_deepblur.training.data.sources import Source
from napari_deepblur.training.data.synthesis import add_noise
from napari_deepblur.training.descriptions import Descriptions, describe
from napari_deepblur.training.loop import held_out_crops, held_out_folders

__all__ = ["FieldHeadTask", "FieldIdentificationTask", "field_snr"]

_N_VALIDATION = 32
_VALIDATION_LEVELS = (0.01, 0.05)

#: Places along each axis of the field where PSFs are compared, in training and in evaluation.
_N_TRAINING_PLACES, _N_PLACES = 5, 8

#: Weights of the errors' likelihood and of telling foreign blurs, beside that of the PSFs.
_LIKELIHOOD_WEIGHT, _FOREIGN_WEIGHT = 0.03, 0.1

#: Descriptions that show what is usual, and that a step of validation reads at a time.
_N_USUAL, _AT_A_TIME = 1024, 64

#: Share of true coefficients within two standard errors.
_COVERAGE = 0.95

#: Coefficients that vary less than this share of the most varying one do not vary.
_FLAT = 1e-3


def even_places(n: int) -> Tensor:
    """Normalised coordinates of n × n places, each the centre of its part of the field."""
    return torch.from_numpy(field_grid(n, n)).float()


def field_snr(
    family: ProductConvolutionFamily, estimated: Tensor, true: Tensor, n_places: int = _N_PLACES
) -> Tensor:
    """PSF-SNR in dB, mean over n_places × n_places of the field: γ (N, P) twice to (N,)."""
    places = even_places(n_places).to(true.device)
    return psf_snr(family.psf_at(estimated, places), family.psf_at(true, places)).mean(-1)


class FieldIdentificationTask:
    """Network and images for a family that varies over the field.

    Parameters
    ----------
    config
        Family, conditions, noise and network settings.
    device
        Where images are made.
    """

    def __init__(self, config: IdentificationConfig, device: torch.device) -> None:
        self.config = config
        torch.manual_seed(config.seed)
        family = config.family.read()
        assert isinstance(family, ProductConvolutionFamily)
        self.family = family.to(device)
        #: The same at the cutoff to which all images are resampled.
        self.seen = self.family.at_cutoff(family.seen_at)
        self.microscope = Microscope(
            self.family, config.family.cutoff, config.conditions, config.highest_noise, device
        )
        space = FieldSpace.of(self.family)
        self.network = FieldIdentificationNetwork(
            self.family,
            space,
            n_hidden=config.n_hidden,
            dropout=config.dropout,
            whitening_exponent=config.whitening_exponent,
        ).to(device)
        self.arguments: dict[str, float | int] = {
            **space.sizes,
            "n_hidden": config.n_hidden,
            "dropout": config.dropout,
            "whitening_exponent": config.whitening_exponent,
        }
        self._device = device
        self._folders = held_out_folders(config, device)

    def start_from(self, model: Model) -> None:
        """Take a model's ResNet, and of the same family its head too."""
        self.network.resnet.load_state_dict(model.identification.resnet.state_dict())
        network = model.identification
        if not isinstance(network, FieldIdentificationNetwork):
            return
        mine = self.network.head.space.state_dict()
        same = all(
            torch.equal(mine[name].cpu(), value.cpu())
            for name, value in network.head.space.state_dict().items()
        )
        if same:
            self.network.head.load_state_dict(network.head.state_dict())

    def head_task(self, descriptions: Descriptions) -> FieldHeadTask:
        """Task that trains the head."""
        return FieldHeadTask(self, descriptions)

    def learn_errors_job(self, descriptions: Descriptions) -> Job[float]:
        """Scale the trained head's standard errors by descriptions that it has not learned from.

        Returns
        -------
            The factor: 1 were its regression's errors normally distributed and all there is.

        Yields
        ------
        Progress
            Once.

        Raises
        ------
        ValueError
            If no blur of the descriptions is one of the family.
        """
        if bool(descriptions.foreign.all()):
            raise ValueError(
                "no blur of the family is left to learn errors from: give more n_blurs"
            )
        yield Progress(0, 1, "scaling the standard errors")
        head = self.network.head
        own = ~descriptions.foreign
        places = _places_of(descriptions).to(self._device)
        truth = descriptions.coefficients[own]
        relative = []
        with torch.no_grad():
            for described, gamma in zip(
                descriptions.description[own][:, 0].split(_AT_A_TIME),
                truth.split(_AT_A_TIME),
                strict=True,
            ):
                prediction = head(described.float(), places)
                estimate = self.family.admissible_set.project(prediction.coordinates)
                relative.append((estimate - gamma).abs() / (2 * prediction.log_std.exp()))
        # Of a coefficient that is always the same there is nothing to be wrong about.
        spread = head.space.factors.norm(dim=0)
        varies = spread > _FLAT * spread.max()
        factor = float(torch.cat(relative)[:, varies].flatten().quantile(_COVERAGE))
        head.log_temper += math.log(factor)
        return factor

    def held_out_images(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Figure's name, images (n, Y, X) and coefficients (n, P) of each validation."""
        assert self.config.descriptions is not None
        size = self.config.descriptions.size
        gamma = self.family.admissible_set.sample(_N_VALIDATION, seed=1).to(self._device)
        operator = self.seen.operator(gamma, (size, size))
        for name, sharp in held_out_crops(self._folders, _N_VALIDATION, operator.domain_shape[0]):
            clean = operator(sharp)
            for level in _VALIDATION_LEVELS:
                generator = Generator(self._device).manual_seed(2)
                levels = torch.full((_N_VALIDATION,), level, device=self._device)
                image = add_noise(clean, levels, generator)
                yield f"{name} psf_field_snr_db sigma={level:g}", image, gamma


class FieldHeadTask:
    """The head's answer to descriptions: network, loss and validation.

    Parameters
    ----------
    task
        Whose network's head is to be trained; the ResNet stays as it is.
    descriptions
        Features to learn from.
    """

    def __init__(self, task: FieldIdentificationTask, descriptions: Descriptions) -> None:
        self.network = task.network.head
        self._family = task.seen
        self._floor = task.config.error_floor
        self._descriptions = descriptions
        device = descriptions.description.device
        self._places = _places_of(descriptions).to(device)
        if not bool(self.network.typical.any()):  # a head trained before has settled already
            self.network.learn_typical(descriptions.description[:_N_USUAL].flatten(0, 2))
        basis = self._family.basis(even_places(_N_TRAINING_PLACES).to(device))
        flat = self._family.eigen_psfs.flatten(1)
        #: Weights of the eigen-PSFs at the places, and the PSFs' inner products.
        self._basis, self._gram = basis, flat @ flat.T
        with torch.no_grad():
            self._held_out = [
                (name, describe(task.network, image), gamma)
                for name, image, gamma in task.held_out_images()
            ]

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:  # noqa: ARG002 - descriptions come from no source
        """Mean of log(relative error of the PSF + floor) over the field, plus the likelihoods."""
        picks, described = self._descriptions.draw(stage.batch, generator)
        places = self._some_places(generator)
        factors, precision, logit = self.network.regress(described[:, places], self._places[places])
        gamma = self._descriptions.coefficients[picks]
        foreign = self._descriptions.foreign[picks].float()
        own = (1 - foreign) / (1 - foreign).sum().clamp_min(1)
        field = (self._field_error(self.network.space.decode(factors), gamma) * own).sum()
        # Normal errors of the factors, by the precision that the regression claims.
        error = factors - self.network.space.encode(gamma)
        square = torch.einsum("nr,nrs,ns->n", error, precision, error)
        surprise = ((square - torch.logdet(precision)) / (2 * error.shape[1]) * own).sum()
        unlike = functional.binary_cross_entropy_with_logits(logit, foreign)
        return field + _LIKELIHOOD_WEIGHT * surprise + _FOREIGN_WEIGHT * unlike

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure PSF-SNR over the field in dB on each folder's held-out images."""
        figures: dict[str, float] = {}
        places = _places_of(self._descriptions).to(self._places.device)
        hull = self._family.admissible_set
        for name, described, gamma in self._held_out:
            estimate = hull.project(network(described, places).coordinates)
            figures[name] = float(field_snr(self._family, estimate, gamma).mean())
        return figures

    def _field_error(self, estimate: Tensor, truth: Tensor) -> Tensor:
        """Mean over the field of log(‖ĥ − h‖² / ‖h‖² + floor), shape (N,)."""
        weights = torch.einsum("np,mpk->nmk", truth, self._basis)
        wrong = torch.einsum("np,mpk->nmk", estimate - truth, self._basis)
        energy, error = (
            torch.einsum("nmk,kl,nml->nm", values, self._gram, values)
            for values in (weights, wrong)
        )
        return (error / energy + self._floor).log().mean(1)

    def _some_places(self, generator: Generator) -> Tensor:
        """Draw indices of tiles to read: all, or a half or a quarter, as of a smaller field."""
        n_tiles = len(self._places)
        draw = int(torch.randint(3, (), generator=generator, device=generator.device))
        order = torch.randperm(n_tiles, generator=generator, device=generator.device)
        return order[: max(1, n_tiles >> draw)]


def _places_of(descriptions: Descriptions) -> Tensor:
    """Normalised places of the tiles of square images."""
    side = math.isqrt(descriptions.description.shape[2])
    return even_places(side)
