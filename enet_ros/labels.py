"""Label sets: class names, colours and which classes are ground that one can drive on."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from enet_ros.errors import BadInput

# The id that label images carry where no class was decided (vision_msgs' convention for mono8).
UNLABELLED = 255


@dataclass(frozen=True)
class LabelClass:
    """One class: its name, its RGB colour (0-255 each) and whether one can drive on it."""

    name: str
    color: tuple
    drivable: bool = False

    @property
    def topic_name(self):
        """Return the name in lower snake case, as topics need it: SignSymbol -> sign_symbol."""
        words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', self.name)
        return re.sub(r'[^a-z0-9]+', '_', words.lower()).strip('_')


@dataclass(frozen=True)
class LabelSet:
    """The classes that a network tells apart; a class's id is its place in the list.

    `void_id` marks unlabelled pixels in the data set's label files. It is never an output of a
    network: published label images use UNLABELLED.
    """

    name: str
    classes: tuple
    void_id: int = UNLABELLED

    def __post_init__(self):
        if not 1 <= len(self.classes) <= UNLABELLED:
            raise BadInput(f'label set {self.name!r} has {len(self.classes)} classes; '
                           f'mono8 label images hold 1 to {UNLABELLED}')
        for label in self.classes:
            if not label.name:
                raise BadInput(f'label set {self.name!r} has a class without a name; name it')
            if len(label.color) != 3 or not all(0 <= c <= 255 for c in label.color):
                raise BadInput(f'label set {self.name!r}, class {label.name!r}: color '
                               f'{label.color!r} is not three numbers from 0 to 255')
        names = self.names
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInput(f'label set {self.name!r} names {twice!r} twice; rename one')
        if type(self.void_id) is not int or not len(self) <= self.void_id <= UNLABELLED:
            raise BadInput(f'label set {self.name!r} has void_id {self.void_id!r}; it must be a '
                           f'number from {len(self)}, the first that is no class, to '
                           f'{UNLABELLED}')

    def __len__(self):
        return len(self.classes)

    @property
    def names(self):
        """Return the class names in order of their ids."""
        return [label.name for label in self.classes]

    def id_of(self, name):
        """Return the id of the class called `name`."""
        if name not in self.names:
            raise BadInput(f'label set {self.name!r} has no class {name!r}; '
                           f'it has {", ".join(self.names)}')
        return self.names.index(name)

    def palette(self):
        """Return the colours as a look-up table, uint8 (256, 3) RGB; ids without class: black."""
        table = np.zeros((256, 3), np.uint8)
        table[:len(self)] = [label.color for label in self.classes]
        return table

    def to_dict(self):
        """Return the label set as plain data for JSON."""
        return {
            'name': self.name,
            'void_id': self.void_id,
            'classes': [{'name': label.name, 'color': list(label.color),
                         'drivable': label.drivable} for label in self.classes],
        }

    @classmethod
    def from_dict(cls, data):
        """Rebuild a label set from `to_dict`'s data; raise BadInput where it does not fit."""
        if not (isinstance(data, dict) and isinstance(data.get('name'), str)
                and isinstance(data.get('classes'), (list, tuple))):
            raise BadInput('not a label set: it needs a name and classes, each with a name and a '
                           'color')
        return cls(data['name'], tuple(_class_from(entry, place)
                                       for place, entry in enumerate(data['classes'])),
                   data.get('void_id', UNLABELLED))


def _class_from(entry, place):
    where = f'not a label set: class {place}'
    if not isinstance(entry, dict):
        raise BadInput(f'{where} is {entry!r}; it needs a name and a color')
    name, color = entry.get('name'), entry.get('color')
    drivable = entry.get('drivable', False)
    if not isinstance(name, str):
        raise BadInput(f'{where}: name is {name!r}; it must be text (in YAML, quote words like '
                       'off)')
    if not isinstance(color, (list, tuple)) or not all(type(part) is int for part in color):
        raise BadInput(f'{where}, {name!r}: color is {color!r}; it must be three numbers from 0 '
                       'to 255')
    if not isinstance(drivable, bool):
        raise BadInput(f'{where}, {name!r}: drivable is {drivable!r}; it must be true or false')
    return LabelClass(name, tuple(color), drivable)


CAMVID = LabelSet('camvid', (
    LabelClass('Sky', (128, 128, 128)),
    LabelClass('Building', (128, 0, 0)),
    LabelClass('Pole', (192, 192, 128)),
    LabelClass('Road', (128, 64, 128), drivable=True),
    LabelClass('Pavement', (60, 40, 222)),
    LabelClass('Tree', (128, 128, 0)),
    LabelClass('SignSymbol', (192, 128, 128)),
    LabelClass('Fence', (64, 64, 128)),
    LabelClass('Car', (64, 0, 128)),
    LabelClass('Pedestrian', (64, 64, 0)),
    LabelClass('Bicyclist', (0, 128, 192)),
), void_id=11)

