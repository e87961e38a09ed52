"""From file to file, plane by plane: the numbers of memory, in the memory of a plane."""

import tracemalloc

import numpy as np
import pytest

from helpers.command_line import OPTICS, observed, succeed
from napari_deepblur import deblur, estimate_blur, load_blur
from napari_deepblur.cli.restoration import restore_files
from napari_deepblur.engine.request import Request, open_source
from napari_deepblur.io import Channel, ImageMetadata, read_image, write_image

STATED = ImageMetadata(
    pixel_sides_um=(0.09, 0.09),
    z_step_um=0.3,
    time_step_s=2.0,
    channels=(
        Channel(name="GFP", wavelength_um=0.52, colour=(0, 255, 0)),
        Channel(name="mCherry", wavelength_um=0.61, colour=(255, 0, 0)),
    ),
    numerical_aperture=1.4,
    refractive_index=1.518,
    name="cell",
)


@pytest.mark.parametrize(("source", "ending"), [("a.ome.zarr", ".ome.zarr"), ("a.tif", ".ome.tif")])
def test_a_channel_goes_from_file_to_file(tmp_path, tiny_model, source, ending):
    data = observed((2, 2, 2, 72, 80)).clip(0).astype(np.uint16)
    write_image(tmp_path / source, data, "TCZYX", metadata=STATED)
    out, residual = tmp_path / f"sharp{ending}", tmp_path / f"residual{ending}"
    blur = tmp_path / "blur.json"
    options = ["--channel", "1", "--model", tiny_model]
    succeed("estimate", tmp_path / source, *options, "--out", blur)
    succeed("deblur", tmp_path / source, *options, "--out", out, "--residual", residual)
    sharp = read_image(out)
    in_memory = deblur(data[:, 1], load_blur(blur), axes="TZYX")
    np.testing.assert_allclose(np.asarray(sharp.data), in_memory, rtol=1e-6)
    assert sharp.axes == "TZYX"
    assert sharp.metadata == STATED.of_channel(1)
    assert read_image(residual).shape == sharp.shape
    made = {tmp_path / source, out, residual, blur}
    assert set(tmp_path.iterdir()) == made


def test_a_file_says_how_it_was_made(tmp_path, tiny_model):
    import zarr

    import napari_deepblur
    from napari_deepblur.engine.models import load_model

    write_image(tmp_path / "a.zarr", observed((2, 64, 72)), "ZYX")
    succeed(
        "deblur", tmp_path / "a.zarr", *OPTICS, "--model", tiny_model, "--out", tmp_path / "b.zarr"
    )
    told = zarr.open_group(tmp_path / "b.zarr", mode="r").attrs["napari_deepblur"]
    assert told["software"] == f"napari-deepblur {napari_deepblur.__version__}"
    assert told["model_sha256"]["deblurring"] == load_model(tiny_model).card.deblurring.sha256
    assert np.shape(told["coefficients"]) == (2, 7)
    assert told["settings"]["optics"]["numerical_aperture"] == 1.4
    assert told["settings"]["per"] == "plane"
    assert len(told["check"]["residual"]) == 2


def peak_bytes(folder, n_planes, model):
    path = folder / f"{n_planes}.zarr"
    write_image(path, observed((n_planes, 256, 256)), "ZYX", pixel_size_um=0.09)
    optics = {"numerical_aperture": 1.4, "wavelength_um": 0.52}
    request = Request(image=path, optics=optics, model=str(model), per="stack")
    blur = estimate_blur(
        np.asarray(open_source(request).data[0]), optics=open_source(request).optics, model=model
    )
    blur.save(folder / f"{n_planes}.json")
    request = request.model_copy(update={"blur": folder / f"{n_planes}.json"})
    tracemalloc.start()
    files = restore_files(request, folder / f"sharp{n_planes}.zarr")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert files.restored.check is not None
    return peak


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_more_planes_take_no_more_memory(tmp_path, tiny_model):
    few, many = (peak_bytes(tmp_path, n, tiny_model) for n in (3, 15))
    assert many - few < 3 * 256 * 256 * 4
