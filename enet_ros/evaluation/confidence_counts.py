"""How well the published confidence predicts whether labels are correct."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enet_ros.evaluation.metrics import ratio

LEVELS = 256  # of the confidence, which is published as 255 times the probability
BINS = 15  # of equal width, as in the papers; each holds 17 levels, the last one 18


class ReliabilityBins(NamedTuple):
    """Pixels grouped by their confidence into bins of equal width, (bins,) each.

    pixels: their number. confidence: their mean confidence, 0-1. accuracy: the share of them
    whose label is correct. The latter two are NaN for an empty bin.
    """

    pixels: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


class ConfidenceCounts:
    """Pixels counted by their confidence and by whether their label is correct.

    Pixels without a true class (void) are not counted. `counts` has the shape (2, 256): wrong and
    correct pixels of each confidence, which is 255 times the probability of the label.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts: NDArray[np.int64] = np.zeros((2, LEVELS), np.int64)

    def add(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8],
            confidence: NDArray[np.uint8]) -> None:
        """Count the pixels of two label images and a confidence image, all of one shape."""
        labeled = truth < self.classes
        correct = truth[labeled] == prediction[labeled]
        cells = confidence[labeled] + LEVELS * correct.astype(np.int64)
        self.counts += np.bincount(cells, minlength=2 * LEVELS).reshape(2, LEVELS)

    def bins(self) -> ReliabilityBins:
        """Return the pixels grouped into BINS bins of equal width."""
        levels = np.arange(LEVELS)
        index = np.minimum(levels * BINS // (LEVELS - 1), BINS - 1)
        wrong, correct = self.counts
        pixels, sums, right = (
            np.bincount(index, values, BINS)
            for values in (wrong + correct, (wrong + correct) * levels / (LEVELS - 1), correct))
        return ReliabilityBins(pixels.astype(np.int64), ratio(sums, pixels), ratio(right, pixels))

    def expected_calibration_error(self) -> float:
        """Return the mean difference between confidence and accuracy of the bins, 0-1.

        Bins are weighted by their pixels (Guo et al., On Calibration of Modern Neural Networks,
        2017). It is NaN if no pixel was counted.
        """
        pixels, confidence, accuracy = self.bins()
        differences = np.nan_to_num(np.abs(confidence - accuracy))
        return float(ratio((pixels * differences).sum(), pixels.sum()))

    def coverage(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Return the share of pixels that keep their label at thresholds of the confidence.

        thresholds: of the probability, 0-1, as in output.confidence_threshold.
        """
        kept = self._kept(thresholds)
        return ratio(kept.sum(0), self.counts.sum())

    def error(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Return the share of wrong labels among those kept at thresholds, NaN if none is."""
        kept = self._kept(thresholds)
        return ratio(kept[0], kept.sum(0))

    def _kept(self, thresholds: ArrayLike) -> NDArray[np.int64]:
        """Return the wrong and correct pixels at or above each threshold, (2, thresholds)."""
        above = np.c_[np.cumsum(self.counts[:, ::-1], 1)[:, ::-1], [0, 0]]  # (2, LEVELS + 1)
        least = np.ceil(np.asarray(thresholds) * (LEVELS - 1)).astype(int)  # as hide_uncertain
        return above[:, least]
