"""ENet, as its authors wrote it (arXiv:1606.02147 and their Lua-Torch code).

Where paper and code differ the code is followed: the initial block's convolution has a bias,
bottlenecks have no activation after the expansion, and the decoder uses ReLU.
"""

from dataclasses import dataclass, fields

import torch
from torch import nn
from torch.nn import functional as F

from enet_ros.config import check, setting
from enet_ros.errors import BadInput
from enet_ros.models.pooling import Pool2x2, Unpool2x2

# Made for a number of channels; a shared PReLU has one slope for all of them.
ACTIVATIONS = {
    'relu': lambda channels: nn.ReLU(),
    'prelu': nn.PReLU,
    'shared_prelu': lambda channels: nn.PReLU(),
}


@dataclass(frozen=True)
class ENetLayout:
    """Where networks called ENet differ. The defaults are the authors' network."""

    initial_pool: int = setting(2, "window of the initial block's pooling", minimum=2, maximum=3)
    quarter_of: str = setting('output', 'down- and up-sampling blocks are inside a quarter as '
                              'wide as this end', choices=('input', 'output'))
    biases: bool = setting(True, 'the initial, main and output convolutions have biases')
    pair_activation: bool = setting(
        False, 'normalisation and activation between the convolutions of an asymmetric pair')
    expansion_activation: bool = setting(
        False, 'activation after the expansion, but not in up-sampling blocks')
    encoder_activation: str = setting('prelu', 'of all blocks before the up-sampling',
                                      choices=tuple(ACTIVATIONS))
    decoder_activation: str = setting('relu', 'of the other blocks', choices=tuple(ACTIVATIONS))
    norm_epsilon: float = setting(1e-3, 'added to the variance by normalisations',
                                  minimum=1e-12, maximum=1.0)
    upsampling_kernel: int = setting(3, 'of transposed convolutions in blocks',
                                     minimum=2, maximum=3)
    output_kernel: int = setting(2, 'of the last transposed convolution', minimum=2, maximum=3)
    decoder_dropout: float = setting(0.0, 'share of channels dropped in the decoder',
                                     minimum=0.0, maximum=0.9)

    def __post_init__(self):
        for item in fields(self):
            value = getattr(self, item.name)
            if type(value) is not item.type:
                raise BadInput(f'{item.name} is {value!r}; it must be of type '
                               f'{item.type.__name__}')
        check(self)

    def norm(self, channels):
        """Return a normalisation layer."""
        return nn.BatchNorm2d(channels, eps=self.norm_epsilon, momentum=0.1)


AUTHORS = ENetLayout()


def _extension(layout, activation, project, main, expand, dropout, activate_last=False):
    """Chain what a block adds to its shortcut: project, convolve, expand, drop channels."""
    mid, channels = project.out_channels, expand.out_channels
    return nn.Sequential(
        project, layout.norm(mid), activation(mid),
        *main, layout.norm(mid), activation(mid),
        expand, layout.norm(channels), *([activation(channels)] if activate_last else []),
        nn.Dropout2d(dropout))


def _doubling(channels_in, channels_out, kernel, bias):
    """Return a transposed convolution that doubles height and width; kernel 2 or 3."""
    beyond = kernel - 2
    return nn.ConvTranspose2d(channels_in, channels_out, kernel, stride=2, padding=beyond,
                              output_padding=beyond, bias=bias)


class InitialBlock(nn.Module):
    """Convolve and max-pool the image side by side: (N, 3, H, W) -> (N, 16, H/2, W/2)."""

    def __init__(self, layout):
        super().__init__()
        self.conv = nn.Conv2d(3, 13, 3, stride=2, padding=1, bias=layout.biases)
        self.pool = nn.MaxPool2d(layout.initial_pool, stride=2, padding=layout.initial_pool - 2)
        self.norm = layout.norm(16)
        self.activation = ACTIVATIONS[layout.encoder_activation](16)

    def forward(self, x):
        return self.activation(self.norm(torch.cat([self.conv(x), self.pool(x)], 1)))


