"""The two networks that are compared, and the frames that they see."""

from dataclasses import replace

import torch

from enet_ros.models import checkpoint
from enet_ros.models.registry import ARCHITECTURES
from enet_ros.synthetic.street import SyntheticStreet

FRAMES_APART = 37


def load_networks(path):
    """Return {architecture: (network, spec)}: a checkpoint's, and the other with random weights.

    Speed does not depend on weights.
    """
    network, spec = checkpoint.load(path)
    return {name: (network, spec) if name == spec.architecture else random_network(name, spec)
            for name in ARCHITECTURES}


def random_network(architecture, like):
    """Return (network, spec) with random weights and the classes of another spec.

    Its normalisations fit a street, so that values stay in the range of a trained network's.
    """
    spec = replace(like, architecture=architecture, architecture_options={}, training={},
                   metrics={}, license='')
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = spec.build().train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0  # one pass is all
        image = torch.from_numpy(street_frames(96, 64, 1)[0]).permute(2, 0, 1)[None] / 255
        mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
        network((image - mean) / std)
    return network.eval(), spec


def street_frames(width, height, count):
    """Return frames of a synthetic street, uint8 (H, W, 3) RGB each."""
    street = SyntheticStreet(width, height)
    return [street.render(FRAMES_APART * number).image for number in range(count)]
