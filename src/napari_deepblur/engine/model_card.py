"""What `model.json` says of a model: its family, its networks, their training and accuracy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "FamilySettings",
    "ModelCard",
    "NetworkCard",
    "ProductConvolutionSettings",
    "ZernikeSettings",
]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ZernikeSettings(_Card):
    """A family of blurs: a pupil with Zernike aberrations."""

    kind: Literal["zernike"] = "zernike"
    noll_indices: tuple[int, ...]
    limit_waves: float

    def describe(self) -> str:
        """The family in a few words."""
        modes = ", ".join(map(str, self.noll_indices))
        return f"{self.kind}, Noll {modes}, ±{self.limit_waves:g}"


class ProductConvolutionSettings(_Card):
    """A family of blurs that vary over the field: that of `family.npz`."""

    kind: Literal["product-convolution"] = "product-convolution"
    n_coefficients: int
    n_eigen_psfs: int
    sha256: str

    def describe(self) -> str:
        """The family in a few words."""
        return f"{self.kind}, P = {self.n_coefficients}, {self.n_eigen_psfs} eigen-PSFs"


FamilySettings = Annotated[
    ZernikeSettings | ProductConvolutionSettings, Field(discriminator="kind")
]


class NetworkCard(_Card):
    """One network of a model: its file's digest and the arguments it is built with."""

    sha256: str
    arguments: dict[str, float | int]
    #: Bundled model whose ResNet describes the images for this one too; its 22 MB are not kept
    #: twice.
    resnet_of: str | None = None
    #: Digest of that model's identification network, which must stay the same.
    resnet_sha256: str | None = None
    trained_on: tuple[str, ...] = ()
    n_training_crops: int = 0
    #: Larger images, of which only the descriptions were learned from.
    n_described_images: int = 0
    #: Factor by which the learned standard errors were scaled for 95 % within two of them.
    std_factor: float | None = None
    cutoff_range: tuple[float, float] = (0.25, 0.25)
    highest_noise: float = 0.1
    accuracy: dict[str, float] = {}

    @property
    def main_figures(self) -> dict[str, float]:
        """Those of the many in `accuracy` that a user compares models by, in dB."""
        names = (
            " psf_snr", " psnr_observed", " psnr_estimated_operator", " psf_field_snr",
            " floor_mean_operator", ", network, estimated operator: psnr_db",
        )  # fmt: skip
        return {name: value for name, value in self.accuracy.items() if name.endswith(names)}


class ModelCard(_Card):
    """The contents of `model.json`."""

    format: Literal[1] = 1
    name: str
    status: Literal["preview", "stable"] = "preview"
    description: str = ""
    licence: str = "BSD-3-Clause"
    family: FamilySettings
    identification: NetworkCard | None = None
    deblurring: NetworkCard | None = None
