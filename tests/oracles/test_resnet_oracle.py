"""Our ResNet-18 beside MONAI's, which the bundled weights were trained with."""

import pytest
import torch
from monai.networks.nets.resnet import resnet18

from napari_deepblur import load_model
from napari_deepblur.networks.resnet import ResNet18


@pytest.fixture(scope="module")
def pair():
    ours = load_model("widefield-zernike").identification.resnet
    theirs = resnet18(
        spatial_dims=2,
        n_input_channels=1,
        conv1_t_stride=2,
        bias_downsample=False,
        feed_forward=False,
    ).eval()
    theirs.load_state_dict(ours.state_dict())  # the names of all weights agree
    return ours, theirs


@pytest.mark.parametrize(("height", "width"), [(32, 32), (129, 200)])
def test_features_of_the_bundled_weights(pair, height, width):
    images = torch.randn(3, 1, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = (network(images) for network in pair)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


def test_training_begins_with_the_same_spread_of_weights():
    torch.manual_seed(0)
    ours, theirs = ResNet18(), resnet18(spatial_dims=2, n_input_channels=1, feed_forward=False)
    for name, value in theirs.state_dict().items():
        if value.ndim == 4:
            assert float(ours.state_dict()[name].std()) == pytest.approx(
                float(value.std()), rel=0.1
            )
