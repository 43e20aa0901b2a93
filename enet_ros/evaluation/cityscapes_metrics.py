"""What the Cityscapes benchmark scores beyond class IoU: categories, and instances by size."""

import numpy as np

from enet_ros.data.cityscapes import LABEL_IDS
from enet_ros.evaluation.metrics import ratio
from enet_ros.labels import CITYSCAPES

CATEGORIES = {
    'flat': ('road', 'sidewalk'),
    'construction': ('building', 'wall', 'fence'),
    'object': ('pole', 'traffic light', 'traffic sign'),
    'nature': ('vegetation', 'terrain'),
    'sky': ('sky',),
    'human': ('person', 'rider'),
    'vehicle': ('car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
}
# Pixels of an average instance, of the classes whose instances are told apart.
AVERAGE_SIZES = {
    'person': 3462.4756,
    'rider': 3930.4788,
    'car': 12794.0203,
    'truck': 27855.1264,
    'bus': 35732.1511,
    'train': 67583.7076,
    'motorcycle': 6298.7201,
    'bicycle': 4672.3249,
}
INSTANCE_CATEGORIES = ('human', 'vehicle')
LABEL_FACTOR = 1000  # instance n of label l has id 1000 l + n; what is not told apart has id l

NONE = len(CITYSCAPES)  # stands for "no class", in the last place of the tables
_AVERAGE_SIZE = np.array([AVERAGE_SIZES.get(name, 0.0) for name in CITYSCAPES.names] + [0.0])
_CATEGORY = np.array([next(place for place, members in enumerate(CATEGORIES.values())
                           if name in members) for name in CITYSCAPES.names] + [len(CATEGORIES)])
_CLASS_OF_LABEL = {label: place for place, label in enumerate(LABEL_IDS)}


class InstanceCounts:
    """Pixels of instances by class, every instance weighted to count as one of average size.

    So a far, small car matters as much as a near, large one. `counts` is float64 (3, classes):
    the instances' pixels, those of them answered with their class, and those answered with any
    class of their category. `+=` adds another's counts.
    """

    def __init__(self):
        self.counts = np.zeros((3, NONE))

    def add(self, instances, prediction):
        """Count one frame: ids as in *_instanceIds.png, and class ids, uint8, of one shape."""
        inside = instances > LABEL_FACTOR
        ids, place, sizes = np.unique(instances[inside], return_inverse=True, return_counts=True)
        classes = np.array([_CLASS_OF_LABEL.get(label, NONE) for label in ids // LABEL_FACTOR],
                           np.intp)
        weight = (_AVERAGE_SIZE[classes] / sizes)[place]  # (pixels,), as all from here
        truth, answer = classes[place], np.minimum(prediction[inside], NONE)
        for row, counted in enumerate((1, answer == truth, _CATEGORY[answer] == _CATEGORY[truth])):
            self.counts[row] += np.bincount(truth, weight * counted, NONE + 1)[:NONE]

    def __iadd__(self, other):
        self.counts += other.counts
        return self

    def iou(self, matrix):
        """Return {class: iIoU} with the ConfusionMatrix of the same frames.

        False alarms keep their own weight, for they belong to no instance. NaN for a class that
        occurs neither in the truth nor in the answers.
        """
        pixels, hits, _ = self.counts
        scores = dict(zip(CITYSCAPES.names, ratio(hits, pixels + matrix.false_alarms())))
        return {name: scores[name] for name in AVERAGE_SIZES}

    def category_iou(self, matrix):
        """Return {category: iIoU}, likewise."""
        pixels, _, hits = (np.bincount(_CATEGORY[:-1], row) for row in self.counts)
        scores = dict(zip(CATEGORIES, ratio(hits, pixels + by_category(matrix).false_alarms())))
        return {name: scores[name] for name in INSTANCE_CATEGORIES}


def by_category(matrix):
    """Return the ConfusionMatrix of the categories from that of the classes."""
    return matrix.grouped(_CATEGORY[:-1])


def category_iou(matrix):
    """Return {category: IoU} from the ConfusionMatrix of the classes."""
    return dict(zip(CATEGORIES, by_category(matrix).iou()))
