"""Files made to mislead or to exhaust: refused in one line, at once, before much is allocated."""

import hashlib
import io
import json
import shutil
import struct
import zipfile

import numpy as np
import pytest
import torch

from helpers.limits import limited
from napari_deepblur import BlurEstimate, Optics, load_blur
from napari_deepblur.engine.model_files import write_network
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.networks.unrolled import DeblurringNetwork
from napari_deepblur.operators import ZernikeFamily

OPTICS = Optics(numerical_aperture=1.2, wavelength_um=0.5, pixel_size_um=0.08)
SMALL = {"n_iterations": 2, "n_channels": 4, "n_layers": 2}


@pytest.fixture(scope="module", autouse=True)
def _loaded(tiny_model, tiny_varying_model):
    """What is imported, and allocated once, counts in no test."""
    for folder in (tiny_model, tiny_varying_model):
        model = load_model(folder)
        _ = model.identification, model.deblurring, model.family


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def varying_folder(tiny_varying_model, tmp_path):
    return shutil.copytree(tiny_varying_model, tmp_path / "varying")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))  # NaN and Infinity are written as such


def assert_refused(read, fragment, *, error=ModelError):
    with limited(), pytest.raises(error, match=fragment) as caught:
        read()
    assert "\n" not in str(caught.value)


def everything(folder):
    model = load_model(folder)
    return model.family, model.identification, model.deblurring


DEBLURRING, IDENTIFICATION = ("deblurring", "arguments"), ("identification", "arguments")


@pytest.mark.parametrize(
    ("place", "values", "fragment"),
    [
        (DEBLURRING, {"n_iterations": 20_000}, "n_iterations"),
        (DEBLURRING, {"n_iterations": 0}, "n_iterations"),
        (DEBLURRING, {"n_channels": 10**6}, "n_channels"),
        (DEBLURRING, {"n_layers": 10**9}, "n_layers"),
        (DEBLURRING, {"unshuffle": 10**4}, "unshuffle"),
        (DEBLURRING, {"n_iterations": 100, "n_channels": 256, "n_layers": 16}, "more than any"),
        (DEBLURRING, {"n_channels": "many"}, "n_channels"),
        (DEBLURRING, {"method": "half-quadratic", "n_layers": 4}, "n_layers"),
        (DEBLURRING, {"method": "unheard-of"}, "deblurring"),
        (IDENTIFICATION, {"n_hidden": 10**6}, "n_hidden"),
        (IDENTIFICATION, {"n_outputs": 10**9}, "n_outputs"),
        (IDENTIFICATION, {"whitening_exponent": float("nan")}, "not a valid|finite|NaN|number"),
        (IDENTIFICATION, {"n_coefficients": 3}, "for 3 coefficients, the family has 7"),
        (("family",), {"noll_indices": [4] * 7}, "stands twice"),
        (("family",), {"noll_indices": list(range(4, 100_000))}, "noll_indices"),
        (("family",), {"noll_indices": []}, "noll_indices"),
        (("family",), {"noll_indices": [4, 5, 6, 7, 8, 9, 10**9]}, "noll_indices"),
        (("family",), {"noll_indices": [1, 5, 6, 7, 8, 9, 10]}, "noll_indices"),
        (("family",), {"noll_indices": [4, 5, 6]}, "for 7 coefficients, the family has 3"),
        (("family",), {"limit_waves": float("nan")}, "limit_waves|not a valid|NaN"),
        (("family",), {"limit_waves": float("inf")}, "limit_waves|not a valid|Infinity"),
        (("family",), {"limit_waves": -0.1}, "limit_waves"),
        (("family",), {"limit_waves": 1e6}, "limit_waves"),
        (("family",), {"kind": "unheard-of"}, "family"),
        (("identification",), {"sha256": "short"}, "sha256"),
        (("identification",), {"trained_on": ["x"] * 10_000}, "trained_on"),
        (("identification",), {"resnet_of": "widefield-zernike"}, "belong together"),
        ((), {"name": "x" * 10_000}, "name"),
        ((), {"run": "rm -rf"}, "run"),
    ],
)  # fmt: skip
def test_descriptions(folder, place, values, fragment):
    def change(card):
        for key in place:
            card = card[key]
        card.update(values)

    edit(folder / "model.json", change)
    assert_refused(lambda: load_model(folder), fragment)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("[" * 100_000, "not a model description"),
        ('{"name":' * 10_000, "not a model description"),
        (" " * 3_000_000, "larger than"),
        ('{"name": ' + "9" * 100_000 + "}", "not a model description"),
    ],
    ids=["deep list", "deep object", "long", "long number"],
)
def test_descriptions_that_are_hard_to_read(folder, text, fragment):
    (folder / "model.json").write_text(text)
    assert_refused(lambda: load_model(folder), fragment)


