"""Accuracy of label images, counted in a confusion matrix."""

import numpy as np


class ConfusionMatrix:
    """Pixels counted by true class (row) and predicted class (column).

    Pixels whose truth is no class (void) do not count. A pixel with a class in truth and none in
    the prediction is a miss of its class: it counts in the extra last column.
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

    def iou(self):
        """Return the intersection over union of each class, (classes,); NaN where none occurs."""
        hits = np.diagonal(self.counts)
        union = self.counts.sum(1) + self.counts[:, :self.classes].sum(0) - hits
        with np.errstate(invalid='ignore'):
            return hits / np.where(union > 0, union, np.nan)

    def mean_iou(self):
        """Return the mean IoU over the classes that occur; NaN where nothing was counted."""
        iou = self.iou()
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float('nan')

    def accuracy(self):
        """Return the share of all labelled pixels that is right; NaN where nothing was counted."""
        total = self.counts.sum()
        return float(np.diagonal(self.counts).sum() / total) if total else float('nan')
