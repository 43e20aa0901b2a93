"""The inference graph: a network with everything from the image's bytes to class ids.

It computes what the trained network computes, with fewer and faster operators: batch
normalization is folded into convolutions, poolings move whole groups of channels, and the arg max
of a network that ends with a 2x2 transposed convolution runs at half the resolution.
"""

import copy
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network
from enet_ros.models.pooling import Pool2x2, Unpool2x2

AnyModule = TypeVar('AnyModule', bound=nn.Module)


class InferenceGraph(nn.Module):
    """Segment one image: uint8 (1, H, W, 3) RGB -> a tuple of uint8 (1, h, w).

    The first output is the labels. With `confidence` the second is 255 times the probability of
    each label, which is softmax(logits / temperature).

    network: the trained network; the graph contains a changed copy of it.
    spec: what the network's checkpoint says of it; mean, std and temperature are used.
    inference_spec: input size (W, H) and output size (w, h).
    """

    shift: torch.Tensor
    scale: torch.Tensor
    columns: torch.Tensor
    rows: torch.Tensor

    def __init__(self, network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
                 confidence: bool = False) -> None:
        super().__init__()
        self.inference_spec = inference_spec
        self.confidence = confidence
        self.temperature = spec.temperature
        self.network = replace_poolings(fold_batch_norms(copy.deepcopy(network).eval()))
        # In bytes: (byte / 255 - mean) / std = (byte - shift) * scale.
        self.register_buffer('shift', 255 * torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer('scale', 1 / (255 * torch.tensor(spec.std).view(1, 3, 1, 1)))
        # If a 2x2 transposed convolution comes last, each output pixel depends on one input
        # pixel, so that the arg max can precede the rearrangement of pixels.
        self.in_phases = network.ends_in_2x2_upsampling
        if self.in_phases:
            assert isinstance(network.output, nn.ConvTranspose2d)
            self.network.output = _as_phases(network.output)
        if nearest := inference_spec.nearest_columns_and_rows():
            for name, indices in zip(('columns', 'rows'), nearest):
                self.register_buffer(name, torch.from_numpy(indices))

    def with_confidence(self, confidence: bool) -> 'InferenceGraph':
        """Return this graph with or without the confidence output; both share the weights."""
        other = copy.copy(self)
        other.confidence = confidence
        return other

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = image.permute(0, 3, 1, 2)  # (1, 3, H, W), channels last in memory
        x = ((x - self.shift) * self.scale).to(next(self.network.parameters()).dtype)
        # (1, classes, H, W), padding included; in phases (1, 4 classes, H/2, W/2).
        logits = self.network.decode(self.network.encode(x)).float()
        spec = self.inference_spec
        if not spec.resizes or spec.filter == 'nearest':
            return tuple(self._to_output_size(plane) for plane in self._predict(logits))
        if self.in_phases:
            logits = _DepthToSpace.apply(logits)
        width, height = spec.output_size
        logits = F.interpolate(logits[:, :, :spec.height, :spec.width], (height, width),
                               mode='bilinear')
        return tuple(plane[:, 0].to(torch.uint8) for plane in self._top(logits))

    def _predict(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Return labels, and the confidence if requested, as integral numbers (1, 1, H, W)."""
        if not self.in_phases:
            return self._top(logits)
        # One arg max for all phases: runtimes need longer for four smaller ones.
        height, width = logits.shape[2:]
        planes = self._top(logits.unflatten(1, (2, 2, -1)), axis=3)
        return [plane.to(torch.int32).permute(0, 3, 4, 1, 5, 2)  # (1, 1, H/2, 2, W/2, 2)
                .reshape(1, 1, 2 * height, 2 * width) for plane in planes]

    def _top(self, logits: torch.Tensor, axis: int = 1) -> list[torch.Tensor]:
        """Return the class of the largest logit and, if requested, 255 times its probability.

        The classes lie along an axis, whose size is 1 in the floats that are returned:
        (N, C, H, W) -> (N, 1, H, W) each.
        """
        labels = logits.argmax(axis, keepdim=True).to(logits.dtype)
        if not self.confidence:
            return [labels]
        # The top class's probability is 1 / sum(exp((logit - top logit) / temperature)).
        below_top = logits - logits.amax(axis, keepdim=True)
        total = (below_top / self.temperature).exp().sum(axis, keepdim=True)
        return [labels, (255 / total).round()]

    def _to_output_size(self, plane: torch.Tensor) -> torch.Tensor:
        """Crop and resize a (1, 1, H, W) plane to the output size, as uint8 (1, h, w)."""
        spec = self.inference_spec
        if plane.shape[2:] != (spec.height, spec.width):
            plane = plane[:, :, :spec.height, :spec.width]  # without the padding
        plane = plane[:, 0].to(torch.uint8)
        return plane[:, self.rows][:, :, self.columns] if spec.resizes else plane


def fold_batch_norms(network: AnyModule) -> AnyModule:
    """Fold each BatchNorm into the convolution before it, in place, and return the network."""
    for parent in network.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        for index in range(len(parent) - 1):
            conv, norm = parent[index], parent[index + 1]
            if isinstance(norm, nn.BatchNorm2d) and isinstance(
                    conv, (nn.Conv2d, nn.ConvTranspose2d)):
                transposed = isinstance(conv, nn.ConvTranspose2d)
                parent[index] = fuse_conv_bn_eval(conv, norm, transposed)
                parent[index + 1] = nn.Identity()
    return network


def _as_phases(output: nn.ConvTranspose2d) -> nn.Conv2d:
    """Return a 1x1 convolution that computes a 2x2 transposed convolution of stride 2.

    (N, C, H, W) -> (N, 4 classes, H, W): the logits of the top left output pixels, then of the
    top right, bottom left and bottom right ones.
    """
    channels, classes = output.weight.shape[:2]
    conv = nn.Conv2d(channels, 4 * classes, 1, bias=output.bias is not None)
    weight = output.weight.detach().permute(2, 3, 1, 0).reshape(-1, channels, 1, 1)
    conv.weight = nn.Parameter(weight.contiguous())
    if output.bias is not None:
        conv.bias = nn.Parameter(output.bias.detach().repeat(4))
    return conv


class _GroupPool(nn.Module):
    """`pool_2x2` on the four corners of all windows, each corner a group of channels.

    Positions are floats, because some runtimes cannot compare bytes.
    """

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        top_left, top_right, bottom_left, bottom_right = _SpaceToDepth.apply(x).chunk(4, 1)
        top = torch.maximum(top_left, top_right)
        bottom = torch.maximum(bottom_left, bottom_right)
        position = torch.where(top >= bottom, (top_right > top_left).to(x.dtype),
                               (bottom_right > bottom_left).to(x.dtype) + 2)
        return torch.maximum(top, bottom), position


class _GroupUnpool(nn.Module):
    """`unpool_2x2` into the four corners of all windows, each corner a group of channels."""

    def forward(self, x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        corners = [torch.where(position == corner, x, torch.zeros((), dtype=x.dtype,
                                                                  device=x.device))
                   for corner in range(4)]
        return _DepthToSpace.apply(torch.cat(corners, 1))


def replace_poolings(network: AnyModule, pool: type[nn.Module] = _GroupPool,
                     unpool: type[nn.Module] = _GroupUnpool) -> AnyModule:
    """Replace a network's Pool2x2 and Unpool2x2 modules, in place, and return the network.

    The defaults consist of operators that every runtime has.
    """
    replacements = {Pool2x2: pool, Unpool2x2: unpool}
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in replacements:
                setattr(parent, name, replacements[type(child)]())
    return network


# These two are one operator each in ONNX; runtimes are slow at the transpositions that they
# otherwise consist of.

class _SpaceToDepth(torch.autograd.Function):
    """Move 2x2 windows into channels: (N, C, 2H, 2W) -> (N, 4 C, H, W), corner by corner."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = x.shape
        # Along the channels, which lie together in memory.
        x = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, channels)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * channels)
        return x.permute(0, 3, 1, 2)

    @staticmethod
    def symbolic(graph: Any, x: Any) -> Any:
        return graph.op('SpaceToDepth', x, blocksize_i=2)


class _DepthToSpace(torch.autograd.Function):
    """Undo _SpaceToDepth: (N, 4 C, H, W) -> (N, C, 2H, 2W)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = x.shape
        x = x.permute(0, 2, 3, 1).reshape(n, height, width, 2, 2, channels // 4)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * height, 2 * width, channels // 4)
        return x.permute(0, 3, 1, 2)

    @staticmethod
    def symbolic(graph: Any, x: Any) -> Any:
        return graph.op('DepthToSpace', x, blocksize_i=2, mode_s='DCR')
