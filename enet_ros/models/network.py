"""What every network offers to training, the engines, `enet info` and the benchmark."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F


class Encoded(NamedTuple):
    """What an encoder passes to its decoder.

    features: (N, C, H / stride, W / stride). size: (H, W) of the image before padding, pixels.
    pooling_positions: for each max pooling that the decoder undoes, in the order of the poolings,
    where the maxima stood, as `pool_2x2` returns it.
    """

    features: Tensor
    size: tuple[int, int]
    pooling_positions: tuple[Tensor, ...] = ()


class Stage(NamedTuple):
    """A part of a network that `enet info` lists.

    kind says what distinguishes the stage from others, such as 'dilated 2', or is empty.
    """

    name: str
    kind: str
    module: nn.Module


class Network(nn.Module, ABC):
    """A segmentation network: normalized RGB images (N, 3, H, W) -> logits (N, classes, H, W).

    The constructor of a subclass takes the number of classes and, if its architecture has options,
    an instance of their dataclass.
    """

    stride: int
    """Total downsampling of the encoder, and the smallest height and width of an image."""

    encoder_features: int | None = None
    """Channels of `Encoded.features`, for networks whose encoder can be trained first, under a 1x1
    convolution at 1 / stride of the resolution. None: the network is trained in one stage."""

    layout: object | None = None
    """The options that the network was built with, if its architecture has any."""

    output: nn.Conv2d | nn.ConvTranspose2d
    """The last layer with weights."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.output.out_channels

    @property
    def ends_in_2x2_upsampling(self) -> bool:
        """Whether `decode` returns the result of a 2x2 transposed convolution with stride 2.

        Then every output pixel depends on one input pixel, so an inference graph may take the
        arg max before it arranges the pixels.
        """
        last = self.output
        return (isinstance(last, nn.ConvTranspose2d) and last.kernel_size == last.stride == (2, 2)
                and last.padding == last.output_padding == (0, 0) and last.groups == 1)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        return self.decode(self.encode(image))[:, :, :height, :width]

    @abstractmethod
    def encode(self, image: Tensor) -> Encoded:
        """Return the encoder's features of an image of any size, padded where necessary."""

    @abstractmethod
    def decode(self, encoded: Encoded) -> Tensor:
        """Return logits (N, classes, H', W') of what `encode` returned.

        The top left H x W of them belong to the image; the rest belongs to padding.
        """

    def stages(self) -> Iterator[Stage]:
        """Yield modules that together hold all parameters, in order of execution.

        The default is the direct children.
        """
        for name, module in self.named_children():
            yield Stage(name, '', module)


def pad_to_multiple(image: Tensor, stride: int) -> Tensor:
    """Repeat an image's border at the right and bottom until `stride` divides height and width."""
    height, width = image.shape[2:]
    right, bottom = -width % stride, -height % stride
    if not right and not bottom:
        return image
    return F.pad(image, (0, right, 0, bottom), mode='replicate')
