"""SegNet, the baseline of the ENet paper (Badrinarayanan et al., arXiv:1511.00561).

The encoder has the 13 convolutions of VGG-16, the decoder mirrors them; batch normalization and
ReLU follow each. The decoder unpools to the positions of the encoder's maxima.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from enet_ros.models.network import Encoded, Network, Stage
from enet_ros.models.pooling import Pool2x2, Unpool2x2

# Output channels of each convolution by stage. After the decoder's last, a convolution to the
# classes follows.
ENCODER = (64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)
DECODER = (512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,)


class SegNet(Network):
    """SegNet: normalized RGB images (N, 3, H, W) -> logits (N, classes, H, W).

    H and W are at least 32. A pooling of an odd height or width ignores the last row or column;
    the unpooling sets it to zero.
    """

    stride = 32

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder, channels = _convolution_stages(ENCODER, 3)
        self.decoder, channels = _convolution_stages(DECODER, channels)
        self.output = nn.Conv2d(channels, classes, 3, padding=1)
        self.pool, self.unpool = Pool2x2(), Unpool2x2()

    def encode(self, image: Tensor) -> Encoded:
        x, all_positions = image, []
        for stage in self.encoder:
            x = stage(x)
            height, width = x.shape[2:]
            x, positions = self.pool(x[:, :, :height // 2 * 2, :width // 2 * 2])
            all_positions.append(positions)
        height, width = image.shape[2:]
        return Encoded(x, (height, width), tuple(all_positions))

    def decode(self, encoded: Encoded) -> Tensor:
        x, positions = encoded.features, encoded.pooling_positions
        sizes = [encoded.size, *(each.shape[2:] for each in positions[:-1])]  # before each pooling
        for stage, each, (height, width) in zip(self.decoder, reversed(positions),
                                                reversed(sizes)):
            x = F.pad(self.unpool(x, each), (0, width % 2, 0, height % 2))
            x = stage(x)
        return self.output(x)  # (N, classes, H, W)

    def stages(self) -> Iterator[Stage]:
        for number, (stage, widths) in enumerate(zip(self.encoder, ENCODER), start=1):
            yield Stage(f'encoder{number}', f'{_convolutions(widths)}, then pooling', stage)
        for number, (stage, widths) in enumerate(zip(self.decoder, DECODER), start=1):
            yield Stage(f'decoder{number}', f'unpooling, then {_convolutions(widths)}', stage)
        yield Stage('classifier', '', self.output)


def _convolution_stages(stages: Sequence[Sequence[int]],
                        channels: int) -> tuple[nn.ModuleList, int]:
    """Return the layers of each stage, given the input channels, and the last output channels."""
    modules = nn.ModuleList()
    for widths in stages:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        modules.append(nn.Sequential(*layers))
    return modules, channels


def _convolutions(widths: Sequence[int]) -> str:
    """Return how many convolutions a stage has, in words."""
    return '1 convolution' if len(widths) == 1 else f'{len(widths)} convolutions'