def test_a_network_of_the_other_kind_of_family(folder, tiny_varying_model):
    theirs = json.loads((tiny_varying_model / "model.json").read_text())["identification"]
    edit(folder / "model.json", lambda card: card.update(identification=theirs))
    assert_refused(lambda: load_model(folder), "not one for a zernike family")


@pytest.mark.parametrize("base", ["spim", "own folder", "../models/widefield-zernike"])
def test_only_bundled_models_with_a_resnet_of_their_own_share_it(folder, base):
    base = str(folder) if base == "own folder" else base

    def change(card):
        card["identification"].update(resnet_of=base, resnet_sha256=64 * "0")

    edit(folder / "model.json", change)
    assert_refused(lambda: load_model(folder).identification, "no bundled model with a ResNet")


def replace_weights(folder, content):
    """Weights that `model.json` vouches for."""
    (folder / "deblurring.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(folder / "model.json", lambda card: card["deblurring"].update(sha256=digest))


def weights_with(change):
    from safetensors.torch import save

    weights = DeblurringNetwork(n_iterations=3, n_channels=8, n_layers=2).state_dict()
    change(weights)
    return save(weights)


def header(content):
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 2**60),
        struct.pack("<Q", 90_000_000) + b"{" * 1000,
        header({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        header({"a": {"dtype": "F32", "shape": [2**40, 0], "data_offsets": [0, 0]}}),
        weights_with(lambda weights: weights.update(step_logits=torch.zeros(3, 10**5))),
        weights_with(lambda weights: weights.update(more=torch.zeros(3))),
        weights_with(lambda weights: weights.pop("step_logits")),
    ],
    ids=["empty", "long header", "broken header", "long tensor", "empty tensor", "shape", "more",
         "fewer"],
)  # fmt: skip
def test_weights(folder, content):
    replace_weights(folder, content)
    assert_refused(lambda: load_model(folder).deblurring, "not the network that model.json")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(folder, value):
    replace_weights(folder, weights_with(lambda weights: weights["step_logits"].fill_(value)))
    assert_refused(lambda: load_model(folder).deblurring, "holds NaN or infinity")


def test_weights_exchanged_after_the_model_was_opened(folder):
    model = load_model(folder)
    path = folder / "deblurring.safetensors"
    path.write_bytes(weights_with(lambda weights: weights["step_logits"].add_(1)))
    assert_refused(lambda: model.deblurring, "not the file that model.json describes")


def test_weights_without_end(folder):
    path = folder / "deblurring.safetensors"
    with path.open("wb") as file:
        file.truncate(2 * 10**9)  # sparse: no disk is used
    assert_refused(lambda: load_model(folder).deblurring, "larger than 200 MB")


def packed(**members):
    """An archive of raw members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy(shape, *, descr="<f4", data=b""):
    """A .npy file whose header may promise more than follows."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def deep_header():
    text = b"(" * 5000 + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        packed(eigen_psfs=npy((10**6, 1001, 1001))),
        packed(eigen_psfs=npy((2**31, 2**31, 2**31))),
        packed(eigen_psfs=npy((-1, 31, 31))),
        packed(eigen_psfs=npy((3, 31, 31), data=bytes(4 * 3 * 31 * 31 + 4))),
        packed(maps=npy((6, 3, 5, 5), data=bytes(100))),
        packed(coefficient_names=npy((1,), descr="<U1000000000")),
        packed(coefficient_names=npy((2,), descr="<U1000000", data=bytes(8 * 10**6))),
        packed(vertices=npy((2,), descr="|V8", data=bytes(16))),
        packed(vertices=deep_header()),
        packed(vertices=npy((10**5, 100), data=bytes(4 * 10**7)), maps=npy((0, 3, 5, 5))),
        packed(**{f"array{n}": b"" for n in range(30_000)}),
        packed(format=npy((), descr="|O")),
    ],
    ids=["claims TB", "overflows", "negative", "longer", "shorter", "long word", "long words",
         "records", "deep header", "many vertices", "many arrays", "objects"],
)  # fmt: skip
def test_families(varying_folder, content):
    replace_family(varying_folder, content)
    assert_refused(
        lambda: load_model(varying_folder).family, "not a family file|not a file of|is damaged"
    )


