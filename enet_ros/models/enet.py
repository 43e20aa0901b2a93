"""ENet in PyTorch, built from the table of its layers."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enet_ros.models import enet_layers
from enet_ros.models.enet_layers import AUTHORS, STRIDE, Block, ENetLayout
from enet_ros.models.network import Encoded, Network, Stage, pad_to_multiple
from enet_ros.models.pooling import Pool2x2, Unpool2x2
from enet_ros.models.torch_layers import conv_module, module_of, sequence_of


class InitialBlock(nn.Module):
    """A convolution beside a max pooling: (N, 3, H, W) -> (N, 16, H/2, W/2)."""

    def __init__(self, block: enet_layers.InitialBlock) -> None:
        super().__init__()
        self.conv = module_of(block.conv)
        self.pool = nn.MaxPool2d(block.pool, stride=2, padding=block.pool - 2)
        self.norm = module_of(block.norm)
        self.activation = module_of(block.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(torch.cat([self.conv(x), self.pool(x)], 1)))


class Bottleneck(nn.Module):
    """Projection, convolution and expansion, added to the input: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.extension = sequence_of(block.extension)
        self.activation = module_of(block.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.extension(x))


class Downsampling(nn.Module):
    """Halve the resolution: (N, in, 2H, 2W) -> (N, out, H, W) and the pooling positions."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.extension = sequence_of(block.extension)
        self.activation = module_of(block.activation)
        self.pool = Pool2x2()
        self.padding = block.outputs - block.inputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shortcut, positions = self.pool(x)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.padding))  # zero channels at the end
        return self.activation(shortcut + self.extension(x)), positions


class Upsampling(nn.Module):
    """Double the resolution: (N, in, H, W) and the pooling positions -> (N, out, 2H, 2W)."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.extension = sequence_of(block.extension)
        self.shortcut = sequence_of(block.shortcut)
        self.activation = module_of(block.activation)
        self.unpool = Unpool2x2()

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self.activation(self.unpool(self.shortcut(x), positions) + self.extension(x))


# By the kind of the block; all others are Bottlenecks.
MODULES: dict[str, Callable[[Block], nn.Module]] = {
    'downsampling': Downsampling, 'upsampling': Upsampling}


class ENet(Network):
    """ENet: normalized RGB images (N, 3, H, W) of any size -> logits (N, classes, H, W)."""

    stride = STRIDE
    encoder_features = 128

    def __init__(self, classes: int, layout: ENetLayout = AUTHORS) -> None:
        super().__init__()
        self.layout = layout
        self.layers = layers = enet_layers.enet_layers(classes, layout)
        self.initial = InitialBlock(layers.initial)
        blocks = {block.name: MODULES.get(block.kind, Bottleneck)(block)
                  for block in layers.blocks}

        def stage(name: str) -> nn.Sequential:
            return nn.Sequential(*(module for block, module in blocks.items()
                                   if block.startswith(f'{name}.')))

        self.down1, self.stage1 = blocks['down1'], stage('stage1')
        self.down2, self.stage2, self.stage3 = blocks['down2'], stage('stage2'), stage('stage3')
        self.up4, self.stage4 = blocks['up4'], stage('stage4')
        self.up5, self.stage5 = blocks['up5'], blocks['stage5']
        self.output = conv_module(layers.output)

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
        for block in self.layers.blocks:
            yield Stage(block.title, block.kind, self.get_submodule(block.name))
        yield Stage('fullconv', '', self.output)
