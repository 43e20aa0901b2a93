"""Label sets: the names and colors of classes, and which of them are drivable ground."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput

# The id of pixels without a class in published label images, as in vision_msgs/LabelInfo.
UNLABELED = 255
MAX_NAME_LENGTH = 100  # characters; names become parts of topics and error messages


def topic_name(name: str) -> str:
    """Return a name in lower snake case, as in topic names: SignSymbol -> sign_symbol."""
    words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name)
    return re.sub(r'[^a-z0-9]+', '_', words.lower()).strip('_')


def check_name(name: str, what: str) -> None:
    """Raise BadInput for a name that is too long or holds line breaks or control characters."""
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInput(f'{what} {name!r}: names have at most {MAX_NAME_LENGTH} characters, and '
                       'none that cannot be printed; rename it')


@dataclass(frozen=True)
class LabelClass:
    """A class.

    color: RGB, each 0-255.
    drivable: whether it is ground that a robot can drive on.
    """

    name: str
    color: tuple[int, int, int]
    drivable: bool = False

    @property
    def topic_name(self) -> str:
        """Return the name as in topic names."""
        return topic_name(self.name)


@dataclass(frozen=True)
class LabelSet:
    """The classes of a network or data set; the id of a class is its index.

    void_id: marks unlabeled pixels in the label files of the data set. Published label images
        use UNLABELED instead.

    Raise BadInput for an empty or too long list, for a class without a name or with an invalid
    name or color, for equal names, and for a void_id that is the id of a class.
    """

    name: str
    classes: tuple[LabelClass, ...]
    void_id: int = UNLABELED

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= UNLABELED:
            raise BadInput(f'label set {self.name!r} has {len(self.classes)} classes; '
                           f'mono8 label images hold 1 to {UNLABELED}')
        check_name(self.name, 'label set')
        for label in self.classes:
            check_name(label.name, f'label set {self.name!r}, class')
            if not label.name:
                raise BadInput(f'label set {self.name!r} has a class without a name; name it')
            if len(label.color) != 3 or not all(0 <= c <= 255 for c in label.color):
                raise BadInput(f'label set {self.name!r}, class {label.name!r}: color '
                               f'{label.color!r} is not three numbers from 0 to 255')
        names = self.names
        if len(set(names)) != len(names):
            duplicate = next(name for name in names if names.count(name) > 1)
            raise BadInput(f'label set {self.name!r} names {duplicate!r} twice; rename one')
        if type(self.void_id) is not int or not len(self) <= self.void_id <= UNLABELED:
            raise BadInput(f'label set {self.name!r} has void_id {self.void_id!r}; it must be a '
                           f'number from {len(self)}, the first that is not the id of a class, '
                           f'to {UNLABELED}')

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> list[str]:
        """Return the names of the classes in order of their ids."""
        return [label.name for label in self.classes]

    def id_of(self, name: str) -> int:
        """Return the id of a class; raise BadInput for an unknown name."""
        if name not in self.names:
            raise BadInput(f'label set {self.name!r} has no class {name!r}; '
                           f'it has {", ".join(self.names)}')
        return self.names.index(name)

    def palette(self) -> NDArray[np.uint8]:
        """Return the colors as a lookup table, (256, 3) RGB; ids without a class are black."""
        table = np.zeros((256, 3), np.uint8)
        table[:len(self)] = [label.color for label in self.classes]
        return table

    def to_dict(self) -> dict[str, object]:
        """Return the label set as plain data for JSON."""
        return {
            'name': self.name,
            'void_id': self.void_id,
            'classes': [{'name': label.name, 'color': list(label.color),
                         'drivable': label.drivable} for label in self.classes],
        }

    @classmethod
    def from_dict(cls, data: object) -> 'LabelSet':
        """Return the label set of `to_dict`'s data; raise BadInput for anything else."""
        if (isinstance(data, dict) and isinstance(name := data.get('name'), str)
                and isinstance(entries := data.get('classes'), (list, tuple))):
            classes = tuple(_class_from_dict(entry, index) for index, entry in enumerate(entries))
            return cls(name, classes, data.get('void_id', UNLABELED))
        raise BadInput('not a label set: it needs a name and classes, each with a name and a '
                       'color')


def _class_from_dict(data: object, index: int) -> LabelClass:
    where = f'not a label set: class {index}'
    if not isinstance(data, dict):
        raise BadInput(f'{where} is {data!r}; it needs a name and a color')
    name, color, drivable = data.get('name'), data.get('color'), data.get('drivable', False)
    if not isinstance(name, str):
        raise BadInput(f'{where}: name is {name!r}; it must be text (in YAML, quote words like '
                       'off)')
    if (not isinstance(color, (list, tuple)) or len(color) != 3
            or not all(type(channel) is int for channel in color)):
        raise BadInput(f'{where}, {name!r}: color is {color!r}; it must be three numbers from 0 '
                       'to 255')
    if not isinstance(drivable, bool):
        raise BadInput(f'{where}, {name!r}: drivable is {drivable!r}; it must be true or false')
    return LabelClass(name, (color[0], color[1], color[2]), drivable)


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


def _pascal_voc_color(index: int) -> tuple[int, int, int]:
    """Return the color of an index in the color map of Pascal VOC.

    The bits of the index go to R, G and B in turn, from the most significant bit down.
    """
    color = [0, 0, 0]
    for level in range(8):
        for channel in range(3):
            color[channel] |= (index >> (3 * level + channel) & 1) << (7 - level)
    return color[0], color[1], color[2]


_SUN_NAMES = (
    'wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds desk '
    'shelves curtain dresser pillow mirror floor_mat clothes ceiling books fridge tv paper towel '
    'shower_curtain box whiteboard person night_stand toilet sink lamp bathtub bag').split()

# Label files count classes from 1 and use 0 for unlabeled pixels; ids here count from 0.
SUN_RGBD = LabelSet('sunrgbd', tuple(
    LabelClass(name, _pascal_voc_color(i + 1), drivable=name in ('floor', 'floor_mat'))
    for i, name in enumerate(_SUN_NAMES)))

LABEL_SETS = {labels.name: labels for labels in (CAMVID, CITYSCAPES, SUN_RGBD)}
