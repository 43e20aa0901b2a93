"""Conversion between stored weights and PyTorch networks."""

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.models.checkpoint import floating_point
from enet_ros.models.layers import Shape
from enet_ros.models.network import Network
from enet_ros.models.registry import ARCHITECTURES, find_architecture
from enet_ros.models.stored_network import StoredNetwork


def build(stored: StoredNetwork) -> Network:
    """Return the network in evaluation mode with float32 weights on the CPU.

    Raise BadInput if the weights do not fit.
    """
    network = find_architecture(stored.architecture).build(stored.classes, stored.options)
    stored.require_shapes(shapes_of(network))
    network.load_state_dict({name: torch.from_numpy(value)
                             for name, value in stored.weights.items()}, strict=False)
    return network.eval()


def store(network: Network) -> StoredNetwork:
    """Return the weights of a network."""
    architecture = next((name for name, each in ARCHITECTURES.items()
                         if type(network) is each.network), type(network).__name__)
    options: dict[str, object] = {}
    if network.layout:
        defaults = vars(type(network.layout)())
        options = {name: value for name, value in vars(network.layout).items()
                   if value != defaults[name]}
    return StoredNetwork(architecture, options, network.classes, arrays(network, torch.float32))


def arrays(network: Network, dtype: torch.dtype) -> dict[str, NDArray[np.floating]]:
    """Return what a checkpoint holds of a network, as arrays of a type."""
    return {name: value.detach().to('cpu', dtype).contiguous().numpy()
            for name, value in floating_point(network).items()}


def shapes_of(network: Network) -> dict[str, Shape]:
    """Return the shapes of what a checkpoint holds of a network, by name."""
    return {name: tuple(value.shape) for name, value in floating_point(network).items()}
