"""The names of all parameters, to find those that are misspelled or of earlier versions."""

from collections.abc import Iterable, Iterator
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from enet_ros.config import ReplayConfig, SegmentationConfig
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.pointcloud.config import SemanticCloudConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CONFIG_CLASSES = SegmentationConfig, FreeSpaceNodeConfig, SemanticCloudConfig, ReplayConfig
OF_EVERY_NODE = 'autostart', 'use_sim_time', 'start_type_description_service', 'qos_overrides'
RENAMED = {  # names of earlier versions
    'camera.longest_jump': 'camera.max_jump',
    'classes.bodies': 'classes.overhanging', 'classes.usual_flat': 'classes.default_flat',
    'fusion.decided': 'fusion.occupied_threshold', 'fusion.free': 'fusion.miss',
    'fusion.limit': 'fusion.max_log_odds', 'fusion.longest_step': 'fusion.max_step',
    'fusion.taken': 'fusion.hit',
}


def leaf_fields(config_class: type['DataclassInstance'],
                prefix: str = '') -> Iterator[tuple[str, Field]]:
    """Yield (dotted name, field) of each setting in nested dataclasses."""
    for item in fields(config_class):
        if isinstance(item.type, type) and is_dataclass(item.type):
            yield from leaf_fields(item.type, f'{prefix}{item.name}.')
        else:
            yield prefix + item.name, item


def unknown_parameters(names: Iterable[str]) -> list[str]:
    """Return a sentence about each name that is no parameter of any node of this package.

    A file of parameters may set those of several nodes for all nodes.
    """
    known = [name for each in CONFIG_CLASSES for name, _ in leaf_fields(each)]
    return [f'parameter {name} does not exist and has no effect; {_remedy(name, known)}'
            for name in names if name not in known and name.split('.')[0] not in OF_EVERY_NODE]


def _remedy(name: str, known: list[str]) -> str:
    if name in RENAMED:
        return f'it is {RENAMED[name]} now'
    if close := get_close_matches(name, known, 1):
        return f'did you mean {close[0]}?'
    return 'docs/parameters.md lists all parameters'
