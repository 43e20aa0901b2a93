"""Reliability and risk-coverage curves of the confidence as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from enet_ros.evaluation.confidence_counts import BINS, LEVELS, ConfidenceCounts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def confidence_figure(title: str, series: Mapping[str, ConfidenceCounts]) -> Figure:
    """Draw a reliability diagram and a risk-coverage curve of one or several confidences.

    Left: accuracy over confidence by bin, and below it the share of pixels in each bin. Right:
    the share of wrong labels among those kept, over the share of pixels that keep their label, as
    the threshold of the confidence varies.

    series: counts by the name in the legend.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout='constrained')
    figure.suptitle(title)
    grid = figure.add_gridspec(2, 2, height_ratios=(4, 1))
    reliability = figure.add_subplot(grid[0, 0])
    histogram = figure.add_subplot(grid[1, 0], sharex=reliability)
    risk = figure.add_subplot(grid[:, 1])
    for index, (name, counts) in enumerate(series.items()):
        _draw_reliability(reliability, name, counts)
        pixels = counts.bins().pixels
        width = 1 / BINS / len(series)
        histogram.bar(np.arange(BINS) / BINS + (index + 0.5) * width, pixels / pixels.sum(),
                      width)
        thresholds = np.maximum(np.arange(LEVELS) - 0.5, 0) / (LEVELS - 1)
        risk.plot(100 * counts.coverage(thresholds), 100 * counts.error(thresholds), label=name)
    reliability.plot([0, 1], [0, 1], color='0.6', linewidth=1)  # confidence is accuracy
    reliability.set(ylabel='accuracy', xlim=(0, 1), ylim=(0, 1))
    reliability.legend()
    histogram.set(xlabel='confidence', ylabel='share of pixels', yscale='log')
    risk.set(xlabel='pixels that keep their label, percent', ylabel='wrong among these, percent',
             xlim=(0, 100), ylim=(0, None))
    risk.legend()
    for axes in (reliability, risk):
        axes.grid(color='0.9')
    return figure


def _draw_reliability(axes: Axes, name: str, counts: ConfidenceCounts) -> None:
    bins = counts.bins()
    found = bins.pixels > 0
    error = counts.expected_calibration_error()
    axes.plot(bins.confidence[found], bins.accuracy[found], marker='o', markersize=4,
              label=f'{name}: expected calibration error {error:.3f}')
