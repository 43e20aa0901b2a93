"""Label sets in YAML files: name, classes and, optionally, void_id."""

import os
from collections.abc import Mapping

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELED, LabelSet
from enet_ros.yaml_data import read_yaml, refuse_unknown

CLASS_KEYS = ('name', 'color', 'drivable', 'id')


def read_label_set(path: str | os.PathLike[str]) -> LabelSet:
    """Read the label set of a YAML file; other entries, such as those of data sets, are ignored.

    Raise BadInput, which names the entry, for mistakes.
    """
    return label_set_of(read_yaml(path), path)


def label_set_of(entries: Mapping[str, object], path: str | os.PathLike[str]) -> LabelSet:
    """Return the label set among the entries of a YAML file.

    path is named in errors. Raise BadInput, which names the entry, for mistakes.
    """
    ids, void_id = label_file_ids(entries, path)
    # The void id of a LabelSet refers to ids that count the classes.
    if ids != list(range(len(ids))):
        void_id = UNLABELED
    try:
        labels = LabelSet.from_dict({**entries, 'void_id': void_id})
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error
    name_of: dict[tuple[int, int, int], str] = {}
    for label in labels.classes:
        if (other := name_of.setdefault(label.color, label.name)) != label.name:
            raise BadInput(f'{path}: classes {other!r} and {label.name!r} have the same color, '
                           f'{list(label.color)}; change one')
    return labels


def label_file_ids(entries: Mapping[str, object],
                   path: str | os.PathLike[str]) -> tuple[list[int], int]:
    """Return (ids of the classes, id of void) in the label files that a YAML file describes.

    The id of a class is its position unless it has an entry id. path is named in errors. Raise
    BadInput, which names the entry, for mistakes.
    """
    classes = entries.get('classes')
    if not isinstance(classes, list) or not all(isinstance(entry, dict) for entry in classes):
        raise BadInput(f'{path}: classes must be a list of entries such as '
                       '{name: floor, color: [128, 64, 128]}')
    name_of: dict[int, object] = {}
    for index, entry in enumerate(classes):
        refuse_unknown(entry, CLASS_KEYS, f'{path}, class {index}')
        name = entry.get('name')
        class_id = _id(entry.get('id', index), f'{path}, class {name!r}: id')
        if class_id in name_of:
            raise BadInput(f'{path}: classes {name_of[class_id]!r} and {name!r} both have id '
                           f'{class_id}; change one')
        name_of[class_id] = name
    void_id = _id(entries.get('void_id', UNLABELED), f'{path}: void_id')
    if void_id in name_of:
        raise BadInput(f'{path}: void_id {void_id} is also the id of class {name_of[void_id]!r}; '
                       'change it, or give the classes the ids that they have in label files '
                       '(id: 1)')
    return list(name_of), void_id


def _id(value: object, name: str) -> int:
    if type(value) is not int or not 0 <= value <= UNLABELED:
        raise BadInput(f'{name} is {value!r}; it must be a number from 0 to {UNLABELED}')
    return value
