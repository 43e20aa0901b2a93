"""Accuracy of a Segmenter on labelled frames."""

import numpy as np
from tqdm import tqdm

from enet_ros.errors import BadInput
from enet_ros.evaluation.cityscapes_metrics import InstanceCounts, category_iou
from enet_ros.evaluation.metrics import ConfusionMatrix, mean
from enet_ros.images.postprocess import scale_labels
from enet_ros.labels import CITYSCAPES


class Evaluation:
    """The scores of a Segmenter, frame by frame, counted at the size of the frames' labels.

    matrix is the ConfusionMatrix over all frames, frame_iou the mean IoU of each by itself, and
    instances the InstanceCounts where frames have instances, else None.
    """

    def __init__(self, segmenter):
        self.segmenter = segmenter
        self.matrix = ConfusionMatrix(len(segmenter.labels))
        self.frame_iou = []
        self.instances = None

    def add(self, image, truth, instances=None):
        """Segment an image, uint8 (H, W, 3) RGB, and compare the answer to the truth.

        truth uint8 (H, W) class ids; instances int (H, W) as in Cityscapes' *_instanceIds.png.
        """
        answer = self.answer(image, truth.shape)
        frame = ConfusionMatrix(self.matrix.classes)
        frame.add(truth, answer)
        self.matrix += frame
        self.frame_iou.append(frame.mean_iou())
        if instances is not None:
            self.instances = self.instances or InstanceCounts()
            self.instances.add(instances, answer)

    def answer(self, image, shape):
        """Return the class ids of an image, uint8 of `shape` (H, W)."""
        labels = self.segmenter(image, confidence=False).labels
        return scale_labels(labels, shape[1], shape[0])

    def worst(self, count):
        """Return the numbers of the `count` frames of least mean IoU, the worst first."""
        order = np.argsort(self.frame_iou, kind='stable')  # frames without labels, NaN, come last
        return [int(frame) for frame in order[:count] if np.isfinite(self.frame_iou[frame])]

    def scores(self):
        """Return the scores as `describe` does."""
        return describe(self.matrix, self.segmenter.labels, self.instances)


def evaluate(segmenter, frames):
    """Return the confusion matrix over (image, truth) pairs, counted at the truth's size."""
    evaluation = Evaluation(segmenter)
    for image, truth in frames:
        evaluation.add(image, truth)
    return evaluation.matrix


def evaluate_split(segmenter, dataset, split):
    """Return the Evaluation on a split of a Dataset; show a progress bar.

    Raise BadInput where the data set has no such split, or not the segmenter's classes, or where
    a file of it cannot be used.
    """
    require_classes_of(segmenter.labels, dataset.labels)
    frames = dataset.splits[split]
    frames.check(progress=True)
    with_instances = hasattr(frames, 'instances')
    if with_instances:
        frames.check_instances()
    evaluation = Evaluation(segmenter)
    for index in tqdm(range(len(frames)), 'evaluate', unit='frame', disable=None):
        image, truth = frames[index]
        instances = frames.instances(index, truth.shape) if with_instances else None
        evaluation.add(image, truth, instances)
    return evaluation


def require_classes_of(model, data):
    """Raise BadInput where the label set of the model is not the data's."""
    if model.names == data.names:
        return
    difference = next((f'class {place} is {ours} and {theirs}' for place, (ours, theirs)
                       in enumerate(zip(model.names, data.names)) if ours != theirs),
                      f'{len(model)} and {len(data)} classes')
    raise BadInput(f'the model tells the classes of {model.name} apart, the data set has those of '
                   f'{data.name} ({difference}); choose a model and data of the same classes')


def describe(matrix, label_set, instances=None):
    """Return the scores as plain data: pixel accuracy, and others by class name with their means.

    With Cityscapes' classes also IoU by category, and with InstanceCounts iIoU. NaN stands for
    what does not occur.
    """
    scores = {'iou': dict(zip(label_set.names, matrix.iou())),
              'accuracy': dict(zip(label_set.names, matrix.class_accuracy()))}
    if label_set.names == CITYSCAPES.names:
        scores['category_iou'] = category_iou(matrix)
    if instances is not None:
        scores['iiou'] = instances.iou(matrix)
        scores['category_iiou'] = instances.category_iou(matrix)
    return {
        'pixel_accuracy': matrix.accuracy(),
        **{f'mean_{kind}': mean([*by_name.values()]) for kind, by_name in scores.items()},
        **{kind: {name: float(value) for name, value in by_name.items()}
           for kind, by_name in scores.items()},
    }
