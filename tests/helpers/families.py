"""Families of blurs that are quickly made."""

from __future__ import annotations

import torch

from napari_deepblur.operators import ConvexHull, ProductConvolutionFamily, ZernikeFamily


def varying_family(*, window: int = 31) -> ProductConvolutionFamily:
    """Three pupils' PSFs, mixed by weights that change linearly over the field: P = 6.

    The weights of the two aberrated ones are γ₁ + γ₂ y and γ₄ + γ₅ x; that of the sharp one
    makes up the sum of 1.
    """
    pupil = ZernikeFamily()
    gamma = torch.zeros(3, 7)
    gamma[1, 0], gamma[2, 3] = 0.14, 0.12
    psfs = pupil.psf(gamma)
    cut = (psfs.shape[-1] - window) // 2
    psfs = psfs[:, cut : cut + window, cut : cut + window]
    psfs = psfs / psfs.sum((-2, -1), keepdim=True)
    axis = torch.linspace(-1, 1, 5)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    one = torch.ones(5, 5)
    maps = torch.zeros(6, 3, 5, 5)
    maps[0, 0] = one
    for position, (k, values) in enumerate([(1, one), (1, y), (2, one), (2, x)], 1):
        maps[position, k] = values
        maps[position, 0] = -values
    maps[5, 1], maps[5, 2] = x, -x
    corners = torch.tensor(
        [
            [1, a, b, c, d, e]
            for a, b in ((0.1, 0.1), (0.4, 0.3), (0.4, -0.3), (0.1, -0.1))
            for c, d in ((0.1, 0.1), (0.4, 0.3), (0.4, -0.3))
            for e in (-0.1, 0.1)
        ]
    )
    return ProductConvolutionFamily(psfs, maps, ConvexHull(corners), cutoff=0.25, pixel_size_um=0.1)
