"""Settings of a training run, read from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_deepblur.engine.network_cards import DeblurringSizes, FistaSizes
from napari_deepblur.operators import ProductConvolutionFamily, ZernikeFamily
from napari_deepblur.operators.family_file import read_family
from napari_deepblur.optics.settings import CANONICAL_CUTOFF

__all__ = [
    "ConditionsConfig",
    "DeblurringConfig",
    "DescriptionsConfig",
    "FamilyConfig",
    "FamilyFolderConfig",
    "FolderSource",
    "HeadStageConfig",
    "IdentificationConfig",
    "SceneSource",
    "SourcesConfig",
    "SpectralPriorConfig",
    "StageConfig",
    "TrainingConfig",
    "read_config",
]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


Config = TypeVar("Config", bound="SourcesConfig")


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FolderSource(_Settings):
    """Image files of a folder; validation files are left out by a rule on their names."""

    folder: Path

    def relative_to(self, folder: Path) -> FolderSource:
        """Copy whose folder, if relative, is meant relative to another."""
        return FolderSource(folder=folder / self.folder)


class SceneSource(_Settings):
    """A procedural scene by its name."""

    scene: str

    def relative_to(self, folder: Path) -> SceneSource:  # noqa: ARG002
        """Return the same: a scene has no folder."""
        return self


class FamilyConfig(_Settings):
    """The blurs to learn: a pupil with Zernike aberrations."""

    noll_indices: tuple[int, ...] = tuple(range(4, 11))
    limit_waves: Positive = 0.15
    cutoff: tuple[Positive, Positive] = (0.25, 0.25)
    varies: ClassVar[bool] = False

    def read(self) -> ZernikeFamily:
        """Make the family at the canonical cutoff."""
        return ZernikeFamily(self.noll_indices, limit_waves=self.limit_waves)

    def relative_to(self, folder: Path) -> FamilyConfig:  # noqa: ARG002
        """Return the same: a pupil has no folder."""
        return self


class FamilyFolderConfig(_Settings):
    """The blurs to learn: a family that varies over the field, as `deepblur calibrate` wrote it."""

    folder: Path
    cutoff: tuple[Positive, Positive] = (0.25, 0.25)
    varies: ClassVar[bool] = True

    def read(self) -> ProductConvolutionFamily:
        """Read the family, at the canonical cutoff unless it says where its images are seen.

        Raises
        ------
        ModelError
            If the folder has no valid family.
        """
        family = read_family(self.folder / "family.npz")
        return family if family.is_seen_coarser else family.at_cutoff(CANONICAL_CUTOFF)

    def relative_to(self, folder: Path) -> FamilyFolderConfig:
        """Copy whose folder, if relative, is meant relative to another."""
        return self.model_copy(update={"folder": folder / self.folder})


class ConditionsConfig(_Settings):
    """Faults of real samples and cameras, each with the share of training images that have it."""

    #: Light from planes out of focus.
    haze: Share = 0.0
    #: A smooth field added to the image.
    background: Share = 0.0
    #: A smooth field that the image is multiplied by.
    illumination: Share = 0.0
    #: Whole counts of 8, 12 or 16 bits.
    quantisation: Share = 0.0
    #: Single pixels far too bright.
    hot_pixels: Share = 0.0
    #: The brightest pixels clipped.
    saturation: Share = 0.0
    #: Shot noise of 5 to 200 photons in the brightest pixel, in place of all other noise.
    few_photons: Share = 0.0


class StageConfig(_Settings):
    """One part of the curriculum.

    The learning rate follows half a cosine from `learning_rate` to `final_learning_rate`.
    """

    n_crops: Count
    mix: dict[str, float]
    crop: Count = 96
    batch: Count = 64
    learning_rate: Positive = 1e-3
    final_learning_rate: float = Field(default=0.0, ge=0)
    #: Deblurring only: half of the crops are deblurred with coefficients that are wrong by up
    #: to this much (standard deviation, waves), as estimated ones are.
    coefficient_error: float = Field(default=0.0, ge=0)
    #: Deblurring only: weight in the loss of the estimates before the last iteration's, which has
    #: weight 1.
    earlier_iterations: float = Field(default=0.0, ge=0)
    #: Deblurring by half-quadratic splitting only: ``denoising`` trains the denoiser alone, on
    #: sharp crops with noise, many times faster than all iterations together.
    learns: Literal["deblurring", "denoising"] = "deblurring"


class SourcesConfig(_Settings):
    """Settings of anything that is learned from sharp images."""

    #: Model folder.
    output: Path
    sources: dict[str, FolderSource | SceneSource]
    seed: int = 0

    def relative_to(self, folder: Path) -> Self:
        """Copy whose relative paths are meant relative to a folder."""
        sources = {name: source.relative_to(folder) for name, source in self.sources.items()}
        return self.model_copy(update={"sources": sources, "output": folder / self.output})


class SpectralPriorConfig(SourcesConfig):
    """Settings of the prior of sharp images' power spectra."""

    mix: dict[str, float]
    n_crops: Count = 2600
    #: Side of the crops in pixels, several windows of the spectra wide.
    crop: int = Field(default=384, ge=256)
    n_components: Count = 48
    #: Weight of each bin's likelihood: errors of neighbouring bins are alike.
    temper: float = Field(default=0.2, gt=0, le=1)
    #: Images by which the standard errors are scaled, and the largest noise in them.
    n_error_examples: Count = 200
    highest_noise: Positive = 0.1

    @model_validator(mode="after")
    def _check_counts(self) -> SpectralPriorConfig:
        if self.n_crops <= self.n_components:
            raise ValueError(
                f"{self.n_components} components need more crops than that, got {self.n_crops}"
            )
        return self


