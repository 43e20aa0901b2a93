"""Scores of the Cityscapes benchmark beyond class IoU: category IoU and instance-level iIoU."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.data.cityscapes import LABEL_IDS
from enet_ros.evaluation.metrics import ConfusionMatrix, ratio
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
# Average pixels of an instance, for the classes with individually annotated instances
# (cityscapesScripts, evalPixelLevelSemanticLabeling.py).
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
ID_FACTOR = 1000  # instance n of label l has the id 1000 l + n; other pixels have the id l

NO_CLASS = len(CITYSCAPES)  # index of "no class", the last place of the tables
_AVERAGE_SIZE = np.array([AVERAGE_SIZES.get(name, 0.0) for name in CITYSCAPES.names] + [0.0])
_CATEGORY_OF_NAME = {name: index for index, members in enumerate(CATEGORIES.values())
                     for name in members}
_CATEGORY = np.array([_CATEGORY_OF_NAME[name] for name in CITYSCAPES.names] + [len(CATEGORIES)])
_CLASS_OF_LABEL = {label: index for index, label in enumerate(LABEL_IDS)}


class InstanceCounts:
    """Pixels of instances by class, each instance weighted as if it had the average size.

    So a distant, small car matters as much as a near, large one. `counts` has the shape
    (3, classes): the instances' pixels, those predicted as their class, and those predicted as
    any class of their category. `+=` adds the counts of other frames.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.float64] = np.zeros((3, NO_CLASS))

    def add(self, instances: NDArray[np.int32], prediction: NDArray[np.uint8]) -> None:
        """Count a frame: ids as in `*_instanceIds.png` and predicted class ids, both (H, W)."""
        inside = instances > ID_FACTOR
        ids, index, sizes = np.unique(instances[inside], return_inverse=True, return_counts=True)
        classes = np.array([_CLASS_OF_LABEL.get(label, NO_CLASS) for label in ids // ID_FACTOR],
                           np.intp)
        # All of these are (pixels,).
        weight = (_AVERAGE_SIZE[classes] / sizes)[index]
        truth, predicted = classes[index], np.minimum(prediction[inside], NO_CLASS)
        same_class = predicted == truth
        same_category = _CATEGORY[predicted] == _CATEGORY[truth]
        for row, counted in enumerate((1, same_class, same_category)):
            self.counts[row] += np.bincount(truth, weight * counted, NO_CLASS + 1)[:NO_CLASS]

    def __iadd__(self, other: 'InstanceCounts') -> 'InstanceCounts':
        self.counts += other.counts
        return self

    def iou(self, matrix: ConfusionMatrix) -> dict[str, float]:
        """Return {class: iIoU}, given the ConfusionMatrix of the same frames.

        False positives belong to no instance, so they are not weighted. A class that occurs
        neither in the ground truth nor in the predictions has NaN.
        """
        pixels, hits, _ = self.counts
        scores = dict(zip(CITYSCAPES.names,
                          ratio(hits, pixels + matrix.false_positives()).tolist()))
        return {name: scores[name] for name in AVERAGE_SIZES}

    def category_iou(self, matrix: ConfusionMatrix) -> dict[str, float]:
        """Return {category: iIoU}, given the ConfusionMatrix of the same frames."""
        pixels, _, hits = (np.bincount(_CATEGORY[:-1], row) for row in self.counts)
        false_positives = by_category(matrix).false_positives()
        scores = dict(zip(CATEGORIES, ratio(hits, pixels + false_positives).tolist()))
        return {name: scores[name] for name in INSTANCE_CATEGORIES}


def by_category(matrix: ConfusionMatrix) -> ConfusionMatrix:
    """Return the ConfusionMatrix of the categories from that of the classes."""
    return matrix.grouped(_CATEGORY[:-1])


def category_iou(matrix: ConfusionMatrix) -> dict[str, float]:
    """Return {category: IoU} from the ConfusionMatrix of the classes."""
    return dict(zip(CATEGORIES, by_category(matrix).iou().tolist()))
