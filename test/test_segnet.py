"""SegNet: the paper's baseline."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from enet_ros.engines.graph import fold_batch_norms
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.models.segnet import SegNet
from enet_ros.segmenter import Segmenter


@pytest.fixture(scope='module')
def network():
    """Return a network whose normalization layers keep its values in range.

    In double precision: rounding could move a maximum to another place in its window.
    """
    torch.manual_seed(2)
    network = SegNet(len(CAMVID)).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # takes over the statistics of the one batch that follows
    with torch.no_grad():
        network(torch.rand(2, 3, 64, 64, dtype=torch.double))
    return network.eval()


@pytest.mark.parametrize('classes, parameters', [
    (12, 29_449_932), (19, 29_453_971), (20, 29_454_548)])
def test_number_of_parameters_is_that_of_the_paper(classes, parameters):
    with torch.device('meta'):
        assert sum(p.numel() for p in SegNet(classes).parameters()) == parameters


def test_shape_after_every_stage():
    with torch.device('meta'):
        network = SegNet(12).eval()
        shapes = []
        for stage in (*network.encoder, *network.decoder, network.output):
            stage.register_forward_hook(
                lambda _module, _inputs, output: shapes.append(tuple(output.shape[1:])))
        network(torch.zeros(1, 3, 360, 480))
    assert shapes == [
        (64, 360, 480), (128, 180, 240), (256, 90, 120), (512, 45, 60), (512, 22, 30),
        (512, 22, 30), (256, 45, 60), (128, 90, 120), (64, 180, 240), (64, 360, 480),
        (12, 360, 480)]


@pytest.mark.parametrize('width, height', [(32, 32), (33, 47), (64, 63)])
def test_logits_have_the_size_of_the_image(network, width, height):
    with torch.inference_mode():
        image = torch.rand(1, 3, height, width, dtype=torch.double)
        assert network(image).shape == (1, 11, height, width)


@pytest.mark.parametrize('width, height', [(64, 64), (50, 45)])
def test_poolings_equal_those_of_torch(network, width, height):
    """The same layers with torch's own pooling by index give the same logits."""
    image = torch.rand(2, 3, height, width, dtype=torch.double)
    with torch.inference_mode():
        x, poolings = image, []
        for stage in network.encoder:
            x = stage(x)
            size = x.shape[2:]
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            poolings.append((indices, size))
        for stage, (indices, size) in zip(network.decoder, reversed(poolings)):
            x = stage(F.max_unpool2d(x, indices, 2, output_size=size))
        assert torch.allclose(network(image), network.output(x), atol=1e-9)


def test_gradient_reaches_every_parameter(network):
    # In evaluation mode: statistics of the batch cancel the biases of convolutions.
    network = copy.deepcopy(network)
    network(torch.rand(2, 3, 64, 64, dtype=torch.double)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_folding_does_not_change_the_logits(network):
    folded = fold_batch_norms(copy.deepcopy(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    image = torch.rand(1, 3, 45, 64, dtype=torch.double)
    with torch.inference_mode():
        assert torch.allclose(folded(image), network(image), atol=1e-9)


def test_checkpoint_and_segmenter(network, tmp_path):
    spec = checkpoint.ModelSpec(CAMVID, 'segnet', width=64, height=48)
    # Weights that half precision can hold, so that nothing is lost.
    halved = copy.deepcopy(network).half().float()
    path = tmp_path / 'segnet.safetensors'
    checkpoint.save(path, halved, spec)
    again, spec_again = checkpoint.load(path)
    assert spec_again == spec
    image = torch.rand(1, 3, 48, 64)
    with torch.inference_mode():
        assert torch.equal(again(image), halved(image))
    segmenter = Segmenter(again, spec_again, engine='torch', device='cpu')
    assert segmenter(np.zeros((90, 120, 3), np.uint8)).labels.shape == (48, 64)


def test_the_smallest_image():
    with pytest.raises(BadInput, match='segnet needs at least 32x32'):
        checkpoint.ModelSpec(CAMVID, 'segnet', width=24, height=64)
