"""What a network costs, whatever it runs on."""

import copy
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """A network's size, and its work on one frame.

    gflops are 1e9 operations, two a multiply-add, of the convolutions alone; fp16_mib is the
    size of all parameters at two bytes each, in MiB.
    """

    parameters: int
    gflops: float
    fp16_mib: float


def cost_of(network, width, height):
    """Return the Cost of a network on one image of width x height pixels.

    Shapes alone are propagated: it takes neither the time nor the memory of a frame.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    shadow = copy.deepcopy(network).to('meta')
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, 3, height, width, device='meta'))
    return Cost(parameters, counter.get_total_flops() / 1e9, parameters * 2 / 2 ** 20)
