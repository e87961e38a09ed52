"""Image files and what they state of their images: TIFF, OME-TIFF, OME-Zarr."""

from napari_deepblur.io.image_file import ImageFile, StoredImage
from napari_deepblur.io.metadata import Channel, ImageMetadata, Position
from napari_deepblur.io.read import list_images, read_image, read_metadata
from napari_deepblur.io.write import check_image_output, check_output, check_space, write_image

__all__ = [
    "Channel",
    "ImageFile",
    "ImageMetadata",
    "Position",
    "StoredImage",
    "check_image_output",
    "check_output",
    "check_space",
    "list_images",
    "read_image",
    "read_metadata",
    "write_image",
]
