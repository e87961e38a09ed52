"""Family of space-varying blurs: a few eigen-PSFs, weighted by smooth maps over the field."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_deepblur.errors import SamplingError
from napari_deepblur.operators.admissible_sets import AdmissibleSet
from napari_deepblur.operators.families import OperatorFamily
from napari_deepblur.operators.product_convolution import ProductConvolution
from napari_deepblur.optics.settings import Optics

__all__ = ["ProductConvolutionFamily", "interpolate_maps"]


#: Side of the largest PSFs, pixels.
_LARGEST_WINDOW = 2048

#: Points of the integral over frequencies by which pixels' areas are exchanged.
_N_FREQUENCIES = 256


class ProductConvolutionFamily(OperatorFamily):
    """A(γ) x = Σ_k e_k ⋆ (w_k ⊙ x) with weight maps w_k = Σ_p γ_p m_{p,k}.

    Parameters
    ----------
    eigen_psfs
        Eigen-PSFs e_k, shape (K, h, w) with odd h and w.
    maps
        Maps m_{p,k} at nodes that divide the field evenly, from border to border, shape
        (P, K, G, G).
    admissible_set
        Set of the γ that the microscope can have, of dimension P; each gives PSFs of sum 1.
    cutoff
        Pupil radius in cycles per pixel of the eigen-PSFs.
    pixel_size_um
        Side of a pixel of the eigen-PSFs, µm.
    optics_known
        True if the cutoff follows from known optics: then the family also fits images of
        another pixel size by their cutoff, or else by their pixel size.
    coefficient_names
        Name of each coefficient; by default numbers.
    pixel_area
        True if pixels collect light over their area, which is then that of the pixels whatever
        their size; otherwise PSFs of other pixels are the same function at other points.
    seen_at
        Cutoff to which images are resampled before a network sees them; by default that of the
        eigen-PSFs. Blurs of many pixels are seen better at coarser ones.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """

    eigen_psfs: Tensor
    maps: Tensor
    kind = "product-convolution"
    varies = True
    unit = "dimensionless"
    #: Tiles overlap by half, which is worth 0.5 dB on held-out micrographs.
    tile_density = 2

    def __init__(
        self,
        eigen_psfs: Tensor,
        maps: Tensor,
        admissible_set: AdmissibleSet,
        *,
        cutoff: float,
        pixel_size_um: float,
        optics_known: bool = True,
        coefficient_names: Sequence[str] = (),
        pixel_area: bool = False,
        seen_at: float | None = None,
    ) -> None:
        super().__init__()
        n_coefficients = admissible_set.n_coefficients
        if eigen_psfs.ndim != 3 or not all(side % 2 for side in eigen_psfs.shape[1:]):
            raise ValueError(
                "expected eigen-PSFs (K, h, w) with odd h and w, got shape "
                f"{tuple(eigen_psfs.shape)}"
            )
        if maps.ndim != 4 or maps.shape[:2] != (n_coefficients, len(eigen_psfs)):
            raise ValueError(
                f"expected maps (P, K, G, G) with P = {n_coefficients} and K = "
                f"{len(eigen_psfs)}, got shape {tuple(maps.shape)}"
            )
        if coefficient_names and len(coefficient_names) != n_coefficients:
            raise ValueError(
                f"{n_coefficients} coefficients need as many names, got {len(coefficient_names)}"
            )
        self.admissible_set = admissible_set
        self._cutoff = cutoff
        self.pixel_size_um = pixel_size_um
        self.optics_known = optics_known
        self.pixel_area = pixel_area
        self._seen_at = seen_at
        self._names = tuple(coefficient_names) or tuple(f"γ{p}" for p in range(n_coefficients))
        self.register_buffer("eigen_psfs", eigen_psfs, persistent=False)
        self.register_buffer("maps", maps, persistent=False)

    @property
    def n_convolutions(self) -> int:
        """Number of eigen-PSFs."""
        return len(self.eigen_psfs)

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Name of each coefficient, for people."""
        return self._names

    @property
    def cutoff(self) -> float:
        """Pupil radius in cycles per pixel of the eigen-PSFs."""
        return self._cutoff

    @property
    def seen_at(self) -> float:
        """Cutoff to which images are resampled before a network sees them."""
        return self._seen_at or self._cutoff

    @property
    def is_seen_coarser(self) -> bool:
        """True if networks see images at other pixels than those of the eigen-PSFs."""
        return self._seen_at is not None

    def weights(self, coefficients: Tensor, field_yx: Tensor) -> Tensor:
        """Compute the weights of the eigen-PSFs: γ (..., P) at positions (M, 2) to (..., M, K)."""
        return torch.einsum("...p,mpk->...mk", coefficients, self.basis(field_yx))

    def basis(self, field_yx: Tensor) -> Tensor:
        """Interpolate m_{p,k} at field coordinates, shape (M, 2) to (M, P, K)."""
        return interpolate_maps(self.maps, field_yx)

    def psf(self, coefficients: Tensor) -> Tensor:
        """Compute the PSF at the centre of the field, shape (..., P) to (..., h, w), sum 1."""
        return self.psf_at(coefficients, torch.zeros(1, 2, device=self.maps.device))[..., 0, :, :]

    def psf_at(self, coefficients: Tensor, field_yx: Tensor) -> Tensor:
        """Compute PSFs at field coordinates (M, 2): (..., P) to (..., M, h, w), sum 1."""
        weights = self.weights(coefficients, field_yx)
        psfs: Tensor = torch.tensordot(weights, self.eigen_psfs, dims=1)
        return psfs

    def operator(self, coefficients: Tensor, shape: tuple[int, int]) -> ProductConvolution:
        """Make A(γ) for observed images of a shape (Y, X), γ of shape (..., P)."""
        return self.operator_in(coefficients, shape, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))

    def operator_in(
        self, coefficients: Tensor, shape: tuple[int, int], region: Tensor
    ) -> ProductConvolution:
        """Make A(γ) for images that show only a part of the field.

        Parameters
        ----------
        coefficients
            Coefficients γ, shape (..., P).
        shape
            Shape (Y, X) of the images.
        region
            Field coordinates (y, x) of the first and last corner of the part, shape (2, 2).
        """
        return ProductConvolution(self.eigen_psfs, self._weight_maps(coefficients, shape, region))

    def tile_operator(
        self, coefficients: Tensor, shape: tuple[int, int], region: Tensor
    ) -> ProductConvolution:
        """Make A(γ) for a tile of the field: see `OperatorFamily.tile_operator`."""
        places = torch.cartesian_prod(torch.linspace(-1, 1, 3), torch.linspace(-1, 1, 3))
        return ProductConvolution(
            self.eigen_psfs,
            self._weight_maps(coefficients, shape, region),
            self.weights(coefficients, places.to(self.maps)),
        )

    def _weight_maps(self, coefficients: Tensor, shape: tuple[int, int], region: Tensor) -> Tensor:
        """Compute maps w_k over a part of the field and around it, shape (..., K, Y', X')."""
        margin = [side // 2 for side in self.eigen_psfs.shape[-2:]]
        axes = []
        for side, extra, low, high in zip(shape, margin, *region.tolist(), strict=True):
            pixels = torch.arange(-extra, side + extra, device=self.maps.device) + 0.5
            axes.append(low + (high - low) * pixels / side)
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).to(self.maps)
        nodes = torch.einsum("...p,pkyx->...kyx", coefficients, self.maps)
        flat = nodes.reshape(1, -1, *nodes.shape[-2:])
        maps = _interpolate(flat, grid[None])[0]
        return maps.reshape(*nodes.shape[:-2], *maps.shape[-2:])

    def pixel_ratio(self, optics: Optics) -> float:
        """Ratio of the pixels of an image to those of the eigen-PSFs."""
        if self.optics_known:
            return optics.cutoff / self._cutoff
        return optics.pixel_size_um / self.pixel_size_um

    def at_cutoff(self, cutoff: float) -> ProductConvolutionFamily:
        """Make the family of the same microscope with other pixels: γ keeps its meaning."""
        ratio = cutoff / self._cutoff
        return ProductConvolutionFamily(
            _resample(self.eigen_psfs, ratio, pixel_area=self.pixel_area),
            self.maps,
            self.admissible_set,
            cutoff=cutoff,
            pixel_size_um=self.pixel_size_um * ratio,
            optics_known=self.optics_known,
            coefficient_names=self._names,
            pixel_area=self.pixel_area,
            seen_at=self._seen_at,
        )


