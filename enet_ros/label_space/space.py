"""What the pixel values of published label images mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.label_space.files import LabelSpaceFiles
from enet_ros.label_space.groups import Groups
from enet_ros.label_space.id_table import PIXEL_TYPES, IdTable
from enet_ros.label_space.palette import Palette
from enet_ros.labels import UNLABELED, LabelClass, LabelSet


@dataclass(frozen=True)
class LabelValue:
    """A value of published label images.

    color: RGB, each 0-255.
    drivable: whether all its classes are ground that a robot can drive on.
    class_ids: ids of the network's classes that are published with this value.
    """

    id: int
    name: str
    color: tuple[int, int, int]
    drivable: bool
    class_ids: tuple[int, ...]


@dataclass(frozen=True)
class LabelSpace:
    """The values of published label images.

    kind: as output.label_ids: classes, groups or mapped. file: the file that defines the ids, or
        ''.
    name: of the label set of the network's classes.
    values: in the order of the classes or groups.
    void: value of the pixels without a class.
    encoding: of the images, 'mono8' or '16SC1'.
    void_classes: names of the network's classes that are published as void.
    """

    kind: str
    file: str
    name: str
    values: tuple[LabelValue, ...]
    void: int
    encoding: str
    void_classes: tuple[str, ...] = ()

    def table(self) -> NDArray[np.integer] | None:
        """Return the published value of each class id, (256,); None if values are class ids."""
        if self.kind == 'classes':
            return None
        table = np.full(256, self.void, PIXEL_TYPES[self.encoding])
        for value in self.values:
            table[list(value.class_ids)] = value.id
        return table

    def palette(self) -> NDArray[np.uint8]:
        """Return the color of each class id, (256, 3) RGB; black where there is no value."""
        table = np.zeros((256, 3), np.uint8)
        for value in self.values:
            table[list(value.class_ids)] = value.color
        return table

    def label_set(self) -> LabelSet:
        """Return the values as a label set, whose ids are the positions of the values."""
        return LabelSet(self.name, tuple(
            LabelClass(value.name, value.color, value.drivable) for value in self.values))

    def named(self, names: Sequence[str]) -> list[LabelValue]:
        """Return the values with these names; raise BadInput for an unknown one."""
        values = {value.name: value for value in self.values}
        for name in names:
            if name not in values:
                raise BadInput(f'there is no class or group {name!r}; choose among '
                               f'{", ".join(values)}')
        return [values[name] for name in names]

    def summary(self) -> str:
        """Return what ~/label holds, for log and diagnostics."""
        return self.kind if not self.file else f'{self.kind} of {self.file}'

    def warning(self) -> str:
        """Return which classes are published as void, and the remedy; '' if none."""
        if not self.void_classes:
            return ''
        place = 'a group' if self.kind == 'groups' else 'ids'
        return (f'{self.file} leaves out {", ".join(self.void_classes)}, which are published as '
                f'{self.void} (no class); add them to {place} if readers need them')


def label_space(labels: LabelSet, files: LabelSpaceFiles) -> LabelSpace:
    """Return the values of label images for a network's classes; raise BadInput.

    The files must fit the classes.
    """
    if files.label_ids == 'groups' and files.groups:
        space = _groups_space(labels, files.groups)
    elif files.label_ids == 'mapped' and files.table:
        space = _mapped_space(labels, files.table)
    else:
        space = class_space(labels)
    return _recolored(space, files.palette) if files.palette else space


def group_labels(labels: LabelSet, groups: Groups) -> LabelSet:
    """Return the groups of a network's classes as a label set; raise BadInput."""
    return _groups_space(labels, groups).label_set()


def class_space(labels: LabelSet) -> LabelSpace:
    """Return the values of label images that hold class ids."""
    values = tuple(LabelValue(class_id, label.name, label.color, label.drivable, (class_id,))
                   for class_id, label in enumerate(labels.classes))
    return LabelSpace('classes', '', labels.name, values, UNLABELED, 'mono8')


def _groups_space(labels: LabelSet, groups: Groups) -> LabelSpace:
    values: list[LabelValue] = []
    group_of: dict[int, str] = {}
    for name, class_ids in groups.class_ids(labels).items():
        for class_id in class_ids:
            if class_id in group_of:
                raise BadInput(f'{groups.path}: class {labels.names[class_id]!r} is in the groups '
                               f'{group_of[class_id]!r} and {name!r}, so it has no single group '
                               'id; remove it from one, or set output.label_ids to classes')
            group_of[class_id] = name
        drivable = all(labels.classes[class_id].drivable for class_id in class_ids)
        values.append(LabelValue(len(values), name, labels.classes[class_ids[0]].color, drivable,
                                 class_ids))
    void_classes = tuple(name for class_id, name in enumerate(labels.names)
                         if class_id not in group_of)
    return LabelSpace('groups', groups.path, labels.name, tuple(values), UNLABELED, 'mono8',
                      void_classes)


def _mapped_space(labels: LabelSet, table: IdTable) -> LabelSpace:
    table.check_names(labels)
    values = tuple(LabelValue(table.ids[label.name], label.name, label.color, label.drivable,
                              (class_id,))
                   for class_id, label in enumerate(labels.classes) if label.name in table.ids)
    void_classes = tuple(name for name in labels.names if name not in table.ids)
    return LabelSpace('mapped', table.path, labels.name, values, table.void, table.encoding,
                      void_classes)


def _recolored(space: LabelSpace, palette: Palette) -> LabelSpace:
    """Return the space with the colors of a palette, matched by name."""
    values = tuple(
        LabelValue(value.id, value.name, palette.color_of(value.name, value.id), value.drivable,
                   value.class_ids) for value in space.values)
    return LabelSpace(space.kind, space.file, space.name, values, space.void, space.encoding,
                      space.void_classes)
