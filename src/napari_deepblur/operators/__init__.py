"""Linear blur operators, their families and the sets their coefficients come from."""

from napari_deepblur.operators.admissible_sets import AdmissibleSet, Box, HalfBox
from napari_deepblur.operators.convex_hull import ConvexHull
from napari_deepblur.operators.convolution import Convolution
from napari_deepblur.operators.eigen_psfs import EigenPsfSpace
from napari_deepblur.operators.families import OperatorFamily, ZernikeFamily
from napari_deepblur.operators.linear_operator import LinearOperator
from napari_deepblur.operators.product_convolution import ProductConvolution
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.operators.spread import spread
from napari_deepblur.operators.widefield_family import WidefieldFamily

__all__ = [
    "AdmissibleSet",
    "Box",
    "ConvexHull",
    "Convolution",
    "EigenPsfSpace",
    "HalfBox",
    "LinearOperator",
    "OperatorFamily",
    "ProductConvolution",
    "ProductConvolutionFamily",
    "WidefieldFamily",
    "ZernikeFamily",
    "spread",
]
