"""The network as engines run it: from an image's bytes to class ids, in one graph.

It gives what the trained network gives, from fewer and faster operators: normalisations are
folded into convolutions, poolings move whole groups of channels, and ENet's last convolution is
answered at half the resolution.
"""

import copy
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from enet_ros.config import FILTERS
from enet_ros.errors import BadInput
from enet_ros.models.pooling import Pool2x2, Unpool2x2


@dataclass(frozen=True)
class InferenceSpec:
    """What an engine is made for: the sizes of its images and of its labels, in pixels.

    output_width and output_height are those of labels and confidence; 0 takes the image's.
    filter says how they get that size: 'nearest' takes the nearest pixel's label, 'linear'
    interpolates the logits before the arg max.
    """

    width: int
    height: int
    output_width: int = 0
    output_height: int = 0
    filter: str = 'nearest'

    def __post_init__(self):
        if self.filter not in FILTERS:
            raise BadInput(f'unknown filter {self.filter!r}; choose one of {", ".join(FILTERS)}')
        if self.width < 1 or self.height < 1:
            raise BadInput(f'network size {self.width}x{self.height} is empty')

    @property
    def output_size(self):
        """Return (width, height) of labels and confidence."""
        return self.output_width or self.width, self.output_height or self.height

    @property
    def scales(self):
        return self.output_size != (self.width, self.height)


