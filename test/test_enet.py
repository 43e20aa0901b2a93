"""The network: the authors' parameters and shapes, and what its layout can change."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from enet_ros.engines.graph import fold_batch_norms
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint_import import PYTORCH_ENET
from enet_ros.models.enet import ENet, ENetLayout

LAYOUTS = [
    {'initial_pool': 3}, {'quarter_of': 'input'}, {'biases': False}, {'pair_activation': True},
    {'expansion_activation': True}, {'encoder_activation': 'shared_prelu'},
    {'encoder_activation': 'relu'}, {'decoder_activation': 'prelu'}, {'norm_epsilon': 1e-5},
    {'upsampling_kernel': 2}, {'output_kernel': 3}, {'decoder_dropout': 0.1}]
PYTORCH_ENET = {**PYTORCH_ENET, 'encoder_activation': 'shared_prelu'}


@pytest.mark.parametrize('classes, parameters', [(11, 363_791), (12, 363_856), (19, 364_311)])
def test_number_of_parameters_is_that_of_the_authors_network(classes, parameters):
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
def test_logits_have_the_size_of_the_image(width, height):
    with torch.inference_mode():
        logits = ENet(3).eval()(torch.rand(1, 3, height, width))
    assert logits.shape == (1, 3, height, width)


def test_padding_repeats_the_border():
    network = ENet(4).eval()
    image = torch.rand(1, 3, 21, 30)
    padded = F.pad(image, (0, 2, 0, 3), mode='replicate')
    with torch.inference_mode():
        assert torch.equal(network(image), network(padded)[:, :, :21, :30])


def test_gradient_reaches_every_parameter():
    network = ENet(5)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def _parameters(**options):
    return sum(p.numel() for p in ENet(12, ENetLayout(**options)).parameters())


@pytest.mark.parametrize('options, more', [
    ({'initial_pool': 3}, 0),
    # The initial convolution, the last of each bottleneck's main ones, those of up-sampling and
    # the output.
    ({'biases': False}, -(13 + 16 * 5 + 32 * 17 + 16 * 3 + 4 * 2 + 12)),
    ({'pair_activation': True}, 4 * (32 + 32 + 32)),
    ({'expansion_activation': True}, 64 * 5 + 128 * 17),
    ({'upsampling_kernel': 2}, -(16 * 16 + 4 * 4) * (9 - 4)),
    ({'output_kernel': 3}, 16 * 12 * (9 - 4)),
    ({'decoder_activation': 'prelu'}, (16 + 16 + 64) * 3 + (4 + 4 + 16) * 2),
])
def test_parameters_that_a_layout_adds(options, more):
    assert _parameters(**options) - _parameters() == more


@pytest.mark.parametrize('options', [*LAYOUTS, PYTORCH_ENET], ids=str)
def test_every_layout_runs_and_can_be_folded(options):
    torch.manual_seed(1)
    # In double precision: rounding could move a maximum to another place in its window.
    network = ENet(4, ENetLayout(**options)).double()
    image = torch.rand(2, 3, 25, 38, dtype=torch.double)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # takes over the statistics of the one batch that follows
            if isinstance(module, nn.PReLU):
                module.weight.fill_(0.4)
        network(image)
    network.eval()
    folded = fold_batch_norms(copy.deepcopy(network))
    # All but the initial one, which stands behind a concatenation.
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == 1
    with torch.inference_mode():
        logits = network(image)
        assert logits.shape == (2, 4, 25, 38)
        assert torch.allclose(folded(image), logits, atol=1e-9)
        # Against the authors' network with the same weights, where they fit: it matters.
        other = ENet(4).double().eval()
        other.load_state_dict({name: value for name, value in network.state_dict().items()
                               if name in other.state_dict()
                               and value.shape == other.state_dict()[name].shape}, strict=False)
        if options != {'decoder_dropout': 0.1}:
            assert not torch.allclose(other(image), logits, atol=1e-4)


def test_dropout_in_the_decoder():
    torch.manual_seed(1)
    network = ENet(4, ENetLayout(decoder_dropout=0.5)).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        encoded = network.encode(image)
        deterministic = network.decode(encoded)
        for module in network.modules():
            if isinstance(module, nn.Dropout2d):
                module.train()
        assert not torch.equal(network.decode(encoded), deterministic)


@pytest.mark.parametrize('options, complaint', [
    ({'initial_pool': 4}, 'initial_pool is 4; it must be at most 3'),
    ({'initial_pool': '2'}, "initial_pool is '2'; it must be of type int"),
    ({'biases': 1}, 'biases is 1; it must be of type bool'),
    ({'quarter_of': 'middle'}, "quarter_of is 'middle'; choose one of input, output"),
    ({'encoder_activation': 'gelu'}, 'choose one of relu, prelu, shared_prelu'),
    ({'norm_epsilon': float('nan')}, 'norm_epsilon is nan'),
    ({'output_kernel': 1}, 'output_kernel is 1; it must be at least 2'),
])
def test_invalid_layouts_are_rejected(options, complaint):
    with pytest.raises(BadInput, match=complaint):
        ENetLayout(**options)
