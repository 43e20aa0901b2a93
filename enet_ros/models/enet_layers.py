"""The layers of ENet: the table that the PyTorch network and the native engine are made from.

ENet is as its authors wrote it (Paszke et al., arXiv:1606.02147, and their Lua-Torch code). Where
paper and code differ, this follows the code: the first convolution has a bias, bottlenecks have
no activation after the expansion, and the decoder uses ReLU.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from enet_ros.config import check, setting
from enet_ros.errors import BadInput
from enet_ros.models.layers import ACTIVATIONS, Activation, Conv, Dropout, Layer, Norm, Shape

STRIDE = 8
IMAGE_CHANNELS, INITIAL_CHANNELS = 3, 16
# Dilation and asymmetric kernel, 0 for none, of the bottlenecks of sections 2 and 3.
CONTEXT = (1, 0), (2, 0), (1, 5), (4, 0), (1, 0), (8, 0), (1, 5), (16, 0)


@dataclass(frozen=True)
class ENetLayout:
    """The layout of an ENet; implementations differ in it. The defaults are the authors'."""

    initial_pool: int = setting(2, 'window of the max pooling in the initial block',
                                minimum=2, maximum=3)
    quarter_of: str = setting('output', 'whether downsampling and upsampling blocks have a '
                              'quarter of their input or output channels inside',
                              choices=('input', 'output'))
    biases: bool = setting(True, 'biases in the initial, main and output convolutions')
    pair_activation: bool = setting(
        False, 'normalization and activation between the two asymmetric convolutions')
    expansion_activation: bool = setting(
        False, 'activation after the expansion, except in upsampling blocks')
    encoder_activation: str = setting('prelu', 'activation in the encoder', choices=ACTIVATIONS)
    decoder_activation: str = setting('relu', 'activation in the decoder', choices=ACTIVATIONS)
    norm_epsilon: float = setting(1e-3, 'epsilon of the batch normalizations',
                                  minimum=1e-12, maximum=1.0)
    upsampling_kernel: int = setting(3, 'kernel size of the transposed convolutions in blocks',
                                     minimum=2, maximum=3)
    output_kernel: int = setting(2, 'kernel size of the last transposed convolution',
                                 minimum=2, maximum=3)
    decoder_dropout: float = setting(0.0, 'dropout probability of channels in the decoder',
                                     minimum=0.0, maximum=0.9)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if type(value) is not item.type:
                expected = getattr(item.type, '__name__', item.type)
                raise BadInput(f'{item.name} is {value!r}; it must be of type {expected}')
        check(self)


AUTHORS = ENetLayout()


@dataclass(frozen=True)
class InitialBlock:
    """A convolution beside a max pooling, normalized together: (3, H, W) -> (16, H/2, W/2).

    pool: window of the pooling, whose stride is 2. The channels of the convolution come first.
    """

    conv: Conv
    pool: int
    norm: Norm
    activation: Activation


@dataclass(frozen=True)
class Block:
    """A block of ENet: an extension beside a shortcut, added and activated.

    name: of the module, before the names of its weights. title: in the paper (Table 1).
    kind: 'downsampling', 'upsampling', or what distinguishes a bottleneck, such as 'dilated 2'.
    shortcut: its layers in an upsampling block.
    """

    name: str
    title: str
    kind: str
    extension: tuple[Layer, ...]
    activation: Activation
    shortcut: tuple[Layer, ...] = ()

    @property
    def convolutions(self) -> list[Conv]:
        """Return the convolutions of the extension in order."""
        return [layer for layer in self.extension if isinstance(layer, Conv)]

    @property
    def inputs(self) -> int:
        """Return the number of input channels."""
        return self.convolutions[0].inputs

    @property
    def outputs(self) -> int:
        """Return the number of output channels."""
        return self.convolutions[-1].outputs


@dataclass(frozen=True)
class ENetLayers:
    """All layers of an ENet, in order of execution."""

    layout: ENetLayout
    initial: InitialBlock
    blocks: tuple[Block, ...]
    output: Conv

    def named(self) -> Iterator[tuple[str, Layer]]:
        """Yield the layers with the names of their modules."""
        for name in ('conv', 'norm', 'activation'):
            yield f'initial.{name}', getattr(self.initial, name)
        for block in self.blocks:
            for part, layers in (('extension', block.extension), ('shortcut', block.shortcut)):
                for index, layer in enumerate(layers):
                    yield f'{block.name}.{part}.{index}', layer
            yield f'{block.name}.activation', block.activation
        yield 'output', self.output

    def shapes(self) -> dict[str, Shape]:
        """Return the shapes of the weights in a checkpoint, by name."""
        return {f'{name}.{weight}': shape for name, layer in self.named()
                for weight, shape in layer.shapes().items()}


