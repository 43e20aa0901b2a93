"""A network as its architecture and weights, without the PyTorch module that computes it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.models.enet_layers import ENetLayers
from enet_ros.models.layers import Shape, shape_differences
from enet_ros.models.registry import ARCHITECTURES

if TYPE_CHECKING:
    from enet_ros.models.network import Network

STATISTICS = 'running_mean', 'running_var'  # of batch normalizations, which are not trained


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """The weights of a network, and what rebuilds it.

    architecture: a name in the registry. options: the fields of the architecture's options
    dataclass that differ from the defaults. classes: their number. weights: parameters and
    buffers by the names of the PyTorch module, float32; they are not changed. source: where they
    are from, for messages.
    """

    architecture: str
    options: Mapping[str, object]
    classes: int
    weights: Mapping[str, NDArray[np.float32]] = field(repr=False)
    source: str = 'the model'

    @property
    def title(self) -> str:
        """Return the name of the architecture in messages."""
        entry = ARCHITECTURES.get(self.architecture)
        return entry.title if entry else self.architecture

    @property
    def layers(self) -> ENetLayers | None:
        """Return the network's layers, None if only the PyTorch module knows them."""
        entry = ARCHITECTURES.get(self.architecture)
        if entry is None or entry.layers is None:
            return None
        return entry.layers(self.classes, entry.make_options(self.options))

    @property
    def parameters(self) -> int:
        """Return the number of parameters: of the weights without the statistics of batches."""
        return sum(value.size for name, value in self.weights.items()
                   if not name.endswith(STATISTICS))

    def require_shapes(self, expected: Mapping[str, Shape]) -> None:
        """Raise BadInput if the weights are not those of a network, which has these shapes."""
        shapes = {name: value.shape for name, value in self.weights.items()}
        if differences := shape_differences(shapes, expected):
            raise BadInput(f'{self.source} does not hold the weights of {self.architecture} with '
                           f'{self.classes} classes: {"; ".join(differences[:3])}; use a '
                           'checkpoint whose label set and weights belong together')

    @cached_property
    def module(self) -> 'Network':
        """Return the PyTorch network in evaluation mode, on the CPU; do not change it.

        Raise BadInput if PyTorch is missing, or if the weights do not fit.
        """
        from enet_ros.models.torch_network import build
        return build(self)

    @cached_property
    def digest(self) -> str:
        """Return hexadecimal digits that depend on architecture and weights."""
        sha256 = hashlib.sha256(repr((self.architecture, sorted(self.options.items()),
                                      self.classes)).encode())
        for name, value in sorted(self.weights.items()):
            sha256.update(name.encode())
            sha256.update(value.tobytes())
        return sha256.hexdigest()


def as_stored(network: 'Network | StoredNetwork') -> StoredNetwork:
    """Return the weights of a network in either form."""
    if isinstance(network, StoredNetwork):
        return network
    from enet_ros.models.torch_network import store
    return store(network)


def as_module(network: 'Network | StoredNetwork') -> 'Network':
    """Return the PyTorch module of a network in either form; errors are those of `module`."""
    return network.module if isinstance(network, StoredNetwork) else network
