"""Linear blur operators, their families and the sets their coefficients come from."""

from napari_deepblur.operators.admissible_sets import AdmissibleSet, Box, HalfBox
from napari_deepblur.operators.convolution import Convolution
from napari_deepblur.operators.eigen_psfs import EigenPsfSpace
from napari_deepblur.operators.families import OperatorFamily, ZernikeFamily
from napari_deepblur.operators.linear_operator import LinearOperator

__all__ = [
    "AdmissibleSet",
    "Box",
    "Convolution",
    "EigenPsfSpace",
    "HalfBox",
    "LinearOperator",
    "OperatorFamily",
    "ZernikeFamily",
]
