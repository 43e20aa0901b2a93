"""The networks that are compared, and the frames that they segment."""

from dataclasses import replace
from os import PathLike

import torch

from enet_ros.benchmark.measure import Image
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network
from enet_ros.models.registry import ARCHITECTURES
from enet_ros.synthetic.street import SyntheticStreet

FRAME_STEP = 37  # frames of the synthetic street between two frames of the benchmark


def load_networks(path: str | PathLike[str]) -> dict[str, tuple[Network, ModelSpec]]:
    """Return (network, spec) by architecture: the checkpoint's, and others with random weights.

    Speed does not depend on weights.
    """
    network, spec = checkpoint.load(path)
    return {name: (network, spec) if name == spec.architecture else random_network(name, spec)
            for name in ARCHITECTURES}


def random_network(architecture: str, like: ModelSpec) -> tuple[Network, ModelSpec]:
    """Return (network, spec) with random weights and the classes and input of another spec.

    Its batch normalization has the statistics of a street, so that values stay in the range of a
    trained network.
    """
    spec = replace(like, architecture=architecture, architecture_options={}, training={},
                   metrics={}, license='')
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = spec.build().train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0  # take the statistics of the one pass below
        image = torch.from_numpy(street_frames(96, 64, 1)[0]).permute(2, 0, 1)[None] / 255
        mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
        network((image - mean) / std)
    return network.eval(), spec


def street_frames(width: int, height: int, count: int) -> list[Image]:
    """Return frames of a synthetic street, uint8 (H, W, 3) RGB each."""
    street = SyntheticStreet(width, height)
    return [street.render(FRAME_STEP * number).image for number in range(count)]
