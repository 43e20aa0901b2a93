"""The kinds of surface that the classes of a label image stand for."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELED, LabelSet

# States of ground, as in nav_msgs/OccupancyGrid.
FREE, OCCUPIED, UNKNOWN = 0, 100, -1
# Kinds of surface; those of ground are its states.
DRIVABLE, FLAT, OBSTACLE = FREE, OCCUPIED, -2


class SurfaceClasses:
    """Sorts class ids into drivable ground, other flat ground, obstacles and unknown.

    Flat ground such as a sidewalk is not drivable, but hides nothing behind it. Raise BadInput if
    no class is drivable, or if one is both drivable and flat.

    drivable: class names; if empty, the drivable classes of the label set.
    flat: class names; if empty, the classes named in default_flat that are not drivable.
    default_flat, overhanging: names in lower snake case; the label set need not have them.
        Overhanging obstacles stand on wheels or legs, with a gap below them.

    Attributes:
        surfaces: int8 (256,), the kind of surface of each id.
        overhanging: bool (256,), whether each id is an overhanging obstacle.
    """

    def __init__(self, labels: LabelSet, drivable: Sequence[str] = (), flat: Sequence[str] = (),
                 default_flat: Sequence[str] = (), overhanging: Sequence[str] = ()) -> None:
        self.labels = labels
        self.overhanging = np.zeros(256, bool)
        self.overhanging[list(_ids_of_topic_names(labels, overhanging))] = True
        if drivable:
            drivable_ids = {labels.id_of(name) for name in drivable}
        else:
            drivable_ids = {id_ for id_, label in enumerate(labels.classes) if label.drivable}
        flat_ids = {labels.id_of(name) for name in flat}
        if not flat:
            flat_ids = _ids_of_topic_names(labels, default_flat) - drivable_ids
        elif not drivable:
            drivable_ids -= flat_ids
        if not drivable_ids:
            raise BadInput(f'label set {labels.name!r} has no drivable class; name the drivable '
                           'classes')
        if both := drivable_ids & flat_ids:
            raise BadInput(f'class {labels.names[min(both)]!r} is both drivable and flat; remove '
                           'it from one of the two')
        self.surfaces = np.full(256, UNKNOWN, np.int8)
        self.surfaces[:len(labels)] = OBSTACLE
        self.surfaces[list(flat_ids)] = FLAT
        self.surfaces[list(drivable_ids)] = DRIVABLE
        self._table = self.surfaces.tobytes()

    def classify(self, image: NDArray[np.uint8]) -> NDArray[np.int8]:
        """Return the kind of surface of each pixel of a label image, (H, W).

        Raise BadInput if an id is neither a class nor UNLABELED.
        """
        # UNLABELED wraps around to 0.
        highest = int((image + np.uint8(1)).max()) - 1
        if highest >= len(self.labels):
            raise BadInput(f'the label image has id {highest}, but label set '
                           f'{self.labels.name!r} ends at {len(self.labels) - 1} (and '
                           f'{UNLABELED}, unlabeled); use the label map of the same model')
        surfaces = np.frombuffer(image.tobytes().translate(self._table), np.int8)
        return surfaces.reshape(image.shape)


def _ids_of_topic_names(labels: LabelSet, names: Iterable[str]) -> set[int]:
    """Return the ids of the classes whose names in lower snake case are among some names."""
    names = set(names)
    return {id_ for id_, label in enumerate(labels.classes) if label.topic_name in names}