class TrainingConfig(SourcesConfig):
    """Settings that both networks' training share."""

    #: Model whose network of the same shape training begins with, instead of a random one.
    start_from: str | None = None
    stages: list[StageConfig] = Field(min_length=1)
    family: FamilyConfig | FamilyFolderConfig = FamilyConfig()
    highest_noise: float = Field(default=0.1, ge=0)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_norm: Positive = 1.0
    averaging: float = Field(default=0.999, ge=0, lt=1)
    checkpoint_every: Count = 200
    validate_every: Count = 400

    def relative_to(self, folder: Path) -> Self:
        """Copy whose relative paths are meant relative to a folder."""
        changes: dict[str, object] = {"family": self.family.relative_to(folder)}
        if self.start_from is not None and (folder / self.start_from).is_dir():
            changes["start_from"] = str(folder / self.start_from)
        return super().relative_to(folder).model_copy(update=changes)


class DescriptionsConfig(_Settings):
    """Images whose features are computed once, for the head to learn from many times."""

    n_blurs: Count
    images_per_blur: Count = 2
    #: Side of the images, a multiple of the tiles' 128 pixels.
    size: Count = Field(default=256, multiple_of=128)
    mix: dict[str, float]
    #: Share of blurs beyond the admissible set, which the head learns to tell apart.
    foreign: Share = 0.1


class HeadStageConfig(StageConfig):
    """One part of the head's curriculum; `n_crops` and `batch` count descriptions."""

    mix: dict[str, float] = {}
    batch: Count = 256


class IdentificationConfig(TrainingConfig):
    """Settings of the identification network's training: the ResNet, the head, or both."""

    #: The ResNet's curriculum; empty where it is trained already.
    stages: list[StageConfig] = []
    #: The head's; without it the network answers as its ResNet does.
    head_stages: list[HeadStageConfig] = []
    descriptions: DescriptionsConfig | None = None
    conditions: ConditionsConfig = ConditionsConfig()
    n_hidden: Count = 1024
    #: Of the head of a family that varies over the field.
    dropout: float = Field(default=0.0, ge=0, lt=1)
    #: Estimates from which the head learns how large its errors are.
    n_error_examples: Count = 2500
    n_eigen_psfs: Count = 64
    whitening_exponent: float = Field(default=1.0, ge=0)
    #: The error of the PSF, or of the coefficients; see `losses`.
    loss: Literal["psf", "coefficients"] = "psf"
    #: Relative errors below this count little: the loss is log(error + floor).
    error_floor: Positive = 0.03

    @model_validator(mode="after")
    def _check_stages(self) -> IdentificationConfig:
        if not self.stages and not self.head_stages:
            raise ValueError("give stages (of the ResNet), head_stages, or both")
        if bool(self.head_stages) != (self.descriptions is not None):
            raise ValueError("head_stages and descriptions go together: give both or neither")
        if self.family.varies and (self.stages or not self.start_from):
            raise ValueError(
                "of a family that varies over the field only the head is trained: leave out "
                "stages, and give start_from, whose ResNet describes the images, such as "
                "widefield-zernike"
            )
        return self


class DeblurringConfig(TrainingConfig):
    """Settings of the deblurring network's training."""

    #: Share of batches blurred with Gaussian mixtures instead of the family.
    gaussian_mixtures: Share = 0.0
    #: Folders of families that vary over the field, and the share of batches they blur.
    varying_families: list[Path] = []
    varying: Share = 0.0
    #: Method and sizes.
    network: DeblurringSizes = FistaSizes()

    @model_validator(mode="after")
    def _check_denoising(self) -> DeblurringConfig:
        if isinstance(self.network, FistaSizes) and any(
            stage.learns == "denoising" for stage in self.stages
        ):
            raise ValueError(
                "only a network of method half-quadratic has a denoiser: leave out "
                "`learns: denoising`, or choose that method"
            )
        return self

    def relative_to(self, folder: Path) -> Self:
        """Copy whose relative paths are meant relative to a folder."""
        families = [folder / family for family in self.varying_families]
        return super().relative_to(folder).model_copy(update={"varying_families": families})

    @model_validator(mode="after")
    def _check_shares(self) -> DeblurringConfig:
        if not self.family.varies and bool(self.varying) != bool(self.varying_families):
            raise ValueError("varying and varying_families go together: give both or neither")
        if self.varying + self.gaussian_mixtures > 1:
            raise ValueError("varying and gaussian_mixtures are shares: their sum exceeds 1")
        if self.family.varies and self.varying + self.gaussian_mixtures:
            raise ValueError(
                "a family that varies over the field blurs all batches: leave out varying, "
                "varying_families and gaussian_mixtures"
            )
        return self


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read settings; relative folders are meant relative to the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not YAML or a setting is unknown or out of range.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004 - the file's content is wrong, no argument's type
            f"{path} holds no settings: expected `name: value` lines"
        )
    return kind.model_validate(values).relative_to(path.parent)
