"""Groups of classes in YAML files: lines such as `vehicle: [Car, Bicyclist]`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELED, LabelSet, check_name
from enet_ros.paths import user_path
from enet_ros.yaml_data import read_yaml


@dataclass(frozen=True)
class Groups:
    """Named groups of classes; the id of a group is its position in the file.

    path: of the file, for errors. members: names of the classes of each group.
    """

    path: str
    members: Mapping[str, tuple[str, ...]]

    def class_ids(self, labels: LabelSet) -> dict[str, tuple[int, ...]]:
        """Return the class ids of each group; raise BadInput for unknown classes."""
        groups: dict[str, tuple[int, ...]] = {}
        for group, names in self.members.items():
            try:
                groups[group] = tuple(labels.id_of(name) for name in names)
            except BadInput as error:
                raise BadInput(f'{self.path}, group {group!r}: {error}; correct the name'
                               ) from error
        return groups


def read_groups(path: str | os.PathLike[str]) -> Groups:
    """Read a file of groups; raise BadInput, which names the file and the group."""
    file = user_path(path)
    entries = read_yaml(file)
    if len(entries) > UNLABELED:
        raise BadInput(f'{file} has {len(entries)} groups; mono8 label images hold at most '
                       f'{UNLABELED}, so join some')
    return Groups(str(file), {_name(name, f'{file}: group'): _members(name, names, f'{file}')
                              for name, names in entries.items()})


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadInput(f'{what} {value!r} is not text; quote it')
    check_name(value, what)
    return value


def _members(group: str, names: object, file: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not names:
        raise BadInput(f'{file}: group {group!r} is {names!r}; write a list of class names, such '
                       'as [Car, Bicyclist]')
    members = tuple(_name(name, f'{file}, group {group!r}: class') for name in names)
    seen: set[str] = set()
    for name in members:
        if name in seen:
            raise BadInput(f'{file}: group {group!r} names {name!r} twice; remove one')
        seen.add(name)
    return members
