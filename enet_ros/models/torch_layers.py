"""PyTorch modules of the layers in `layers`."""

from collections.abc import Iterable

from torch import nn

from enet_ros.models.layers import Activation, Conv, Dropout, Layer, Norm


def module_of(layer: Layer) -> nn.Module:
    """Return the module of a layer, with random weights."""
    if isinstance(layer, Conv):
        return conv_module(layer)
    if isinstance(layer, Norm):
        return nn.BatchNorm2d(layer.channels, eps=layer.epsilon)
    if isinstance(layer, Activation):
        return activation_module(layer)
    assert isinstance(layer, Dropout)
    return nn.Dropout2d(layer.probability)


def sequence_of(layers: Iterable[Layer]) -> nn.Sequential:
    """Return the modules of layers that follow one another."""
    return nn.Sequential(*map(module_of, layers))


def conv_module(conv: Conv) -> nn.Conv2d | nn.ConvTranspose2d:
    """Return a convolution with random weights."""
    if conv.transposed:
        return nn.ConvTranspose2d(conv.inputs, conv.outputs, conv.kernel, conv.stride,
                                  conv.padding, conv.padding, bias=conv.bias,
                                  dilation=conv.dilation)
    return nn.Conv2d(conv.inputs, conv.outputs, conv.kernel, conv.stride, conv.padding,
                     conv.dilation, bias=conv.bias)


def activation_module(activation: Activation) -> nn.Module:
    """Return an activation with its initial slopes."""
    if activation.kind == 'relu':
        return nn.ReLU()
    return nn.PReLU(activation.channels if activation.kind == 'prelu' else 1)
