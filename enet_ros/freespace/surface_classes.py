"""What the classes of a label image mean to somebody who drives."""

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELED

# As int8. The first three are the occupancy grid's values for such ground.
DRIVABLE, FLAT, UNKNOWN, OBSTACLE = 0, 100, -1, -2


class SurfaceClasses:
    """Sorts class ids into drivable ground, other flat ground, obstacles and the unknown.

    labels is a LabelSet; drivable and flat are class names that take the place of its own
    drivable classes and of those of `usual_flat` names that are not drivable. Flat ground, as
    pavement, is not for driving, but hides nothing. `bodies` names obstacles with a gap below.
    kinds int8 (256,) is the kind of each id, bodies bool (256,) whether it is such a body.
    """

    def __init__(self, labels, drivable=(), flat=(), usual_flat=(), bodies=()):
        self.labels = labels
        self.bodies = np.zeros(256, bool)
        self.bodies[list(_like(labels, bodies))] = True
        drivable_ids = {labels.id_of(name) for name in drivable} if drivable else {
            place for place, label in enumerate(labels.classes) if label.drivable}
        flat_ids = {labels.id_of(name) for name in flat}
        if not flat:
            flat_ids = _like(labels, usual_flat) - drivable_ids
        elif not drivable:
            drivable_ids -= flat_ids
        if not drivable_ids:
            raise BadInput(f'label set {labels.name!r} has no drivable class; name those that are')
        if drivable_ids & flat_ids:
            name = labels.names[min(drivable_ids & flat_ids)]
            raise BadInput(f'class {name!r} is named as drivable and as flat but not drivable; '
                           'take it out of one')
        table = np.full(256, UNKNOWN, np.int8)
        table[:len(labels)] = OBSTACLE
        table[list(flat_ids)], table[list(drivable_ids)] = FLAT, DRIVABLE
        self.kinds, self._table = table, table.tobytes()

    def of(self, image):
        """Map a label image, uint8 (H, W), to kinds of surface, int8 (H, W).

        Raise BadInput where an id is neither a class nor UNLABELED.
        """
        # UNLABELED wraps around to 0.
        highest = int((image + np.uint8(1)).max()) - 1
        if highest >= len(self.labels):
            raise BadInput(f'the label image has id {highest}, but label set '
                           f'{self.labels.name!r} ends at {len(self.labels) - 1} (and '
                           f'{UNLABELED}, unlabelled); use the label map of the same model')
        kinds = np.frombuffer(image.tobytes().translate(self._table), np.int8)
        return kinds.reshape(image.shape)


def _like(labels, names):
    """Return the ids of classes called as one of some names in lower snake case."""
    return {place for place, label in enumerate(labels.classes) if label.topic_name in names}