def enet_layers(classes: int, layout: ENetLayout = AUTHORS) -> ENetLayers:
    """Return the layers of the ENet with a number of classes and a layout."""
    make = _Layers(layout)
    blocks = [
        make.downsampling('down1', 'bottleneck1.0', INITIAL_CHANNELS, 64, dropout=0.01),
        *(make.bottleneck(f'stage1.{index}', f'bottleneck1.{index + 1}', 64, dropout=0.01)
          for index in range(4)),
        make.downsampling('down2', 'bottleneck2.0', 64, 128, dropout=0.1),
        *(make.bottleneck(f'stage{section}.{index}', f'bottleneck{section}.{index + 1}', 128, 0.1,
                          dilation, asymmetric)
          for section in (2, 3) for index, (dilation, asymmetric) in enumerate(CONTEXT)),
        make.upsampling('up4', 'bottleneck4.0', 128, 64),
        *(make.decoder_bottleneck(f'stage4.{index}', f'bottleneck4.{index + 1}', 64)
          for index in range(2)),
        make.upsampling('up5', 'bottleneck5.0', 64, INITIAL_CHANNELS),
        make.decoder_bottleneck('stage5', 'bottleneck5.1', INITIAL_CHANNELS),
    ]
    output = make.upsampling_conv(INITIAL_CHANNELS, classes, layout.output_kernel)
    return ENetLayers(layout, make.initial(), tuple(blocks), output)


class _Layers:
    """Makes the blocks of a layout."""

    def __init__(self, layout: ENetLayout) -> None:
        self.layout = layout

    def norm(self, channels: int) -> Norm:
        return Norm(channels, self.layout.norm_epsilon)

    def initial(self) -> InitialBlock:
        layout = self.layout
        conv = Conv(IMAGE_CHANNELS, INITIAL_CHANNELS - IMAGE_CHANNELS, (3, 3), layout.biases,
                    stride=2, padding=(1, 1))
        return InitialBlock(conv, layout.initial_pool, self.norm(INITIAL_CHANNELS),
                            Activation(layout.encoder_activation, INITIAL_CHANNELS))

    def bottleneck(self, name: str, title: str, channels: int, dropout: float, dilation: int = 1,
                   asymmetric: int = 0) -> Block:
        """Return a bottleneck of the encoder.

        asymmetric: kernel size n of a pair of convolutions, n x 1 and 1 x n, in place of the 3x3
        convolution.
        """
        return self._bottleneck(name, title, channels, self.layout.encoder_activation, dropout,
                                dilation, asymmetric)

    def decoder_bottleneck(self, name: str, title: str, channels: int) -> Block:
        return self._bottleneck(name, title, channels, self.layout.decoder_activation,
                                self.layout.decoder_dropout)

    def _bottleneck(self, name: str, title: str, channels: int, activation: str, dropout: float,
                    dilation: int = 1, asymmetric: int = 0) -> Block:
        layout, inner = self.layout, channels // 4
        main: list[Layer] = []
        if asymmetric:
            half = asymmetric // 2
            main.append(Conv(inner, inner, (asymmetric, 1), padding=(half, 0)))
            if layout.pair_activation:
                main += [self.norm(inner), Activation(activation, inner)]
            main.append(Conv(inner, inner, (1, asymmetric), layout.biases, padding=(0, half)))
            kind = f'asymmetric {asymmetric}'
        else:
            main.append(Conv(inner, inner, (3, 3), layout.biases, padding=(dilation, dilation),
                             dilation=dilation))
            kind = f'dilated {dilation}' if dilation > 1 else ''
        return Block(name, title, kind,
                     self._extension(Conv(channels, inner), main, channels, activation, dropout,
                                     layout.expansion_activation),
                     Activation(activation, channels))

    def downsampling(self, name: str, title: str, inputs: int, outputs: int,
                     dropout: float) -> Block:
        """Return a block that halves the resolution."""
        layout, inner = self.layout, self._inner(inputs, outputs)
        main = Conv(inner, inner, (3, 3), layout.biases, padding=(1, 1))
        return Block(name, title, 'downsampling',
                     self._extension(Conv(inputs, inner, (2, 2), stride=2), [main], outputs,
                                     layout.encoder_activation, dropout,
                                     layout.expansion_activation),
                     Activation(layout.encoder_activation, outputs))

    def upsampling(self, name: str, title: str, inputs: int, outputs: int) -> Block:
        """Return a block that doubles the resolution."""
        layout, inner = self.layout, self._inner(inputs, outputs)
        main = self.upsampling_conv(inner, inner, layout.upsampling_kernel)
        return Block(name, title, 'upsampling',
                     self._extension(Conv(inputs, inner), [main], outputs,
                                     layout.decoder_activation, layout.decoder_dropout,
                                     activate_expansion=False),
                     Activation(layout.decoder_activation, outputs),
                     (Conv(inputs, outputs), self.norm(outputs)))

    def upsampling_conv(self, inputs: int, outputs: int, kernel: int) -> Conv:
        """Return a transposed convolution with kernel size 2 or 3 that doubles the resolution."""
        return Conv(inputs, outputs, (kernel, kernel), self.layout.biases, stride=2,
                    padding=(kernel - 2, kernel - 2), transposed=True)

    def _inner(self, inputs: int, outputs: int) -> int:
        return (inputs if self.layout.quarter_of == 'input' else outputs) // 4

    def _extension(self, projection: Conv, main: list[Layer], outputs: int, activation: str,
                   dropout: float, activate_expansion: bool) -> tuple[Layer, ...]:
        """Return the layers beside the shortcut; `main` are between projection and expansion."""
        inner = projection.outputs
        between: list[Layer] = [self.norm(inner), Activation(activation, inner)]
        end: list[Layer] = [Activation(activation, outputs)] if activate_expansion else []
        return (projection, *between, *main, *between, Conv(inner, outputs), self.norm(outputs),
                *end, Dropout(dropout))
