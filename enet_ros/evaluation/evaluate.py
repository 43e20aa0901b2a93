"""Accuracy of a Segmenter on labeled frames."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enet_ros.data.cityscapes import CityscapesFrames
from enet_ros.data.frames import Dataset, LabeledImage
from enet_ros.errors import BadInput
from enet_ros.evaluation.cityscapes_metrics import InstanceCounts
from enet_ros.evaluation.confidence_counts import ConfidenceCounts
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.scores import Scores
from enet_ros.images.postprocess import scale_labels
from enet_ros.labels import LabelSet
from enet_ros.segmenter import Segmenter


class Evaluation:
    """Accumulates the accuracy of a Segmenter frame by frame, at the size of the frames' labels.

    matrix is the ConfusionMatrix and confidence the ConfidenceCounts over all frames, frame_iou
    the mean IoU of each frame, and instances the InstanceCounts if frames have instances, else
    None.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.matrix = ConfusionMatrix(len(segmenter.labels))
        self.confidence = ConfidenceCounts(len(segmenter.labels))
        self.frame_iou: list[float] = []
        self.instances: InstanceCounts | None = None

    def add(self, image: NDArray[np.uint8], truth: NDArray[np.uint8],
            instances: NDArray[np.int32] | None = None) -> None:
        """Segment an RGB image (H, W, 3) and compare the prediction with its class ids (H, W).

        instances (H, W) are ids as in Cityscapes' `*_instanceIds.png`.
        """
        prediction, confidence = self.predict(image, truth.shape)
        self.confidence.add(truth, prediction, confidence)
        frame = ConfusionMatrix(self.matrix.classes)
        frame.add(truth, prediction)
        self.matrix += frame
        self.frame_iou.append(frame.mean_iou())
        if instances is not None:
            self.instances = self.instances or InstanceCounts()
            self.instances.add(instances, prediction)

    def predict(self, image: NDArray[np.uint8], shape: tuple[int, ...]
                ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return class ids and confidence of an RGB image, resized to `shape` (H, W)."""
        height, width = shape
        segmentation = self.segmenter(image)
        assert segmentation.confidence is not None
        return (scale_labels(segmentation.labels, width, height),
                scale_labels(segmentation.confidence, width, height))

    def worst(self, count: int) -> list[int]:
        """Return the indices of the `count` frames with the lowest mean IoU, lowest first."""
        order = np.argsort(self.frame_iou, kind='stable')  # NaN, frames without labels, come last
        return [int(index) for index in order[:count] if np.isfinite(self.frame_iou[index])]

    def scores(self) -> Scores:
        """Return the scores over all frames."""
        return Scores.of(self.matrix, self.segmenter.labels, self.instances)


def evaluate(segmenter: Segmenter, frames: Iterable[LabeledImage]) -> ConfusionMatrix:
    """Return the ConfusionMatrix over labeled images, counted at the size of their labels."""
    evaluation = Evaluation(segmenter)
    for image, truth in frames:
        evaluation.add(image, truth)
    return evaluation.matrix


def evaluate_split(segmenter: Segmenter, dataset: Dataset, split: str) -> Evaluation:
    """Evaluate a Segmenter on a split of a Dataset and show a progress bar.

    Raise BadInput if the data set lacks the split or the segmenter's classes, or if one of its
    files cannot be used.
    """
    require_same_classes(segmenter.labels, dataset.labels)
    frames = dataset.splits[split]
    frames.check(progress=True)
    if isinstance(frames, CityscapesFrames):
        frames.check_instances()
    evaluation = Evaluation(segmenter)
    for index in tqdm(range(len(frames)), 'evaluate', unit='frame', disable=None):
        image, truth = frames[index]
        instances = None
        if isinstance(frames, CityscapesFrames):
            instances = frames.instances(index, truth.shape)
        evaluation.add(image, truth, instances)
    return evaluation


def require_same_classes(model: LabelSet, data: LabelSet) -> None:
    """Raise BadInput if the classes of a model are not those of the data."""
    if model.names == data.names:
        return
    differences = (f'class {index} is {ours} and {theirs}' for index, (ours, theirs)
                   in enumerate(zip(model.names, data.names)) if ours != theirs)
    difference = next(differences, f'{len(model)} and {len(data)} classes')
    raise BadInput(f'the model has the classes of {model.name}, the data set those of '
                   f'{data.name} ({difference}); choose a model and data with the same classes')
