"""The weights of a network in the order in which the native engine reads them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.enet_layers import IMAGE_CHANNELS, Block, ENetLayers, InitialBlock
from enet_ros.models.layers import Activation, Conv, Norm
from enet_ros.models.stored_network import StoredNetwork
from enet_ros.packages import torch_is_installed

# The options of a network's layout that the native engine depends on, with the values it supports.
LAYOUT = {'initial_pool': 2, 'quarter_of': 'output', 'pair_activation': False,
          'expansion_activation': False, 'decoder_activation': 'relu', 'upsampling_kernel': 3,
          'output_kernel': 2}
POOLED = IMAGE_CHANNELS  # channels of the initial block that come from max pooling

Array = NDArray[np.float64]


def supported_layers(network: StoredNetwork) -> ENetLayers:
    """Return the layers of a network; raise BadInput if the native engine does not support it."""
    remedy = ('choose engine openvino or torch' if torch_is_installed() else
              'pip install torch, which all other engines need for checkpoints')
    layers = network.layers
    if layers is None:
        raise BadInput(f'engine native does not support {network.title}; {remedy}, or use '
                       'a model with the architecture enet')
    for name, value in LAYOUT.items():
        found = getattr(layers.layout, name)
        if found != value:
            raise BadInput(f'engine native supports only {name} {value!r}, and the model has '
                           f'{found!r}; {remedy}')
    network.require_shapes(layers.shapes())
    return layers


def native_weights(network: StoredNetwork, spec: ModelSpec) -> NDArray[np.float32]:
    """Return normalization and weights as one array, batch normalizations folded in float64.

    native/enet.hpp has the order. Raise BadInput if `supported_layers` does, or if a weight is
    NaN or infinite.
    """
    layers = supported_layers(network)
    with np.errstate(all='ignore'):
        parts = [np.ravel(part) for part in _parts(layers, _Weights(network), spec)]
        weights = np.concatenate(parts).astype(np.float32)
    if not np.isfinite(weights).all():
        raise BadInput('the model has weights that are NaN or infinite; train it again, or use '
                       'an earlier checkpoint')
    return weights


class _Affine(NamedTuple):
    """A batch normalization as the factor and the term of each channel, (channels,)."""

    factor: Array
    term: Array


class _Weights:
    """The weights of a network in float64."""

    def __init__(self, network: StoredNetwork) -> None:
        self._arrays = network.weights

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name].astype(np.float64)

    def taps(self, name: str, conv: Conv) -> Array:
        """Return the weights of a convolution, (ky, kx, in, out)."""
        axes = (2, 3, 0, 1) if conv.transposed else (2, 3, 1, 0)
        return self[f'{name}.weight'].transpose(axes)

    def bias(self, name: str, conv: Conv) -> Array:
        return self[f'{name}.bias'] if conv.bias else np.zeros(conv.outputs)

    def affine(self, name: str, norm: Norm) -> _Affine:
        factor = self[f'{name}.weight'] / np.sqrt(self[f'{name}.running_var'] + norm.epsilon)
        return _Affine(factor, self[f'{name}.bias'] - self[f'{name}.running_mean'] * factor)

    def slopes(self, name: str, activation: Activation) -> Array:
        """Return the slope of each channel for negative numbers."""
        if activation.kind == 'relu':
            return np.zeros(activation.channels)
        return np.broadcast_to(self[f'{name}.weight'], activation.channels)


def _parts(layers: ENetLayers, weights: _Weights, spec: ModelSpec) -> Iterator[NDArray[Any]]:
    # In bytes: (byte / 255 - mean) / std = (byte - shift) * scale.
    yield 255 * np.array(spec.mean)
    yield 1 / (255 * np.array(spec.std))
    yield from _initial_block(layers.initial, weights)
    for block in layers.blocks:
        yield from _block(block, weights)
    yield from _output(layers.output, weights)


def _initial_block(block: InitialBlock, weights: _Weights) -> Iterator[Array]:
    """Yield convolution, bias, factors of the pooled channels, and slopes.

    The normalization follows the concatenation of both.
    """
    norm = weights.affine('initial.norm', block.norm)
    taps = weights.taps('initial.conv', block.conv) * norm.factor[:-POOLED]
    bias = norm.term.copy()
    bias[:-POOLED] += weights.bias('initial.conv', block.conv) * norm.factor[:-POOLED]
    yield np.concatenate([taps, np.zeros((*taps.shape[:3], POOLED))], axis=3)
    yield bias
    yield np.concatenate([np.zeros(block.conv.outputs), norm.factor[-POOLED:]])
    yield weights.slopes('initial.activation', block.activation)


def _block(block: Block, weights: _Weights) -> Iterator[Array]:
    """Yield projection, main convolutions and expansion of a block, and its shortcut's weights."""
    named = [(f'{block.name}.extension.{index}', layer)
             for index, layer in enumerate(block.extension)]
    activations = iter([*((name, layer) for name, layer in named if isinstance(layer, Activation)),
                        (f'{block.name}.activation', block.activation)])
    for (name, conv), (next_name, following) in zip(named, named[1:]):
        if not isinstance(conv, Conv):
            continue
        if isinstance(following, Norm):
            yield from _folded(weights, name, conv, next_name, following)
            yield weights.slopes(*next(activations))
        else:  # the first one of an asymmetric pair has neither bias nor normalization
            yield weights.taps(name, conv)
    if block.shortcut:
        conv, norm = block.shortcut
        assert isinstance(conv, Conv) and isinstance(norm, Norm)
        yield from _folded(weights, f'{block.name}.shortcut.0', conv, f'{block.name}.shortcut.1',
                           norm)


def _folded(weights: _Weights, conv_name: str, conv: Conv, norm_name: str, norm: Norm
            ) -> Iterator[Array]:
    """Yield the weights and the bias of a convolution that a normalization follows."""
    affine = weights.affine(norm_name, norm)
    yield weights.taps(conv_name, conv) * affine.factor
    yield weights.bias(conv_name, conv) * affine.factor + affine.term


def _output(conv: Conv, weights: _Weights) -> Iterator[Array]:
    """Yield the last layer, (ky, kx, in, class), and its bias."""
    yield weights.taps('output', conv)
    yield weights.bias('output', conv)
