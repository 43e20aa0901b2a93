"""Inference with PyTorch on a CPU or an NVIDIA GPU."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from enet_ros.config import DEVICES
from enet_ros.errors import BadInput


class TorchEngine:
    """The network in float32, channels last, its normalisation layers folded into convolutions."""

    def __init__(self, model, spec, device='auto'):
        self.device = torch_device(device)
        self.name = f'torch {self.device.type} float32'
        self.network = fold(copy.deepcopy(model).eval()).to(
            self.device, memory_format=torch.channels_last)
        # Of bytes: (byte / 255 - mean) / std = (byte - shift) * scale.
        shape = (1, 3, 1, 1)
        self.shift = 255 * torch.tensor(spec.mean, device=self.device).view(shape)
        self.scale = 1 / (255 * torch.tensor(spec.std, device=self.device).view(shape))

    @torch.inference_mode()
    def infer(self, image, confidence):
        image = torch.from_numpy(np.ascontiguousarray(image)).to(self.device)
        x = image[None].permute(0, 3, 1, 2)  # (1, 3, H, W), channels last in memory
        logits = self.network((x - self.shift) * self.scale)[0]  # (classes, H, W)
        top, labels = logits.max(0)
        labels = labels.to(torch.uint8).cpu().numpy()
        if not confidence:
            return labels, None
        probability = 1 / (logits - top).exp_().sum(0)
        return labels, (255 * probability).round_().to(torch.uint8).cpu().numpy()


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


def torch_device(name):
    """Return the device that a setting means; raise BadInput where it cannot be had."""
    if name not in DEVICES:
        raise BadInput(f'unknown device {name!r}; choose one of {", ".join(DEVICES)}')
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cuda' and not torch.cuda.is_available():
        raise BadInput('device cuda was asked for, but this torch sees no CUDA GPU; install a '
                       'CUDA build of torch and the driver, or choose device cpu')
    return torch.device(name)
