"""The table of ENet's layers: what the PyTorch network and checkpoints hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from native_cases import random_model
from test_enet import LAYOUTS, PYTORCH_ENET
from torch import nn

from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import network_digest
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.enet import ENet
from enet_ros.models.enet_layers import ENetLayout, enet_layers
from enet_ros.models.layers import Activation, Conv, Dropout, Norm
from enet_ros.models.registry import ARCHITECTURES
from enet_ros.models.stored_network import as_module, as_stored
from enet_ros.models.torch_network import shapes_of


def described(module):
    """Return the layer of a PyTorch module; None for modules that are no layers."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        transposed = isinstance(module, nn.ConvTranspose2d)
        assert module.groups == 1 and module.stride[0] == module.stride[1]
        assert module.dilation[0] == module.dilation[1]
        assert module.output_padding == (module.padding if transposed else (0, 0))
        return Conv(module.in_channels, module.out_channels, module.kernel_size,
                    module.bias is not None, module.stride[0], module.padding,
                    module.dilation[0], transposed)
    if isinstance(module, nn.BatchNorm2d):
        return Norm(module.num_features, module.eps)
    if isinstance(module, nn.Dropout2d):
        return Dropout(module.p)
    return None


@pytest.mark.parametrize('options', [{}, *LAYOUTS, PYTORCH_ENET], ids=str)
def test_the_table_is_that_of_the_pytorch_network(options):
    layout = ENetLayout(**options)
    network, layers = ENet(7, layout), enet_layers(7, layout)
    assert layers.shapes() == shapes_of(network)
    found = {name: layer for name, module in network.named_modules()
             if (layer := described(module))}
    activations = {name: layer for name, layer in layers.named() if isinstance(layer, Activation)}
    assert {**found, **activations} == dict(layers.named())
    for name, layer in activations.items():
        module = network.get_submodule(name)
        assert type(module) is (nn.ReLU if layer.kind == 'relu' else nn.PReLU)


def test_the_blocks_are_those_of_the_paper():
    context = ['', 'dilated 2', 'asymmetric 5', 'dilated 4', '', 'dilated 8', 'asymmetric 5',
               'dilated 16']
    expected = [
        ('bottleneck1.0', 'downsampling', 16, 64),
        *((f'bottleneck1.{n}', '', 64, 64) for n in range(1, 5)),
        ('bottleneck2.0', 'downsampling', 64, 128),
        *((f'bottleneck{section}.{n}', kind, 128, 128)
          for section in (2, 3) for n, kind in enumerate(context, start=1)),
        ('bottleneck4.0', 'upsampling', 128, 64),
        ('bottleneck4.1', '', 64, 64), ('bottleneck4.2', '', 64, 64),
        ('bottleneck5.0', 'upsampling', 64, 16), ('bottleneck5.1', '', 16, 16)]
    layers = enet_layers(12)
    assert [(block.title, block.kind, block.inputs, block.outputs)
            for block in layers.blocks] == expected
    dropout = [layer.probability for block in layers.blocks for layer in block.extension
               if isinstance(layer, Dropout)]
    assert dropout == [0.01] * 5 + [0.1] * 17 + [0.0] * 5
    assert layers.output == Conv(16, 12, (2, 2), True, 2, (0, 0), 1, True)


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_the_registry_has_the_stride_and_the_name_of_each_network(name):
    architecture = ARCHITECTURES[name]
    assert architecture.stride == architecture.network.stride
    assert architecture.title == architecture.network.__name__


def test_a_network_is_the_same_in_both_forms(tmp_path):
    network, spec = random_model(5, norm_epsilon=1e-5)
    checkpoint.save(tmp_path / 'net.safetensors', network, spec, torch.float32)
    stored, _ = checkpoint.read(tmp_path / 'net.safetensors')
    assert as_stored(stored) is stored and as_module(network) is network
    assert as_module(stored) is stored.module and not stored.module.training
    assert stored.module.layout == network.layout
    image = torch.rand(1, 3, 48, 64)
    with torch.inference_mode():
        assert torch.equal(stored.module(image), network(image))
    again = as_stored(network)
    assert (again.architecture, again.classes) == ('enet', 5)
    assert again.options == spec.architecture_options
    assert again.parameters == sum(value.numel() for value in network.parameters())
    assert again.weights.keys() == stored.weights.keys()
    assert all(np.array_equal(again.weights[name], value)
               for name, value in stored.weights.items())
    assert network_digest(stored, spec) == network_digest(network, spec)
    assert network_digest(stored, spec) != network_digest(stored, replace(spec, std=(1., 1., 2.)))


def test_weights_of_another_architecture_are_found_when_the_network_is_built(tmp_path):
    path = tmp_path / 'net.safetensors'
    spec = ModelSpec(CAMVID, 'erfnet')
    checkpoint.save(path, ModelSpec(CAMVID).build(), spec)
    stored, _ = checkpoint.read(path)
    assert stored.layers is None
    with pytest.raises(BadInput, match=f'{path} does not hold the weights of erfnet with 11 '
                                       'classes: down1.conv.weight is missing; '):
        checkpoint.load(path)


@pytest.mark.parametrize('size, output_size', [(7, 7), (64, 100), (100, 64), (1, 5), (5, 1)])
def test_nearest_pixels_are_those_of_opencv(size, output_size):
    import cv2
    columns = InferenceSpec(size, 3, output_size, 4).nearest_columns_and_rows()[0]
    row = np.arange(size, dtype=np.uint8)[None]
    resized = cv2.resize(row, (output_size, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.array_equal(row[0, columns], resized[0])
