"""A confusion matrix as a figure."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix, ratio
from enet_ros.labels import LabelSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.42  # inches, width and height
LEAST_SHARE = 0.005  # smaller shares get no number


def require_matplotlib() -> None:
    """Raise BadInput if matplotlib is not installed."""
    if find_spec('matplotlib') is None:
        raise BadInput('the report has figures, which matplotlib draws, and it is not installed; '
                       "pip install matplotlib, or 'enet_ros[evaluate]'")


def confusion_figure(title: str, matrix: ConfusionMatrix, labels: LabelSet) -> Figure:
    """Draw how the pixels of each true class are distributed over the predicted classes.

    Each row is a true class and each column a predicted class, in percent of the row. On the
    right are the IoU of the class and its share of all labeled pixels, in percent. The column
    `none` appears only if some pixels have no predicted class.
    """
    from matplotlib import colormaps
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    predicted = labels.names + (['none'] if matrix.counts[:, -1].any() else [])
    rows, columns = len(labels), len(predicted)
    pixels = matrix.counts.sum(1)
    shares = ratio(matrix.counts[:, :columns], pixels[:, None])  # (rows, columns)

    figure = Figure(figsize=(CELL * (columns + 3) + 2, CELL * rows + 2), layout='constrained')
    figure.suptitle(title)
    axes = figure.add_subplot(xlabel='predicted class, percent of the row', ylabel='true class')
    # The square root makes small shares visible: they are the confusions.
    axes.imshow(shares, colormaps['Blues'].with_extremes(bad='0.92'), PowerNorm(0.5, 0, 1))
    for (row, column), share in np.ndenumerate(shares):
        if share >= LEAST_SHARE:
            axes.text(column, row, f'{100 * share:.0f}', ha='center', va='center',
                      color='white' if share > 0.36 else 'black')
    for column, values, digits in ((columns, matrix.iou(), 0),
                                   (columns + 1, ratio(pixels, pixels.sum()), 1)):
        for row, value in enumerate(values):
            text = '-' if np.isnan(value) else f'{100 * value:.{digits}f}'
            axes.text(column, row, text, ha='center', va='center')
    colors = [np.array(label.color) / 255 for label in labels.classes]
    axes.scatter([-1] * rows, range(rows), s=110, c=colors, marker='s')

    axes.set_xlim(-1.5, columns + 1.5)
    axes.set_xticks(range(columns + 2), [*predicted, 'IoU', 'share of pixels'], rotation=90)
    axes.set_yticks(range(rows), labels.names)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure
