"""Size and computational cost of a network, independent of the runtime."""

import copy
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from enet_ros.models.network import Network


@dataclass(frozen=True)
class Cost:
    """The size of a network and its operations for one image.

    gflops: 1e9 operations of the convolutions, a multiply-add counted as two. fp16_mib: size of
    the parameters at two bytes each, MiB.
    """

    parameters: int
    gflops: float
    fp16_mib: float


def cost_of(network: Network, width: int, height: int) -> Cost:
    """Return the Cost of a network for one image of width x height pixels.

    Only shapes are propagated, so this is fast and needs no memory for activations.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    shapes_only = copy.deepcopy(network).to('meta')
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes_only(torch.empty(1, 3, height, width, device='meta'))
    return Cost(parameters, counter.get_total_flops() / 1e9, parameters * 2 / 2 ** 20)
