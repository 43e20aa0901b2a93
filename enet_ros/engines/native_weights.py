"""The weights of a network in the order in which the native engine reads them."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from enet_ros.engines.graph import InferenceGraph
from enet_ros.errors import BadInput
from enet_ros.models.network import Network

# The options of a network's layout that the native engine depends on, with the values it supports.
LAYOUT = {'initial_pool': 2, 'quarter_of': 'output', 'pair_activation': False,
          'expansion_activation': False, 'decoder_activation': 'relu', 'upsampling_kernel': 3,
          'output_kernel': 2}
POOLED = 3  # channels of the initial block that come from max pooling


def check_layout(network: Network) -> None:
    """Raise BadInput if the native engine does not support a network."""
    options = vars(network.layout) if network.layout else {}
    if not LAYOUT.keys() <= options.keys():
        raise BadInput(f'engine native does not support {type(network).__name__}; choose engine '
                       'openvino or torch, or a model with the architecture enet')
    for name, value in LAYOUT.items():
        if options[name] != value:
            raise BadInput(f'engine native supports only {name} {value!r}, and the model has '
                           f'{options[name]!r}; choose engine openvino or torch')


def native_weights(graph: InferenceGraph) -> NDArray[np.float32]:
    """Return the weights of an inference graph as one float32 array.

    native/enet.hpp has the order. Raise BadInput if `check_layout` does, or if a weight is NaN
    or infinite.
    """
    check_layout(graph.network)
    with torch.inference_mode():
        tensors = [tensor.float().flatten() for tensor in _tensors(graph)]
        weights: NDArray[np.float32] = torch.cat(tensors).numpy()
    if not np.isfinite(weights).all():
        raise BadInput('the model has weights that are NaN or infinite; train it again, or use '
                       'an earlier checkpoint')
    return weights


def _tensors(graph: InferenceGraph) -> Iterator[Tensor]:
    initial, *blocks, output = graph.network.stages()
    yield graph.shift
    yield graph.scale
    yield from _initial_block(initial.module)
    for block in blocks:
        yield from _block(block.module)
    yield from _output(output.module)


def _initial_block(block: nn.Module) -> Iterator[Tensor]:
    """Yield convolution, bias, factors of the pooled channels, and slopes.

    The normalization follows the concatenation of both, so that `graph` does not fold it.
    """
    conv, norm = block.get_submodule('conv'), block.get_submodule('norm')
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None and norm.running_mean is not None
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = norm.bias - norm.running_mean * factor
    bias[:-POOLED] += _bias(conv) * factor[:-POOLED]
    weight = conv.weight * factor[:-POOLED].view(-1, 1, 1, 1)
    pooled = torch.zeros(POOLED, *weight.shape[1:])
    yield _taps(torch.cat([weight, pooled]))
    yield bias
    yield torch.cat([torch.zeros(conv.out_channels), factor[-POOLED:]])
    yield _slopes(block.get_submodule('activation'), norm.num_features)


def _block(block: nn.Module) -> Iterator[Tensor]:
    """Yield projection, main convolutions and expansion of a block, and its shortcut's weights."""
    layers = list(block.get_submodule('extension').children())
    projection, *main, expansion = (
        layer for layer in layers if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)))
    activations = [layer for layer in layers if isinstance(layer, (nn.ReLU, nn.PReLU))]
    for convs, activation in (([projection], activations[0]), (main, activations[1]),
                              ([expansion], block.get_submodule('activation'))):
        for conv in convs:
            yield _taps(_out_in(conv))
        yield _bias(convs[-1])
        yield _slopes(activation, convs[-1].out_channels)
    if 'shortcut' in dict(block.named_children()):
        shortcut, *_ = block.get_submodule('shortcut').children()
        assert isinstance(shortcut, nn.Conv2d)
        yield _taps(shortcut.weight)
        yield _bias(shortcut)


def _output(conv: nn.Module) -> Iterator[Tensor]:
    """Yield the last layer, which the graph holds as a 1x1 convolution to four phases."""
    assert isinstance(conv, nn.Conv2d)
    classes = conv.out_channels // 4
    yield conv.weight.view(4, classes, conv.in_channels).transpose(1, 2)  # (phase, in, class)
    yield _bias(conv)[:classes]


def _out_in(conv: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    """Return the weights of a convolution, (out, in, ky, kx)."""
    return conv.weight.transpose(0, 1) if isinstance(conv, nn.ConvTranspose2d) else conv.weight


def _taps(weight: Tensor) -> Tensor:
    """(out, in, ky, kx) -> (ky, kx, in, out)."""
    return weight.permute(2, 3, 1, 0)


def _bias(conv: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias


def _slopes(activation: nn.Module, channels: int) -> Tensor:
    """Return the slope of each channel for negative numbers."""
    if isinstance(activation, nn.PReLU):
        return activation.weight.expand(channels)
    return torch.zeros(channels)