CITYSCAPES = LabelSet('cityscapes', (
    LabelClass('road', (128, 64, 128), drivable=True),
    LabelClass('sidewalk', (244, 35, 232)),
    LabelClass('building', (70, 70, 70)),
    LabelClass('wall', (102, 102, 156)),
    LabelClass('fence', (190, 153, 153)),
    LabelClass('pole', (153, 153, 153)),
    LabelClass('traffic light', (250, 170, 30)),
    LabelClass('traffic sign', (220, 220, 0)),
    LabelClass('vegetation', (107, 142, 35)),
    LabelClass('terrain', (152, 251, 152)),
    LabelClass('sky', (70, 130, 180)),
    LabelClass('person', (220, 20, 60)),
    LabelClass('rider', (255, 0, 0)),
    LabelClass('car', (0, 0, 142)),
    LabelClass('truck', (0, 0, 70)),
    LabelClass('bus', (0, 60, 100)),
    LabelClass('train', (0, 80, 100)),
    LabelClass('motorcycle', (0, 0, 230)),
    LabelClass('bicycle', (119, 11, 32)),
))


def _bit_spread_color(index):
    """Return Pascal VOC's colour for `index`: its bits dealt to R, G, B from the top down."""
    color = [0, 0, 0]
    for level in range(8):
        for channel in range(3):
            color[channel] |= (index >> (3 * level + channel) & 1) << (7 - level)
    return tuple(color)


_SUN_NAMES = (
    'wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds desk '
    'shelves curtain dresser pillow mirror floor_mat clothes ceiling books fridge tv paper towel '
    'shower_curtain box whiteboard person night_stand toilet sink lamp bathtub bag').split()

# The label files count from 1 and keep 0 for unlabelled; ids here count from 0.
SUN_RGBD = LabelSet('sunrgbd', tuple(
    LabelClass(name, _bit_spread_color(i + 1), drivable=name in ('floor', 'floor_mat'))
    for i, name in enumerate(_SUN_NAMES)))

LABEL_SETS = {labels.name: labels for labels in (CAMVID, CITYSCAPES, SUN_RGBD)}


CLASS_ENTRIES = ('name', 'color', 'drivable', 'id')


def read_label_set(path):
    """Return the LabelSet of a YAML file with name, classes and, if need be, void_id.

    The file may hold more, as that of a data set does. Raise BadInput, which names the entry,
    for mistakes.
    """
    return label_set(read_yaml(path), path)


def read_yaml(path):
    """Return the entries of a YAML file, a dict."""
    try:
        import yaml
    except ImportError as error:
        raise BadInput(f'reading {path} needs the package PyYAML; pip install pyyaml') from error
    try:
        data = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise BadInput(f'cannot read {path}: {error.strerror}; name a YAML file') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f'{path} is not YAML: {" ".join(str(error).split())}') from error
    if not isinstance(data, dict):
        raise BadInput(f'{path} holds no entries; write them as name: value')
    return data


def refuse_unknown(entries, known, where):
    """Raise BadInput for the first key of `entries` that is not among the known."""
    for key in entries:
        if key not in known:
            raise BadInput(f'{where}: entry {key!r} is not known; known are {", ".join(known)}')


def label_set(data, path):
    """Return the LabelSet among a YAML file's entries."""
    ids, void = file_ids(data, path)
    # The label set's void id is told among ids that count the classes.
    void = void if ids == list(range(len(ids))) else UNLABELLED
    try:
        labels = LabelSet.from_dict({**data, 'void_id': void})
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error
    names = {}
    for label in labels.classes:
        if (other := names.setdefault(label.color, label.name)) != label.name:
            raise BadInput(f'{path}: classes {other!r} and {label.name!r} have one color, '
                           f'{list(label.color)}; give each its own')
    return labels


def file_ids(data, path):
    """Return (ids, void id) of label files that a YAML file's entries tell, a class's place being
    its id by default.
    """
    classes = data.get('classes')
    if not isinstance(classes, list) or not all(isinstance(entry, dict) for entry in classes):
        raise BadInput(f'{path}: classes must be a list of entries like '
                       '{name: floor, color: [128, 64, 128]}')
    for place, entry in enumerate(classes):
        refuse_unknown(entry, CLASS_ENTRIES, f'{path}, class {place}')
    owner = {}
    for place, entry in enumerate(classes):
        number = _id(entry.get('id', place), f'{path}, class {entry.get("name")!r}: id')
        if number in owner:
            raise BadInput(f'{path}: classes {owner[number]!r} and {entry.get("name")!r} both '
                           f'have id {number}; give each its own')
        owner[number] = entry.get('name')
    void = _id(data.get('void_id', UNLABELLED), f'{path}: void_id')
    if void in owner:
        raise BadInput(f'{path}: void_id {void} is also the id of class {owner[void]!r}; change '
                       'it, or give the classes the ids that they have in label files (id: 1)')
    return list(owner), void


def _id(value, what):
    if type(value) is not int or not 0 <= value <= UNLABELLED:
        raise BadInput(f'{what} is {value!r}; it must be a number from 0 to {UNLABELLED}')
    return value
