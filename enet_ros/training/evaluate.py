"""Accuracy of a Segmenter on labelled frames."""

from enet_ros.postprocess import scale_labels
from enet_ros.training.metrics import ConfusionMatrix


def evaluate(segmenter, frames):
    """Return the confusion matrix over (image, truth) pairs, counted at the truth's size."""
    matrix = ConfusionMatrix(len(segmenter.labels))
    for image, truth in frames:
        labels = segmenter(image, confidence=False).labels
        matrix.add(truth, scale_labels(labels, truth.shape[1], truth.shape[0]))
    return matrix


def describe(matrix, label_set):
    """Return the scores as plain data: mean IoU, pixel accuracy and IoU by class name."""
    return {
        'mean_iou': round(matrix.mean_iou(), 4),
        'pixel_accuracy': round(matrix.accuracy(), 4),
        'iou': {name: round(float(iou), 4) for name, iou in zip(label_set.names, matrix.iou())},
    }
