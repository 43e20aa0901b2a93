"""SegNet, the baseline of the ENet paper (Badrinarayanan et al., arXiv:1511.00561).

The 13 convolutions of VGG-16 and their mirror image, each followed by a normalisation and ReLU;
on the way up, values go back to where the poolings found the maxima.
"""

from torch import nn
from torch.nn import functional as F

from enet_ros.models.pooling import Pool2x2, Unpool2x2

# Channels after each convolution; the decoder's last stage ends with the classes instead.
ENCODER = (64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)
DECODER = (512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,)


class SegNet(nn.Module):
    """The network: normalised RGB images (N, 3, H, W) -> logits (N, classes, H, W).

    Any H and W of at least 32. Where a pooling meets an odd height or width, the last row or
    column is left out, and is zero again after the unpooling.
    """

    STRIDE = 32  # the encoder's total down-sampling

    def __init__(self, classes):
        super().__init__()
        self.encoder, channels = _stages(ENCODER, 3)
        self.decoder, channels = _stages(DECODER, channels)
        self.output = nn.Conv2d(channels, classes, 3, padding=1)
        self.pool, self.unpool = Pool2x2(), Unpool2x2()

    def forward(self, image):
        return self.decode(*self.encode(image))

    def encode(self, image):
        """Return features (N, 512, H/32, W/32), rounded down, and the poolings' positions.

        With each pooling's positions goes the size (height, width) that it started from.
        """
        x, poolings = image, []
        for stage in self.encoder:
            x = stage(x)
            height, width = x.shape[2:]
            x, position = self.pool(x[:, :, :height // 2 * 2, :width // 2 * 2])
            poolings.append((position, (height, width)))
        return x, poolings

    def decode(self, x, poolings):
        """Return logits (N, classes, H, W) from what `encode` returned."""
        for stage, (position, (height, width)) in zip(self.decoder, reversed(poolings)):
            x = F.pad(self.unpool(x, position), (0, width % 2, 0, height % 2))
            x = stage(x)
        return self.output(x)


def _stages(stages, channels):
    """Return a module list of convolution stages, and the channels that the last one gives."""
    modules = nn.ModuleList()
    for widths in stages:
        layers = []
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        modules.append(nn.Sequential(*layers))
    return modules, channels
