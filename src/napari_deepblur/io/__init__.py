"""Image files and what they say of pixel size and objective: TIFF, OME-TIFF, OME-Zarr."""

from napari_deepblur.io.image_file import ImageFile
from napari_deepblur.io.read import read_image
from napari_deepblur.io.write import check_image_output, check_output, write_image

__all__ = ["ImageFile", "check_image_output", "check_output", "read_image", "write_image"]
