"""The network: the authors' parameters and shapes, and an unpooling that is exact."""

import pytest
import torch
from torch.nn import functional as F

from enet_ros.models.enet import ENet, pool_2x2, unpool_2x2


@pytest.mark.parametrize('classes, parameters', [(11, 363_791), (12, 363_856), (19, 364_311)])
def test_has_as_many_parameters_as_the_authors_network(classes, parameters):
    assert sum(p.numel() for p in ENet(classes).parameters()) == parameters


def test_shape_after_every_stage():
    network, shapes = ENet(12).eval(), {}
    for name, stage in network.named_children():
        stage.register_forward_hook(
            lambda _module, _inputs, output, name=name: shapes.update(
                {name: tuple((output[0] if isinstance(output, tuple) else output).shape[1:])}))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 360, 640))
    assert shapes == {
        'initial': (16, 180, 320),
        'down1': (64, 90, 160), 'stage1': (64, 90, 160),
        'down2': (128, 45, 80), 'stage2': (128, 45, 80), 'stage3': (128, 45, 80),
        'up4': (64, 90, 160), 'stage4': (64, 90, 160),
        'up5': (16, 180, 320), 'stage5': (16, 180, 320),
        'output': (12, 360, 640),
    }


@pytest.mark.parametrize('width, height', [(640, 360), (480, 360), (1024, 512), (101, 67), (8, 8)])
def test_logits_have_the_images_size(width, height):
    with torch.inference_mode():
        logits = ENet(3).eval()(torch.rand(1, 3, height, width))
    assert logits.shape == (1, 3, height, width)


def test_padding_repeats_the_border():
    network = ENet(4).eval()
    image = torch.rand(1, 3, 21, 30)
    padded = F.pad(image, (0, 2, 0, 3), mode='replicate')
    with torch.inference_mode():
        assert torch.equal(network(image), network(padded)[:, :, :21, :30])


def _images_with_ties():
    generator = torch.Generator().manual_seed(3)
    yield 'constant', torch.full((2, 3, 8, 12), 0.7)
    yield 'zero', torch.zeros(1, 4, 6, 6)
    yield 'few values', torch.randint(0, 2, (4, 5, 16, 16), generator=generator).float()
    yield 'many values', torch.randn(2, 5, 10, 14, generator=generator)


@pytest.mark.parametrize('image', [
    pytest.param(image, id=name) for name, image in _images_with_ties()])
def test_unpooling_equals_max_unpool2d(image):
    pooled, position = pool_2x2(image)
    expected, indices = F.max_pool2d(image, 2, return_indices=True)
    assert torch.equal(pooled, expected)
    values = torch.randn(pooled.shape)
    assert torch.equal(unpool_2x2(values, position), F.max_unpool2d(values, indices, 2))


def test_gradient_reaches_every_parameter():
    network = ENet(5)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
