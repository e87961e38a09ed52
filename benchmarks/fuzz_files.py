"""Small files of all kinds that the program reads, and what is read of them."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["KINDS"]

#: Bytes of pixels that are read as a whole; of more only the first and the last plane.
_SMALL = 1 << 27


def _pixels() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(1, 4000, (3, 2, 80, 96)).astype(np.uint16)


def _make_tiff(folder: Path, **options: Any) -> Path:
    from tifffile import imwrite

    path = folder / "image.tif"
    imwrite(path, _pixels(), **options)
    return path


def _make_written(folder: Path, name: str) -> Path:
    from napari_deepblur.io import Channel, ImageMetadata, write_image

    channels = (Channel(name="GFP", wavelength_um=0.52), Channel(name="Cy5", wavelength_um=0.67))
    stated = ImageMetadata(
        pixel_sides_um=(0.1, 0.1), z_step_um=0.3, channels=channels, numerical_aperture=1.4
    )
    write_image(folder / name, _pixels().transpose(1, 0, 2, 3), "CZYX", metadata=stated)
    return folder / name


def _make_zarr_2(folder: Path) -> Path:
    import zarr

    group = zarr.open_group(folder / "old.zarr", mode="w", zarr_format=2)
    array = group.create_array("0", shape=(3, 2, 80, 96), dtype="uint16", chunks=(1, 1, 40, 96))
    array[:] = _pixels()
    axes = [
        {"name": name, "type": kind}
        for name, kind in zip("zcyx", ("space", "channel", "space", "space"), strict=True)
    ]
    scale = [{"type": "scale", "scale": [0.3, 1, 0.1, 0.1]}]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": axes,
            "datasets": [{"path": "0", "coordinateTransformations": scale}],
        }
    ]
    return folder / "old.zarr"


def _make_plate(folder: Path) -> Path:
    import zarr

    plate = zarr.open_group(folder / "plate.zarr", mode="w")
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}
    well = plate.create_group("A/1")
    well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}, {"path": "1"}]}}
    for field in range(2):
        image = well.create_group(str(field))
        image.create_array("0", data=_pixels()[:, field], chunks=(1, 80, 96))
        axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
        scale = [{"type": "scale", "scale": [0.3, 0.1, 0.1]}]
        dataset = {"path": "0", "coordinateTransformations": scale}
        image.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [dataset]}]}
    return folder / "plate.zarr"


def _make_blur(folder: Path) -> Path:
    from napari_deepblur import BlurEstimate, Optics

    optics = Optics(numerical_aperture=1.2, wavelength_um=0.5, pixel_size_um=0.08)
    rows = np.full((2, 7), 0.05, np.float32)
    BlurEstimate(rows, rows / 10, optics, "widefield-zernike", n_planes=2).save(
        folder / "blur.json"
    )
    return folder / "blur.json"


def _make_model(folder: Path) -> Path:
    from napari_deepblur.engine.models import load_model

    return Path(shutil.copytree(load_model("widefield-zernike").folder, folder / "model"))


def _make_settings(folder: Path) -> Path:
    path = folder / "settings.yaml"
    path.write_text(
        "optics: {numerical_aperture: 1.4, refractive_index: 1.518}\n"
        "channels:\n  0: {wavelength_um: 0.52}\n  2: {wavelength_um: 0.67}\n"
        "model: widefield\nper: plane\nz_step_um: 0.3\nformat: .ome.zarr\n"
    )
    return path


def _read_image(path: Path) -> Any:
    from napari_deepblur.io import list_images, read_image

    content = []
    for series, _ in enumerate(list_images(path)[:3]):
        file = read_image(path, series=series)
        _require_sane(file.metadata)
        assert all(side > 0 for side in file.shape), f"an image of the shape {file.shape}"
        small = math.prod(file.shape) * file.data.dtype.itemsize < _SMALL
        whole = [file.data] if small else [_first_plane(file.data), _first_plane(file.data[::-1])]
        parts = [np.asarray(part) for part in whole]
        digests = [hashlib.sha256(np.ascontiguousarray(part)).hexdigest() for part in parts]
        content.append([list(file.shape), digests])
    return content


def _first_plane(data: Any) -> Any:
    return data[(0,) * (data.ndim - 2)]


def _require_sane(metadata: Any) -> None:
    lengths = [*(metadata.pixel_sides_um or ()), metadata.z_step_um, metadata.time_step_s]
    lengths += [metadata.numerical_aperture, metadata.refractive_index]
    for channel in metadata.channels:
        lengths += [channel.wavelength_um, channel.excitation_um]
    for length in lengths:
        if length is not None and length is not metadata.z_step_um:
            assert math.isfinite(length), f"a length of {length}"
            assert length > 0, f"a length of {length}"
    assert metadata.z_step_um is None or math.isfinite(metadata.z_step_um)


def _read_blur(path: Path) -> Any:
    from napari_deepblur import load_blur

    blur = load_blur(path)
    assert np.isfinite(blur.coefficients).all()
    assert np.isfinite(blur.std).all()
    psf = blur.psf(0)
    assert np.isfinite(psf).all()
    assert abs(float(psf.sum()) - 1) < 1e-3


def _read_model(path: Path) -> Any:
    from napari_deepblur.engine.models import load_model

    model = load_model(path)
    networks = (model.identification, model.deblurring)
    assert model.family.coefficient_names
    return [float(sum(p.abs().sum() for p in network.parameters())) for network in networks]


def _read_settings(path: Path) -> Any:
    from napari_deepblur.engine.batch_settings import read_settings

    return read_settings(path).request(Path("a.tif"), 0, 0).model_dump(mode="json")


#: For each kind, how a file is made in a folder, and how it is read.
KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "TIFF": (lambda at: _make_tiff(at, photometric="minisblack"), _read_image),
    "BigTIFF, packed tiles": (
        lambda at: _make_tiff(at, bigtiff=True, tile=(32, 32), compression="zlib"),
        _read_image,
    ),
    "ImageJ TIFF": (
        lambda at: _make_tiff(
            at, imagej=True, metadata={"axes": "ZCYX", "spacing": 0.3, "unit": "um"}
        ),
        _read_image,
    ),
    "OME-TIFF": (lambda at: _make_written(at, "a.ome.tif"), _read_image),
    "OME-Zarr 0.5": (lambda at: _make_written(at, "a.ome.zarr"), _read_image),
    "OME-Zarr 0.4": (_make_zarr_2, _read_image),
    "OME-Zarr plate": (_make_plate, _read_image),
    "blur": (_make_blur, _read_blur),
    "model": (_make_model, _read_model),
    "settings": (_make_settings, _read_settings),
}
