"""ENet, as its authors wrote it (arXiv:1606.02147 and their Lua-Torch code).

Where paper and code differ the code is followed: the initial block's convolution has a bias,
bottlenecks have no activation after the expansion, and the decoder uses ReLU.
"""

import torch
from torch import nn
from torch.nn import functional as F

STRIDE = 8  # the encoder's total down-sampling


def pool_2x2(x):
    """Max-pool 2x2 windows with stride 2 and say where each maximum stood.

    x (N, C, 2H, 2W) -> pooled (N, C, H, W) and position (N, C, H, W) int8, which counts 0 to 3
    in reading order. Of tied values the first counts, as in torch.nn.functional.max_pool2d.
    """
    n, channels, height, width = x.shape
    # Channels last, so that compiled code runs along the channels and not over strided columns.
    windows = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, channels)
    top_left, top_right = windows[:, :, 0, :, 0], windows[:, :, 0, :, 1]
    low_left, low_right = windows[:, :, 1, :, 0], windows[:, :, 1, :, 1]
    top = torch.maximum(top_left, top_right)
    low = torch.maximum(low_left, low_right)
    position = torch.where(top >= low, (top_right > top_left).to(torch.int8),
                           (low_right > low_left).to(torch.int8) + 2)
    return torch.maximum(top, low).permute(0, 3, 1, 2), position.permute(0, 3, 1, 2)


def unpool_2x2(x, position):
    """Put each value back where `pool_2x2` found the maximum; zeros elsewhere.

    x, position (N, C, H, W) -> (N, C, 2H, 2W). Equal to torch.nn.functional.max_unpool2d, ties
    included, but built of operators that every runtime has: each output pixel compares its own
    place in the window with the position kept for that window.
    """
    n, channels, height, width = x.shape
    place = torch.arange(4, dtype=torch.int8, device=x.device).view(2, 1, 2, 1)
    x, position = (t.permute(0, 2, 3, 1)[:, :, None, :, None] for t in (x, position))
    windows = torch.where(position == place, x, 0.0)  # (N, H, 2, W, 2, C)
    return windows.reshape(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def _norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)


def _prelu(channels):
    return nn.PReLU(channels)


def _relu(_channels):
    return nn.ReLU()


class InitialBlock(nn.Module):
    """Convolve and max-pool the image side by side: (N, 3, H, W) -> (N, 16, H/2, W/2)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 13, 3, stride=2, padding=1)
        self.norm = _norm(16)
        self.activation = _prelu(16)

    def forward(self, x):
        return self.activation(self.norm(torch.cat([self.conv(x), F.max_pool2d(x, 2)], 1)))


class Bottleneck(nn.Module):
    """Project, convolve, expand, and add the input: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels, dilation=1, asymmetric=0, dropout=0.0, activation=_prelu):
        super().__init__()
        mid = channels // 4
        if asymmetric:
            half = asymmetric // 2
            main = [nn.Conv2d(mid, mid, (asymmetric, 1), padding=(half, 0), bias=False),
                    nn.Conv2d(mid, mid, (1, asymmetric), padding=(0, half))]
        else:
            main = [nn.Conv2d(mid, mid, 3, padding=dilation, dilation=dilation)]
        self.extension = nn.Sequential(
            nn.Conv2d(channels, mid, 1, bias=False), _norm(mid), activation(mid),
            *main, _norm(mid), activation(mid),
            nn.Conv2d(mid, channels, 1, bias=False), _norm(channels), nn.Dropout2d(dropout))
        self.activation = activation(channels)

    def forward(self, x):
        return self.activation(x + self.extension(x))


class Downsampling(nn.Module):
    """Halve the resolution: (N, in, 2H, 2W) -> (N, out, H, W) and the pooling's positions."""

    def __init__(self, channels_in, channels_out, dropout):
        super().__init__()
        mid = channels_out // 4
        self.extension = nn.Sequential(
            nn.Conv2d(channels_in, mid, 2, stride=2, bias=False), _norm(mid), _prelu(mid),
            nn.Conv2d(mid, mid, 3, padding=1), _norm(mid), _prelu(mid),
            nn.Conv2d(mid, channels_out, 1, bias=False), _norm(channels_out),
            nn.Dropout2d(dropout))
        self.activation = _prelu(channels_out)
        self.padding = channels_out - channels_in

    def forward(self, x):
        shortcut, position = pool_2x2(x)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.padding))  # zero channels at the end
        return self.activation(shortcut + self.extension(x)), position


class Upsampling(nn.Module):
    """Double the resolution: (N, in, H, W) and the encoder's positions -> (N, out, 2H, 2W)."""

    def __init__(self, channels_in, channels_out):
        super().__init__()
        mid = channels_out // 4
        self.extension = nn.Sequential(
            nn.Conv2d(channels_in, mid, 1, bias=False), _norm(mid), nn.ReLU(),
            nn.ConvTranspose2d(mid, mid, 3, stride=2, padding=1, output_padding=1),
            _norm(mid), nn.ReLU(),
            nn.Conv2d(mid, channels_out, 1, bias=False), _norm(channels_out))
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), _norm(channels_out))
        self.activation = nn.ReLU()

    def forward(self, x, position):
        return self.activation(unpool_2x2(self.shortcut(x), position) + self.extension(x))


def _context_stage():
    """Return the eight bottlenecks that widen the field of view, one stage's worth."""
    return nn.Sequential(*(
        Bottleneck(128, dropout=0.1, **kind) for kind in (
            {}, {'dilation': 2}, {'asymmetric': 5}, {'dilation': 4},
            {}, {'dilation': 8}, {'asymmetric': 5}, {'dilation': 16})))


class ENet(nn.Module):
    """The network: normalised RGB images (N, 3, H, W) -> logits (N, classes, H, W).

    Any H and W: inside, the image is padded to multiples of 8 at the right and the bottom by
    repeating its border, and the logits are cropped back.
    """

    def __init__(self, classes):
        super().__init__()
        self.initial = InitialBlock()
        self.down1 = Downsampling(16, 64, dropout=0.01)
        self.stage1 = nn.Sequential(*(Bottleneck(64, dropout=0.01) for _ in range(4)))
        self.down2 = Downsampling(64, 128, dropout=0.1)
        self.stage2 = _context_stage()
        self.stage3 = _context_stage()
        self.up4 = Upsampling(128, 64)
        self.stage4 = nn.Sequential(*(Bottleneck(64, activation=_relu) for _ in range(2)))
        self.up5 = Upsampling(64, 16)
        self.stage5 = Bottleneck(16, activation=_relu)
        self.output = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def forward(self, image):
        height, width = image.shape[2:]
        return self.decode(*self.encode(image))[:, :, :height, :width]

    def encode(self, image):
        """Return features (N, 128, H/8, W/8), H and W rounded up, and the poolings' positions."""
        height, width = image.shape[2:]
        x = F.pad(image, (0, -width % STRIDE, 0, -height % STRIDE), mode='replicate')
        x = self.initial(x)                    # (N, 16, H/2, W/2)
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
