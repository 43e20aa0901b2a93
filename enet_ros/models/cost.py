"""Size and computational cost of a PyTorch network and its stages, independent of the runtime."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
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


@dataclass(frozen=True)
class StageCost:
    """A stage of a network with its output shape, (channels, height, width), and its cost.

    gflops: 1e9 operations of the convolutions for one image, a multiply-add counted as two.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    gflops: float


def cost_of(network: Network, width: int, height: int) -> Cost:
    """Return the Cost of a network for one image of width x height pixels.

    Only shapes are propagated, so this is fast and needs no memory for activations.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    shapes_only = copy.deepcopy(network).to('meta')
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes_only(torch.empty(1, 3, height, width, device='meta'))
    return Cost(parameters, counter.get_total_flops() / 1e9, parameters * 2 / 2 ** 20)


def stage_costs(network: Network, width: int, height: int) -> list[StageCost]:
    """Return the stages of a network in order, for an image of width x height pixels."""
    network = copy.deepcopy(network).to('meta').eval()  # propagates only shapes
    costs: list[StageCost] = []
    with FlopCounterMode(display=False) as counter, torch.no_grad():

        def record(name: str, kind: str, module: nn.Module, result: Tensor | tuple[Tensor, ...]
                   ) -> None:
            output = result[0] if isinstance(result, tuple) else result
            counted = sum(cost.gflops for cost in costs)
            costs.append(StageCost(name, kind, tuple(output.shape[1:]),
                                   sum(value.numel() for value in module.parameters()),
                                   counter.get_total_flops() / 1e9 - counted))

        for stage in network.stages():
            stage.module.register_forward_hook(
                lambda module, _, result, stage=stage: record(stage.name, stage.kind, module,
                                                              result))
        network(torch.empty(1, 3, height, width, device='meta'))
    return costs
