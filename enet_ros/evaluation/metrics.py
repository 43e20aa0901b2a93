"""Accuracy of label images from a confusion matrix."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ConfusionMatrix:
    """Pixels counted by true class (row) and predicted class (column).

    Pixels without a true class (void) are not counted. A pixel with a true class but no predicted
    one counts in the extra last column, as a miss of its class. `counts` has the shape
    (classes, classes + 1). `+=` adds the counts of other frames or of another process.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts: NDArray[np.int64] = np.zeros((classes, classes + 1), np.int64)

    def add(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Count the pixels of two label images of the same shape."""
        if truth.shape != prediction.shape:
            raise ValueError(f'ground truth is {truth.shape}, prediction {prediction.shape}')
        labeled = truth < self.classes
        cells = (truth[labeled].astype(np.int64) * (self.classes + 1)
                 + np.minimum(prediction[labeled], self.classes))
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def __iadd__(self, other: 'ConfusionMatrix') -> 'ConfusionMatrix':
        if other.classes != self.classes:
            raise ValueError(f'{other.classes} classes cannot be added to {self.classes}')
        self.counts += other.counts
        return self

    def grouped(self, groups: ArrayLike) -> 'ConfusionMatrix':
        """Return the matrix of groups of classes; `groups` holds the group id of each class.

        A prediction of another class of the same group is correct.
        """
        groups = np.asarray(groups)
        matrix = ConfusionMatrix(int(groups.max()) + 1)
        columns = np.append(groups, matrix.classes)
        np.add.at(matrix.counts, (groups[:, None], columns[None]), self.counts)
        return matrix

    def true_positives(self) -> NDArray[np.int64]:
        """Return the correctly predicted pixels of each class, (classes,)."""
        return np.diagonal(self.counts)

    def false_positives(self) -> NDArray[np.int64]:
        """Return the pixels of other classes predicted as each class, (classes,)."""
        return self.counts[:, :self.classes].sum(0) - self.true_positives()

    def iou(self) -> NDArray[np.float64]:
        """Return the intersection over union of each class, (classes,).

        It is NaN for a class that occurs neither in the ground truth nor in the predictions.
        """
        return ratio(self.true_positives(), self.counts.sum(1) + self.false_positives())

    def mean_iou(self) -> float:
        """Return the mean IoU of the classes that occur; NaN if none does."""
        return mean(self.iou())

    def class_accuracy(self) -> NDArray[np.float64]:
        """Return the share of each class's pixels predicted correctly, (classes,).

        It is NaN for a class without pixels.
        """
        return ratio(self.true_positives(), self.counts.sum(1))

    def class_average_accuracy(self) -> float:
        """Return the mean accuracy of the classes that occur; NaN if none does."""
        return mean(self.class_accuracy())

    def accuracy(self) -> float:
        """Return the share of all labeled pixels predicted correctly (global accuracy).

        It is NaN if no pixel was counted.
        """
        return float(ratio(self.true_positives().sum(), self.counts.sum()))


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Return part / whole elementwise, and NaN where whole is 0."""
    whole = np.asarray(whole)
    return np.asarray(part) / np.where(whole > 0, whole, np.nan)


def mean(scores: Iterable[float]) -> float:
    """Return the mean of the scores that are finite; NaN if none is."""
    values = np.array([*scores], np.float64)
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float('nan')
