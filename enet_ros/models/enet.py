"""ENet, as its authors wrote it (Paszke et al., arXiv:1606.02147, and their Lua-Torch code).

Where paper and code differ, this follows the code: the first convolution has a bias, bottlenecks
have no activation after the expansion, and the decoder uses ReLU.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enet_ros.config import check, setting
from enet_ros.errors import BadInput
from enet_ros.models.network import Encoded, Network, Stage, pad_to_multiple
from enet_ros.models.pooling import Pool2x2, Unpool2x2

Activation = Callable[[int], nn.Module]  # number of channels -> layer

# 'shared_prelu' has one slope for all channels.
ACTIVATIONS: dict[str, Activation] = {
    'relu': lambda channels: nn.ReLU(),
    'prelu': nn.PReLU,
    'shared_prelu': lambda channels: nn.PReLU(),
}


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
    encoder_activation: str = setting('prelu', 'activation in the encoder',
                                      choices=tuple(ACTIVATIONS))
    decoder_activation: str = setting('relu', 'activation in the decoder',
                                      choices=tuple(ACTIVATIONS))
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

    def norm(self, channels: int) -> nn.BatchNorm2d:
        """Return a batch normalization layer."""
        return nn.BatchNorm2d(channels, eps=self.norm_epsilon)


AUTHORS = ENetLayout()


def _extension(layout: ENetLayout, activation: Activation, projection: nn.Conv2d,
               main: list[nn.Module], expansion: nn.Conv2d, dropout: float,
               activate_expansion: bool) -> nn.Sequential:
    """Return the branch of a block that runs beside its shortcut.

    `main` are the layers between the 1x1 projection and the 1x1 expansion.
    """
    inner, channels = projection.out_channels, expansion.out_channels
    layers = [projection, layout.norm(inner), activation(inner),
              *main, layout.norm(inner), activation(inner),
              expansion, layout.norm(channels)]
    if activate_expansion:
        layers.append(activation(channels))
    return nn.Sequential(*layers, nn.Dropout2d(dropout))


def _upsampling_conv(channels_in: int, channels_out: int, kernel: int,
                     bias: bool) -> nn.ConvTranspose2d:
    """Return a transposed convolution with kernel size 2 or 3 that doubles height and width."""
    padding = kernel - 2
    return nn.ConvTranspose2d(channels_in, channels_out, kernel, stride=2, padding=padding,
                              output_padding=padding, bias=bias)


class InitialBlock(nn.Module):
    """A convolution beside a max pooling: (N, 3, H, W) -> (N, 16, H/2, W/2)."""

    def __init__(self, layout: ENetLayout) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 13, 3, stride=2, padding=1, bias=layout.biases)
        self.pool = nn.MaxPool2d(layout.initial_pool, stride=2, padding=layout.initial_pool - 2)
        self.norm = layout.norm(16)
        self.activation = ACTIVATIONS[layout.encoder_activation](16)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(torch.cat([self.conv(x), self.pool(x)], 1)))


class Bottleneck(nn.Module):
    """Projection, convolution and expansion, added to the input: (N, C, H, W) -> (N, C, H, W).

    dilation: of the 3x3 convolution. asymmetric: kernel size of a pair of convolutions, n x 1 and
    1 x n, in place of the 3x3 convolution; 0 for none.
    """

    def __init__(self, layout: ENetLayout, channels: int, activation: Activation, dropout: float,
                 dilation: int = 1, asymmetric: int = 0) -> None:
        super().__init__()
        inner = channels // 4
        main: list[nn.Module] = []
        if asymmetric:
            half = asymmetric // 2
            self.kind = f'asymmetric {asymmetric}'
            main.append(nn.Conv2d(inner, inner, (asymmetric, 1), padding=(half, 0), bias=False))
            if layout.pair_activation:
                main += [layout.norm(inner), activation(inner)]
            main.append(nn.Conv2d(inner, inner, (1, asymmetric), padding=(0, half),
                                  bias=layout.biases))
        else:
            self.kind = f'dilated {dilation}' if dilation > 1 else ''
            main.append(nn.Conv2d(inner, inner, 3, padding=dilation, dilation=dilation,
                                  bias=layout.biases))
        self.extension = _extension(
            layout, activation, nn.Conv2d(channels, inner, 1, bias=False), main,
            nn.Conv2d(inner, channels, 1, bias=False), dropout, layout.expansion_activation)
        self.activation = activation(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.extension(x))


class Downsampling(nn.Module):
    """Halve the resolution: (N, in, 2H, 2W) -> (N, out, H, W) and the pooling positions."""

    def __init__(self, layout: ENetLayout, channels_in: int, channels_out: int,
                 dropout: float) -> None:
        super().__init__()
        activation = ACTIVATIONS[layout.encoder_activation]
        inner = (channels_in if layout.quarter_of == 'input' else channels_out) // 4
        self.extension = _extension(
            layout, activation,
            nn.Conv2d(channels_in, inner, 2, stride=2, bias=False),
            [nn.Conv2d(inner, inner, 3, padding=1, bias=layout.biases)],
            nn.Conv2d(inner, channels_out, 1, bias=False), dropout, layout.expansion_activation)
        self.activation = activation(channels_out)
        self.pool = Pool2x2()
        self.padding = channels_out - channels_in

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shortcut, positions = self.pool(x)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.padding))  # zero channels at the end
        return self.activation(shortcut + self.extension(x)), positions


class Upsampling(nn.Module):
    """Double the resolution: (N, in, H, W) and the pooling positions -> (N, out, 2H, 2W)."""

    def __init__(self, layout: ENetLayout, channels_in: int, channels_out: int) -> None:
        super().__init__()
        activation = ACTIVATIONS[layout.decoder_activation]
        inner = (channels_in if layout.quarter_of == 'input' else channels_out) // 4
        self.extension = _extension(
            layout, activation,
            nn.Conv2d(channels_in, inner, 1, bias=False),
            [_upsampling_conv(inner, inner, layout.upsampling_kernel, layout.biases)],
            nn.Conv2d(inner, channels_out, 1, bias=False), layout.decoder_dropout,
            activate_expansion=False)
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), layout.norm(channels_out))
        self.activation = activation(channels_out)
        self.unpool = Unpool2x2()

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self.activation(self.unpool(self.shortcut(x), positions) + self.extension(x))


class ENet(Network):
    """ENet: normalized RGB images (N, 3, H, W) of any size -> logits (N, classes, H, W)."""

    stride = 8
    encoder_features = 128

    def __init__(self, classes: int, layout: ENetLayout = AUTHORS) -> None:
        super().__init__()
        self.layout = layout
        encoder = ACTIVATIONS[layout.encoder_activation]
        decoder = ACTIVATIONS[layout.decoder_activation]

        def context_stage() -> nn.Sequential:
            """Return the eight bottlenecks of section 2 or 3, which widen the field of view."""
            return nn.Sequential(
                Bottleneck(layout, 128, encoder, dropout=0.1),
                Bottleneck(layout, 128, encoder, dropout=0.1, dilation=2),
                Bottleneck(layout, 128, encoder, dropout=0.1, asymmetric=5),
                Bottleneck(layout, 128, encoder, dropout=0.1, dilation=4),
                Bottleneck(layout, 128, encoder, dropout=0.1),
                Bottleneck(layout, 128, encoder, dropout=0.1, dilation=8),
                Bottleneck(layout, 128, encoder, dropout=0.1, asymmetric=5),
                Bottleneck(layout, 128, encoder, dropout=0.1, dilation=16))

        def decoder_bottleneck(channels: int) -> Bottleneck:
            return Bottleneck(layout, channels, decoder, layout.decoder_dropout)

        self.initial = InitialBlock(layout)
        self.down1 = Downsampling(layout, 16, 64, dropout=0.01)
        self.stage1 = nn.Sequential(*(
            Bottleneck(layout, 64, encoder, dropout=0.01) for _ in range(4)))
        self.down2 = Downsampling(layout, 64, 128, dropout=0.1)
        self.stage2 = context_stage()
        self.stage3 = context_stage()
        self.up4 = Upsampling(layout, 128, 64)
        self.stage4 = nn.Sequential(decoder_bottleneck(64), decoder_bottleneck(64))
        self.up5 = Upsampling(layout, 64, 16)
        self.stage5 = decoder_bottleneck(16)
        self.output = _upsampling_conv(16, classes, layout.output_kernel, layout.biases)

    def encode(self, image: Tensor) -> Encoded:
        x = self.initial(pad_to_multiple(image, self.stride))  # (N, 16, H/2, W/2)
        x, positions1 = self.down1(x)                          # (N, 64, H/4, W/4)
        x = self.stage1(x)
        x, positions2 = self.down2(x)                          # (N, 128, H/8, W/8)
        x = self.stage3(self.stage2(x))
        height, width = image.shape[2:]
        return Encoded(x, (height, width), (positions1, positions2))

    def decode(self, encoded: Encoded) -> Tensor:
        positions1, positions2 = encoded.pooling_positions
        x = self.up4(encoded.features, positions2)  # (N, 64, H/4, W/4)
        x = self.stage4(x)
        x = self.up5(x, positions1)                 # (N, 16, H/2, W/2)
        x = self.stage5(x)
        return self.output(x)                       # (N, classes, H, W)

    def stages(self) -> Iterator[Stage]:
        """Yield the stages under the paper's names (Table 1)."""
        yield Stage('initial', '', self.initial)
        yield Stage('bottleneck1.0', 'downsampling', self.down1)
        yield from _numbered('bottleneck1', self.stage1)
        yield Stage('bottleneck2.0', 'downsampling', self.down2)
        yield from _numbered('bottleneck2', self.stage2)
        yield from _numbered('bottleneck3', self.stage3)
        yield Stage('bottleneck4.0', 'upsampling', self.up4)
        yield from _numbered('bottleneck4', self.stage4)
        yield Stage('bottleneck5.0', 'upsampling', self.up5)
        yield Stage('bottleneck5.1', '', self.stage5)
        yield Stage('fullconv', '', self.output)


def _numbered(section: str, bottlenecks: nn.Sequential) -> Iterator[Stage]:
    """Yield the bottlenecks of a section, numbered from 1."""
    for number, bottleneck in enumerate(bottlenecks, start=1):
        assert isinstance(bottleneck, Bottleneck)
        yield Stage(f'{section}.{number}', bottleneck.kind, bottleneck)
