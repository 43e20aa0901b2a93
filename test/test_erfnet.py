"""ERFNet against the layer table of its paper."""

import pytest
import torch

from enet_ros.models.cost import stage_costs
from enet_ros.models.erfnet import ERFNet


def convolution(channels_in, channels_out, height, width):
    """Return the parameters of a convolution with a bias."""
    return channels_out * (channels_in * height * width + 1)


def downsampling(channels_in, channels_out):
    return convolution(channels_in, channels_out - channels_in, 3, 3) + 2 * channels_out


def block(channels):
    """Return the parameters of a non-bottleneck-1D: four 1-D convolutions, two normalizations."""
    return 4 * convolution(channels, channels, 3, 1) + 2 * 2 * channels


def test_parameters_are_those_of_the_layer_table():
    classes = 20
    table = (downsampling(3, 16) + downsampling(16, 64) + 5 * block(64) + downsampling(64, 128)
             + 8 * block(128) + convolution(128, 64, 3, 3) + 2 * 64 + 2 * block(64)
             + convolution(64, 16, 3, 3) + 2 * 16 + 2 * block(16)
             + convolution(16, classes, 2, 2))
    assert sum(value.numel() for value in ERFNet(classes).parameters()) == table
    encoder_head = convolution(128, classes, 1, 1)
    assert round((table + encoder_head) / 1e6, 2) == 2.07


def test_layers_are_those_of_the_paper():
    with torch.device('meta'):
        stages = stage_costs(ERFNet(20), 1024, 512)
    dilated = [(f'layer{9 + i}', f'dilated {2 ** (i % 4 + 1)}', (128, 64, 128)) for i in range(8)]
    assert [(stage.name, stage.kind, stage.output) for stage in stages] == [
        ('layer1', 'downsampling', (16, 256, 512)), ('layer2', 'downsampling', (64, 128, 256)),
        *((f'layer{number}', '', (64, 128, 256)) for number in range(3, 8)),
        ('layer8', 'downsampling', (128, 64, 128)), *dilated,
        ('layer17', 'upsampling', (64, 128, 256)), ('layer18', '', (64, 128, 256)),
        ('layer19', '', (64, 128, 256)), ('layer20', 'upsampling', (16, 256, 512)),
        ('layer21', '', (16, 256, 512)), ('layer22', '', (16, 256, 512)),
        ('layer23', 'upsampling', (20, 512, 1024))]


@pytest.mark.parametrize('height, width', [(8, 8), (61, 75), (1, 1), (48, 64)])
def test_logits_have_the_size_of_the_image(height, width):
    torch.manual_seed(1)
    network = ERFNet(5).eval()
    image = torch.randn(2, 3, height, width)
    with torch.no_grad():
        logits = network(image)
        features = network.encode(image).features
    assert logits.shape == (2, 5, height, width) and logits.isfinite().all()
    assert features.shape == (2, 128, -(-height // 8), -(-width // 8))
