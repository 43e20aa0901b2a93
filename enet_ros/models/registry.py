"""The architectures that can be trained, loaded and benchmarked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from enet_ros.errors import BadInput
from enet_ros.models import enet_layers
from enet_ros.models.enet_layers import ENetLayers, ENetLayout
from enet_ros.packages import require_torch

if TYPE_CHECKING:
    from enet_ros.models.network import Network


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    title: the name in reports, and of the network's class in `module`, which needs PyTorch.
    stride: total downsampling of the encoder.
    options: the dataclass of what can differ between networks of this architecture, or None.
    layers: returns the layers for a number of classes and options, which needs no PyTorch; None
        if only the class knows them.
    """

    title: str
    module: str
    stride: int
    options: type | None = None
    layers: Callable[[int, Any], ENetLayers] | None = None

    @property
    def network(self) -> 'type[Network]':
        """Return the network's class; raise BadInput if PyTorch is missing."""
        require_torch(f'the network {self.title} in PyTorch')
        network: type[Network] = getattr(import_module(self.module), self.title)
        return network

    def build(self, classes: int, options: Mapping[str, object]) -> 'Network':
        """Return a network with random weights.

        options are the fields of the options dataclass that differ from the defaults. Raise
        BadInput where `make_options` does, and if PyTorch is missing.
        """
        made = self.make_options(options)
        return self.network(classes) if made is None else self.network(classes, made)

    def make_options(self, options: Mapping[str, object]) -> Any:
        """Return the options, or None if the architecture has none.

        Raise BadInput for options that the architecture lacks, and for invalid values.
        """
        known = [item.name for item in fields(self.options)] if self.options else []
        for name in options:
            if name not in known:
                raise BadInput(f'{self.title} has no option {name!r}; '
                               f'its options are: {", ".join(known) or "none"}')
        return self.options(**options) if self.options else None


ARCHITECTURES = {
    'enet': Architecture('ENet', 'enet_ros.models.enet', enet_layers.STRIDE, ENetLayout,
                         enet_layers.enet_layers),
    'segnet': Architecture('SegNet', 'enet_ros.models.segnet', 32),
    'erfnet': Architecture('ERFNet', 'enet_ros.models.erfnet', 8),
}


def find_architecture(name: str) -> Architecture:
    """Return the entry of a name; raise BadInput for an unknown name."""
    if name not in ARCHITECTURES:
        raise BadInput(f'unknown architecture {name!r}; choose one of {", ".join(ARCHITECTURES)}')
    return ARCHITECTURES[name]
