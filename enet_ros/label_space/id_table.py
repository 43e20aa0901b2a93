"""Tables of the ids of published label images, in YAML files: `ids`, `void` and `encoding`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELED, LabelSet
from enet_ros.paths import user_path
from enet_ros.yaml_data import read_yaml, refuse_unknown

PIXEL_TYPES: dict[str, type[np.integer]] = {'mono8': np.uint8, '16SC1': np.int16}


@dataclass(frozen=True)
class IdTable:
    """The published id of each class.

    path: of the file, for errors. ids: by name of the class. void: value of the pixels without a
    class. encoding: of the images, 'mono8' or '16SC1'.
    """

    path: str
    ids: Mapping[str, int]
    void: int
    encoding: str

    def check_names(self, labels: LabelSet) -> None:
        """Raise BadInput if the table names a class that the label set lacks."""
        for name in self.ids:
            try:
                labels.id_of(name)
            except BadInput as error:
                raise BadInput(f'{self.path}, ids: {error}; correct the name') from error


def read_id_table(path: str | os.PathLike[str]) -> IdTable:
    """Read a table of ids; raise BadInput, which names the file and the entry."""
    file = user_path(path)
    entries = read_yaml(file)
    refuse_unknown(entries, ('ids', 'void', 'encoding'), str(file))
    encoding = entries.get('encoding', 'mono8')
    if not isinstance(encoding, str) or encoding not in PIXEL_TYPES:
        raise BadInput(f'{file}: encoding is {encoding!r}; choose one of {", ".join(PIXEL_TYPES)}')
    ids = entries.get('ids')
    if not isinstance(ids, dict) or not ids:
        raise BadInput(f'{file}: ids is {ids!r}; write lines such as Road: 7, one for each class')
    limits = np.iinfo(PIXEL_TYPES[encoding])
    void = _id(entries.get('void', UNLABELED), limits.min, limits.max, f'{file}: void', encoding)
    name_of = {void: 'void'}
    for name, value in ids.items():
        if not isinstance(name, str):
            raise BadInput(f'{file}, ids: class {name!r} is not text; quote it')
        class_id = _id(value, 0, limits.max, f'{file}: the id of class {name!r}', encoding)
        if class_id in name_of:
            raise BadInput(f'{file}: {name_of[class_id]!r} and {name!r} both have id {class_id}; '
                           'change one, or join classes with output.groups')
        name_of[class_id] = name
    return IdTable(str(file), ids, void, encoding)


def _id(value: object, low: int, high: int, what: str, encoding: str) -> int:
    if type(value) is not int or not low <= value <= high:
        wider = '' if encoding == '16SC1' else ', or set encoding to 16SC1'
        raise BadInput(f'{what} is {value!r}; with encoding {encoding} it must be a number from '
                       f'{low} to {high}: change it{wider}')
    return value
