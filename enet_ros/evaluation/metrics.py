"""Accuracy of label images, counted in a confusion matrix."""

import numpy as np


class ConfusionMatrix:
    """Pixels counted by true class (row) and predicted class (column).

    Pixels whose truth is no class (void) do not count. A pixel with a class in truth and none in
    the prediction is a miss of its class: it counts in the extra last column. `counts` is int64
    (classes, classes + 1); `+=` adds another matrix's, of other frames or of another process.
    """

    def __init__(self, classes):
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64)

    def add(self, truth, prediction):
        """Count one pair of label images, uint8 of one shape."""
        if truth.shape != prediction.shape:
            raise ValueError(f'truth is {truth.shape}, prediction {prediction.shape}')
        known = truth < self.classes
        cells = (truth[known].astype(np.int64) * (self.classes + 1)
                 + np.minimum(prediction[known], self.classes))
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def __iadd__(self, other):
        if other.classes != self.classes:
            raise ValueError(f'{other.classes} classes cannot be added to {self.classes}')
        self.counts += other.counts
        return self

    def grouped(self, groups):
        """Return the matrix of groups of classes; `groups` holds the group's id of each class.

        A class taken for another of its group is right there.
        """
        groups = np.asarray(groups)
        matrix = ConfusionMatrix(int(groups.max()) + 1)
        columns = np.append(groups, matrix.classes)
        np.add.at(matrix.counts, (groups[:, None], columns[None]), self.counts)
        return matrix

    def hits(self):
        """Return how many pixels of each class were found, (classes,)."""
        return np.diagonal(self.counts)

    def false_alarms(self):
        """Return how many pixels of other classes were taken for each class, (classes,)."""
        return self.counts[:, :self.classes].sum(0) - self.hits()

    def iou(self):
        """Return the intersection over union of each class, (classes,); NaN where none occurs."""
        return ratio(self.hits(), self.counts.sum(1) + self.false_alarms())

    def mean_iou(self):
        """Return the mean IoU over the classes that occur; NaN where nothing was counted."""
        return mean(self.iou())

    def class_accuracy(self):
        """Return the share of each class's pixels that was found, (classes,); NaN without any."""
        return ratio(self.hits(), self.counts.sum(1))

    def class_average_accuracy(self):
        """Return the mean of the accuracies of the classes that occur; NaN without any."""
        return mean(self.class_accuracy())

    def accuracy(self):
        """Return the share of all labelled pixels that is right (the papers' global accuracy).

        NaN where nothing was counted.
        """
        return float(ratio(self.hits().sum(), self.counts.sum()))


def ratio(part, whole):
    """Return part / whole, elementwise; NaN where whole is 0."""
    return part / np.where(whole > 0, whole, np.nan)


def mean(scores):
    """Return the mean of the scores that are numbers; NaN where none is."""
    known = np.array(scores)[np.isfinite(scores)]
    return float(known.mean()) if known.size else float('nan')