def interpolate_maps(maps: Tensor, field_yx: Tensor) -> Tensor:
    """Interpolate maps (P, K, G, G), given at nodes, at field coordinates (M, 2): (M, P, K)."""
    flat = maps.flatten(0, 1)[None]
    values = _interpolate(flat, field_yx[None, None].to(flat))[0, :, 0]
    weights: Tensor = values.T.unflatten(-1, maps.shape[:2])
    return weights


def _interpolate(values: Tensor, field_yx: Tensor) -> Tensor:
    """Interpolate nodes (1, C, G, G) cubically at positions (1, Y, X, 2): (1, C, Y, X)."""
    interpolated: Tensor = functional.grid_sample(
        values, field_yx.flip(-1), mode="bicubic", padding_mode="border", align_corners=True
    )
    return interpolated


def _resample(psfs: Tensor, ratio: float, *, pixel_area: bool = False) -> Tensor:
    """Resample PSFs (K, h, w) to pixels `ratio` times as large: same sums, odd sides.

    Exact but for what the window cuts off: sums of sinc functions, or of what they become where
    the area of the old pixels is exchanged for that of the new ones.
    """
    if ratio == 1:
        return psfs
    if max(psfs.shape[-2:]) / ratio > _LARGEST_WINDOW:
        raise SamplingError(
            f"pixels {1 / ratio:.3g} times smaller than those of the family's PSFs: check the "
            "pixel size"
        )
    matrices = []
    for side in psfs.shape[-2:]:
        old = torch.arange(side, dtype=psfs.dtype, device=psfs.device) - side // 2
        reach = max(1, round(side // 2 / ratio))
        new = ratio * torch.arange(-reach, reach + 1, dtype=psfs.dtype, device=psfs.device)
        distance = new[:, None] - old
        kernel = _area_kernel(distance, ratio) if pixel_area else torch.sinc(distance)
        matrices.append(ratio * kernel)
    resampled = torch.einsum("ay,bx,kyx->kab", *matrices, psfs)
    sums, reached = (images.sum((-2, -1)) for images in (psfs, resampled))
    # What the sums miss is given the shape of Σ s_k e_k: an eigen-PSF's own sum may be 0.
    typical = torch.einsum("k,kyx->yx", sums, resampled)
    return resampled + (sums - reached)[:, None, None] * typical / typical.sum()


def _area_kernel(distance: Tensor, ratio: float) -> Tensor:
    """Sinc function at distances in old pixels, as pixels `ratio` times as large see it.

    ∫ sinc(r f) / sinc(f) cos(2π f d) df over |f| ≤ 1/2, since a pixel's area multiplies the
    spectrum by a sinc function.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_N_FREQUENCIES)
    # The integrand is even.
    frequency = torch.from_numpy((nodes + 1) / 4).to(distance)
    weight = torch.from_numpy(weights / 2).to(distance)
    gain = weight * torch.sinc(ratio * frequency) / torch.sinc(frequency)
    kernel: Tensor = torch.cos(2 * math.pi * distance[..., None] * frequency) @ gain
    return kernel
