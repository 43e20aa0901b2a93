"""The architectures that can be trained, loaded and benchmarked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from enet_ros.errors import BadInput
from enet_ros.models.enet import ENet, ENetLayout
from enet_ros.models.erfnet import ERFNet
from enet_ros.models.network import Network
from enet_ros.models.segnet import SegNet


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    title is the name in reports. options is the dataclass of what can differ between networks of
    this architecture, or None.
    """

    title: str
    network: type[Network]
    options: type | None = None

    def build(self, classes: int, options: Mapping[str, object]) -> Network:
        """Return a network with random weights.

        options are the fields of the options dataclass that differ from the defaults. Raise
        BadInput where `check_options` does.
        """
        self.check_options(options)
        if self.options is None:
            return self.network(classes)
        return self.network(classes, self.options(**options))

    def check_options(self, options: Mapping[str, object]) -> None:
        """Raise BadInput for options that the architecture lacks, and for invalid values."""
        known = [item.name for item in fields(self.options)] if self.options else []
        for name in options:
            if name not in known:
                raise BadInput(f'{self.title} has no option {name!r}; '
                               f'its options are: {", ".join(known) or "none"}')
        if self.options:
            self.options(**options)


ARCHITECTURES = {
    'enet': Architecture('ENet', ENet, ENetLayout),
    'segnet': Architecture('SegNet', SegNet),
    'erfnet': Architecture('ERFNet', ERFNet),
}


def find_architecture(name: str) -> Architecture:
    """Return the entry of a name; raise BadInput for an unknown name."""
    if name not in ARCHITECTURES:
        raise BadInput(f'unknown architecture {name!r}; choose one of {", ".join(ARCHITECTURES)}')
    return ARCHITECTURES[name]