def replace_family(folder, content):
    """A family file that `model.json` vouches for."""
    (folder / "family.npz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(folder / "model.json", lambda card: card["family"].update(sha256=digest))


def test_a_family_that_unpacks_to_far_more_than_its_file(varying_folder):
    """Zeros of 200 MB in a fraction of a megabyte, behind a header that promises them."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("eigen_psfs.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy((50, 1000, 1000)))
        for _ in range(50):
            member.write(bytes(4 * 10**6))
    replace_family(varying_folder, file.getvalue())
    assert_refused(lambda: load_model(varying_folder).family, "not a family file")


def changed_family(folder, **changes):
    with np.load(folder / "family.npz") as file:
        content = dict(file) | changes
    packed_again = io.BytesIO()
    np.savez_compressed(packed_again, **content)
    return packed_again.getvalue()


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"cutoff": float("nan")}, "must be positive"),
        ({"cutoff": -0.25}, "must be positive"),
        ({"pixel_size_um": 0.0}, "must be positive"),
        ({"pixel_size_um": float("inf")}, "must be positive"),
        ({"eigen_psfs": np.zeros((3, 1001, 1001), np.float32)}, "larger than any"),
        ({"vertices": np.zeros((100_000, 6), np.float32)}, "larger than any"),
        ({"maps": np.full((6, 3, 5, 5), np.inf, np.float32)}, "NaN or infinity"),
    ],
)
def test_contents_of_families(varying_folder, changes, fragment):
    replace_family(varying_folder, changed_family(varying_folder, **changes))
    assert_refused(lambda: load_model(varying_folder).family, fragment)


def test_a_family_of_another_size_than_described(varying_folder):
    edit(varying_folder / "model.json", lambda card: card["family"].update(n_eigen_psfs=4))
    assert_refused(
        lambda: load_model(varying_folder).family, "3 eigen-PSFs, model.json says 6 and 4"
    )


def test_a_network_for_other_maps_than_the_familys(varying_folder):
    maps = np.zeros((6, 3, 7, 7), np.float32)
    replace_family(varying_folder, changed_family(varying_folder, maps=maps))
    assert_refused(lambda: load_model(varying_folder).identification, "is not the network")


@pytest.fixture
def blur(tiny_model, tmp_path):
    coefficients = np.full((2, 7), 0.05, np.float32)
    estimate = BlurEstimate(coefficients, 0 * coefficients, OPTICS, str(tiny_model), n_planes=2)
    estimate.save(tmp_path / "blur.json")
    return tmp_path / "blur.json"


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda c: c["coefficients"][0].__setitem__(2, float("nan")), "not a blur file"),
        (lambda c: c["coefficients"][0].__setitem__(2, float("inf")), "not a blur file"),
        (lambda c: c["coefficients"][0].__setitem__(2, 1e6), "no blur of model"),
        (lambda c: c["coefficients"][1].__setitem__(0, 0.2), "no blur of model"),
        (lambda c: c["std"][0].__setitem__(2, -1), "not a blur file"),
        (lambda c: c["coefficient_names"].reverse(), "it has the coefficients Z10"),
        (lambda c: c.update(field_shape=[0, -3]), "field_shape"),
        (lambda c: c.update(n_planes=-1), "n_planes"),
        (lambda c: c["optics"].update(pixel_size_um=1e-9), "over ten times finer"),
        (lambda c: c.update(family_sha256="0" * 64), "made with another model of the name"),
        (lambda c: c.update(model="/no/such/folder"), "no model '/no/such/folder'"),
    ],
)  # fmt: skip
def test_blurs(blur, change, fragment):
    edit(blur, change)
    assert_refused(lambda: load_blur(blur), fragment, error=ValueError)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"model":' * 10_000])
def test_blurs_that_are_hard_to_read(blur, text):
    blur.write_text(text)
    assert_refused(lambda: load_blur(blur), "not a blur file", error=ValueError)


def test_a_blur_without_end(blur):
    with blur.open("wb") as file:
        file.truncate(2 * 10**9)
    assert_refused(lambda: load_blur(blur), "larger than 64 MB", error=ValueError)


def test_a_blur_of_an_older_version_names_no_digest(blur):
    edit(blur, lambda content: content.pop("family_sha256"))
    assert load_blur(blur).n_planes == 2


def test_a_blur_of_another_model_of_the_same_name(tmp_path):
    """In other waves the same numbers would be another PSF."""
    for noll_indices in ((4, 5), (4, 11)):
        shutil.rmtree(tmp_path / "mine", ignore_errors=True)
        write_network(
            tmp_path / "mine", "deblurring", DeblurringNetwork(**SMALL),
            family=ZernikeFamily(noll_indices), card={"arguments": SMALL},
        )  # fmt: skip
        if noll_indices == (4, 5):
            row = np.zeros((1, 2), np.float32)
            BlurEstimate(row, row, OPTICS, str(tmp_path / "mine")).save(tmp_path / "blur.json")
    assert_refused(
        lambda: load_blur(tmp_path / "blur.json"), "made with another model", error=ValueError
    )