class Bottleneck(nn.Module):
    """Project, convolve, expand, and add the input: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, layout, channels, activation, dropout, dilation=1, asymmetric=0):
        super().__init__()
        mid = channels // 4
        if asymmetric:
            half = asymmetric // 2
            between = [layout.norm(mid), activation(mid)] if layout.pair_activation else []
            main = [nn.Conv2d(mid, mid, (asymmetric, 1), padding=(half, 0), bias=False), *between,
                    nn.Conv2d(mid, mid, (1, asymmetric), padding=(0, half), bias=layout.biases)]
        else:
            main = [nn.Conv2d(mid, mid, 3, padding=dilation, dilation=dilation,
                              bias=layout.biases)]
        self.extension = _extension(
            layout, activation, nn.Conv2d(channels, mid, 1, bias=False), main,
            nn.Conv2d(mid, channels, 1, bias=False), dropout, layout.expansion_activation)
        self.activation = activation(channels)

    def forward(self, x):
        return self.activation(x + self.extension(x))


class Downsampling(nn.Module):
    """Halve the resolution: (N, in, 2H, 2W) -> (N, out, H, W) and the pooling's positions."""

    def __init__(self, layout, channels_in, channels_out, dropout):
        super().__init__()
        activation = ACTIVATIONS[layout.encoder_activation]
        mid = (channels_in if layout.quarter_of == 'input' else channels_out) // 4
        self.extension = _extension(
            layout, activation,
            nn.Conv2d(channels_in, mid, 2, stride=2, bias=False),
            [nn.Conv2d(mid, mid, 3, padding=1, bias=layout.biases)],
            nn.Conv2d(mid, channels_out, 1, bias=False), dropout, layout.expansion_activation)
        self.activation = activation(channels_out)
        self.pool = Pool2x2()
        self.padding = channels_out - channels_in

    def forward(self, x):
        shortcut, position = self.pool(x)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.padding))  # zero channels at the end
        return self.activation(shortcut + self.extension(x)), position


class Upsampling(nn.Module):
    """Double the resolution: (N, in, H, W) and the encoder's positions -> (N, out, 2H, 2W)."""

    def __init__(self, layout, channels_in, channels_out):
        super().__init__()
        activation = ACTIVATIONS[layout.decoder_activation]
        mid = (channels_in if layout.quarter_of == 'input' else channels_out) // 4
        self.extension = _extension(
            layout, activation,
            nn.Conv2d(channels_in, mid, 1, bias=False),
            [_doubling(mid, mid, layout.upsampling_kernel, layout.biases)],
            nn.Conv2d(mid, channels_out, 1, bias=False), layout.decoder_dropout)
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), layout.norm(channels_out))
        self.activation = activation(channels_out)
        self.unpool = Unpool2x2()

    def forward(self, x, position):
        return self.activation(self.unpool(self.shortcut(x), position) + self.extension(x))


class ENet(nn.Module):
    """The network: normalised RGB images (N, 3, H, W) -> logits (N, classes, H, W).

    Any H and W: inside, the image is padded to multiples of 8 at the right and the bottom by
    repeating its border, and the logits are cropped back.
    """

    STRIDE = 8  # the encoder's total down-sampling

    def __init__(self, classes, layout=AUTHORS):
        super().__init__()
        encoder, decoder = (ACTIVATIONS[kind] for kind in (layout.encoder_activation,
                                                           layout.decoder_activation))

        def context_stage():
            """Return the eight bottlenecks that widen the field of view, one stage's worth."""
            return nn.Sequential(*(
                Bottleneck(layout, 128, encoder, dropout=0.1, **kind) for kind in (
                    {}, {'dilation': 2}, {'asymmetric': 5}, {'dilation': 4},
                    {}, {'dilation': 8}, {'asymmetric': 5}, {'dilation': 16})))

        def decoder_bottleneck(channels):
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
        self.output = _doubling(16, classes, layout.output_kernel, layout.biases)

    def forward(self, image):
        height, width = image.shape[2:]
        return self.decode(*self.encode(image))[:, :, :height, :width]

    def encode(self, image):
        """Return features (N, 128, H/8, W/8), H and W rounded up, and the poolings' positions."""
        height, width = image.shape[2:]
        right, below = -width % self.STRIDE, -height % self.STRIDE
        if right or below:
            image = F.pad(image, (0, right, 0, below), mode='replicate')
        x = self.initial(image)                # (N, 16, H/2, W/2)
        x, position1 = self.down1(x)           # (N, 64, H/4, W/4)
        x = self.stage1(x)
        x, position2 = self.down2(x)           # (N, 128, H/8, W/8)
        return self.stage3(self.stage2(x)), (position1, position2)

    def decode(self, x, positions):
        """Return logits of the padded image from what `encode` returned."""
        position1, position2 = positions
        x = self.stage4(self.up4(x, position2))  # (N, 64, H/4, W/4)
        x = self.stage5(self.up5(x, position1))  # (N, 16, H/2, W/2)
        return self.output(x)                    # (N, classes, H, W)
