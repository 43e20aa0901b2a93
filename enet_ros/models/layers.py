"""Layers of networks as plain data, which programs with and without PyTorch read."""

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]

# 'shared_prelu' has one slope for all channels.
ACTIVATIONS = 'relu', 'prelu', 'shared_prelu'


@dataclass(frozen=True)
class Conv:
    """A convolution with the same stride and dilation on both axes.

    kernel, padding: (vertical, horizontal). transposed: a transposed convolution, whose output
    padding is its padding.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    bias: bool = False
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    transposed: bool = False

    def shapes(self) -> dict[str, Shape]:
        channels = (self.inputs, self.outputs) if self.transposed else (self.outputs, self.inputs)
        return {'weight': (*channels, *self.kernel),
                **({'bias': (self.outputs,)} if self.bias else {})}


@dataclass(frozen=True)
class Norm:
    """A batch normalization."""

    channels: int
    epsilon: float

    def shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(('weight', 'bias', 'running_mean', 'running_var'), (self.channels,))


@dataclass(frozen=True)
class Activation:
    """An activation, one of ACTIVATIONS."""

    kind: str
    channels: int

    def shapes(self) -> dict[str, Shape]:
        slopes = {'relu': 0, 'prelu': self.channels, 'shared_prelu': 1}[self.kind]
        return {'weight': (slopes,)} if slopes else {}


@dataclass(frozen=True)
class Dropout:
    """Dropout of whole channels, with a probability."""

    probability: float

    def shapes(self) -> dict[str, Shape]:
        return {}


# `shapes` returns the shapes of the arrays that a checkpoint holds of the layer, by their names.
Layer = Conv | Norm | Activation | Dropout


def shape_differences(shapes: Mapping[str, Shape], expected: Mapping[str, Shape]) -> list[str]:
    """Return a message for each array that only one side has, or whose shapes differ."""
    messages = [f'{name} is missing' for name in expected if name not in shapes]
    messages += [f'{name} is not part of this network'
                 for name in shapes if name not in expected]
    messages += [f'{name} is {shapes[name]}, not {shape}' for name, shape in expected.items()
                 if name in shapes and shapes[name] != shape]
    return messages
