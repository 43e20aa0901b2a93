"""ERFNet (Romera et al., IEEE T-ITS 2018), in the layout of its authors' PyTorch code.

Slower and more accurate than ENet: residual blocks of 1-D convolutions on the full number of
channels, and a decoder that upsamples by transposed convolutions alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from enet_ros.models.network import Encoded, Network, Stage, pad_to_multiple

DILATIONS = (2, 4, 8, 16) * 2  # of the blocks at 1/8 of the resolution


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Downsampling(nn.Module):
    """Convolve and max-pool side by side: (N, C, H, W) -> (N, D, H/2, W/2)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out - channels_in, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.norm = _norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(torch.cat([self.conv(x), self.pool(x)], 1)))


class NonBottleneck1d(nn.Module):
    """Add two pairs of 3x1 and 1x3 convolutions to the input: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels: int, dropout: float = 0.0, dilation: int = 1) -> None:
        super().__init__()
        self.dilation = dilation
        self.residual = nn.Sequential(
            *self._pair(channels, 1), nn.ReLU(), *self._pair(channels, dilation),
            nn.Dropout2d(dropout))

    @staticmethod
    def _pair(channels: int, dilation: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)),
            nn.ReLU(),
            nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation)),
            _norm(channels)]

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.residual(x))


def _upsampling(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return layers that double the resolution: (N, C, H, W) -> (N, D, 2H, 2W)."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1),
        _norm(channels_out), nn.ReLU())


class ERFNet(Network):
    """ERFNet for images of any size, padded to multiples of 8 like ENet."""

    stride = 8
    encoder_features = 128

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.down1 = Downsampling(3, 16)
        self.down2 = Downsampling(16, 64)
        self.stage2 = nn.Sequential(*(NonBottleneck1d(64, dropout=0.03) for _ in range(5)))
        self.down3 = Downsampling(64, 128)
        self.stage3 = nn.Sequential(*(NonBottleneck1d(128, dropout=0.3, dilation=dilation)
                                      for dilation in DILATIONS))
        self.up4 = _upsampling(128, 64)
        self.stage4 = nn.Sequential(NonBottleneck1d(64), NonBottleneck1d(64))
        self.up5 = _upsampling(64, 16)
        self.stage5 = nn.Sequential(NonBottleneck1d(16), NonBottleneck1d(16))
        self.output = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def encode(self, image: Tensor) -> Encoded:
        x = self.down1(pad_to_multiple(image, self.stride))  # (N, 16, H/2, W/2)
        x = self.stage2(self.down2(x))                       # (N, 64, H/4, W/4)
        x = self.stage3(self.down3(x))                       # (N, 128, H/8, W/8)
        height, width = image.shape[2:]
        return Encoded(x, (height, width))

    def decode(self, encoded: Encoded) -> Tensor:
        x = self.stage4(self.up4(encoded.features))  # (N, 64, H/4, W/4)
        x = self.stage5(self.up5(x))                 # (N, 16, H/2, W/2)
        return self.output(x)                        # (N, classes, H, W)

    def stages(self) -> Iterator[Stage]:
        """Yield the 23 layers in order, numbered as in the paper (Table I)."""
        layers = [(layer, kind) for group, kind in (
            (self.down1, 'downsampling'), (self.down2, 'downsampling'), (self.stage2, ''),
            (self.down3, 'downsampling'), (self.stage3, ''), (self.up4, 'upsampling'),
            (self.stage4, ''), (self.up5, 'upsampling'), (self.stage5, ''),
            (self.output, 'upsampling'))
            for layer in ([group] if kind else group.children())]
        for number, (layer, kind) in enumerate(layers, start=1):
            if isinstance(layer, NonBottleneck1d):
                kind = f'dilated {layer.dilation}' if layer.dilation > 1 else ''
            yield Stage(f'layer{number}', kind, layer)