class InferenceGraph(nn.Module):
    """A network for one task: uint8 (1, H, W, 3) RGB -> a tuple of uint8 (1, h, w).

    The first is the labels; with `confidence` the second is 255 times the top class's softmax
    probability. The network given is left as it is.
    """

    def __init__(self, network, spec, task, confidence=False):
        super().__init__()
        self.task, self.confidence = task, confidence
        self.network = exchange_poolings(fold(copy.deepcopy(network).eval()))
        # In bytes: (byte / 255 - mean) / std = (byte - shift) * scale.
        self.register_buffer('shift', 255 * torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer('scale', 1 / (255 * torch.tensor(spec.std).view(1, 3, 1, 1)))
        # Where a 2x2 transposed convolution comes last, each output pixel depends on one input
        # pixel, so that the arg max can come before the pixels are brought into their places.
        self.in_phases = network.ends_in_2x2_upsampling
        if self.in_phases:
            self.network.output = _as_phases(network.output)
        if task.scales and task.filter == 'nearest':
            for axis, taken, given in zip(('columns', 'rows'), task.output_size,
                                          (task.width, task.height)):
                self.register_buffer(axis, _nearest(taken, given))

    def answering(self, confidence):
        """Return this deployment with or without confidence, sharing the network."""
        other = copy.copy(self)
        other.confidence = confidence
        return other

    def forward(self, image):
        x = image.permute(0, 3, 1, 2)  # (1, 3, H, W), channels last in memory
        x = ((x - self.shift) * self.scale).to(next(self.network.parameters()).dtype)
        # (1, classes, H, W), padding included; in phases (1, 4 classes, H/2, W/2).
        logits = self.network.decode(self.network.encode(x)).float()
        if not self.task.scales or self.task.filter == 'nearest':
            return tuple(self._sized(plane) for plane in self._answer(logits))
        if self.in_phases:
            logits = _DepthToSpace.apply(logits)
        width, height = self.task.output_size
        logits = F.interpolate(logits[:, :, :self.task.height, :self.task.width],
                               (height, width), mode='bilinear')
        return tuple(plane[:, 0].to(torch.uint8) for plane in _top(logits, self.confidence))

    def _answer(self, logits):
        """Return labels and confidence (1, 1, H, W) as floats."""
        if not self.in_phases:
            return _top(logits, self.confidence)
        phases = [_top(phase, self.confidence) for phase in logits.chunk(4, 1)]
        return [_DepthToSpace.apply(torch.cat(planes, 1)) for planes in zip(*phases)]

    def _sized(self, plane):
        task = self.task
        if plane.shape[2:] != (task.height, task.width):
            plane = plane[:, :, :task.height, :task.width]  # the padding's part goes
        plane = plane[:, 0].to(torch.uint8)
        return plane[:, self.rows][:, :, self.columns] if task.scales else plane


def _nearest(taken, given):
    """Return which of `given` pixels OpenCV puts at each of `taken`: results are the same."""
    places = np.arange(given, dtype=np.float32)[None]
    places = cv2.resize(places, (taken, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    return torch.from_numpy(places[0].astype(np.int64))


def _top(logits, confidence):
    """Return the top class's id and, where asked for, 255 times its probability, as floats."""
    labels = logits.argmax(1, keepdim=True).to(logits.dtype)
    if not confidence:
        return [labels]
    others = (logits - logits.amax(1, keepdim=True)).exp().sum(1, keepdim=True)
    return [labels, (255 / others).round()]


def fold(network):
    """Fold each BatchNorm that follows a convolution into it, in place, and return the network."""
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


def _as_phases(output):
    """Return a 2x2 transposed convolution of stride 2 as a 1x1 convolution.

    Its channels are those of the top left output pixels, the top right, low left and low right.
    """
    channels, classes = output.weight.shape[:2]
    conv = nn.Conv2d(channels, 4 * classes, 1, bias=output.bias is not None)
    with torch.no_grad():
        conv.weight.copy_(output.weight.permute(2, 3, 1, 0).reshape(-1, channels, 1, 1))
        if output.bias is not None:
            conv.bias.copy_(output.bias.repeat(4))
    return conv


class _GroupPool(nn.Module):
    """`pool_2x2` over the four corners of the windows, each a group of channels.

    Positions are floats, which more runtimes can compare than can compare bytes.
    """

    def forward(self, x):
        top_left, top_right, low_left, low_right = _SpaceToDepth.apply(x).chunk(4, 1)
        top, low = torch.maximum(top_left, top_right), torch.maximum(low_left, low_right)
        position = torch.where(top >= low, (top_right > top_left).to(x.dtype),
                               (low_right > low_left).to(x.dtype) + 2)
        return torch.maximum(top, low), position


class _GroupUnpool(nn.Module):
    """`unpool_2x2` into the four corners of the windows, each a group of channels."""

    def forward(self, x, position):
        corners = [torch.where(position == corner, x, torch.zeros((), dtype=x.dtype,
                                                                  device=x.device))
                   for corner in range(4)]
        return _DepthToSpace.apply(torch.cat(corners, 1))


def exchange_poolings(network, pool=_GroupPool, unpool=_GroupUnpool):
    """Give a network other modules for its poolings, in place, and return it.

    By default those that every runtime has.
    """
    exchanges = {Pool2x2: pool, Unpool2x2: unpool}
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in exchanges:
                setattr(parent, name, exchanges[type(child)]())
    return network


# These two are one operator each in ONNX; runtimes are slow at the transpositions that they are
# made of otherwise.

class _SpaceToDepth(torch.autograd.Function):
    """Move 2x2 windows into channels: (N, C, 2H, 2W) -> (N, 4 C, H, W), corner by corner."""

    @staticmethod
    def forward(ctx, x):
        n, channels, height, width = x.shape
        # Along the channels, which lie together in memory.
        x = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, channels)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * channels)
        return x.permute(0, 3, 1, 2)

    @staticmethod
    def symbolic(graph, x):
        return graph.op('SpaceToDepth', x, blocksize_i=2)


class _DepthToSpace(torch.autograd.Function):
    """Undo _SpaceToDepth: (N, 4 C, H, W) -> (N, C, 2H, 2W)."""

    @staticmethod
    def forward(ctx, x):
        n, channels, height, width = x.shape
        x = x.permute(0, 2, 3, 1).reshape(n, height, width, 2, 2, channels // 4)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * height, 2 * width, channels // 4)
        return x.permute(0, 3, 1, 2)

    @staticmethod
    def symbolic(graph, x):
        return graph.op('DepthToSpace', x, blocksize_i=2, mode_s='DCR')
