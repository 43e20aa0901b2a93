"""A confusion matrix drawn for people."""

import cv2
import numpy as np

from enet_ros.evaluation.metrics import ratio
from enet_ros.images.contact_sheet import INK, MARGIN, PAPER, blank, text_width, write_text

CELL = 44               # pixels, width and height
DARKEST = (8, 48, 107)  # RGB of 100 percent
TEXT, TITLE = 0.45, 0.7


def confusion_picture(title, matrix, labels):
    """Draw how a ConfusionMatrix over a LabelSet deals each class's pixels out to the answers.

    A row for each true class, a column for each answer, in percent of the row; right of them the
    class's IoU and its share of all pixels, in percent. The column `none` is there only if some
    pixels had no answer. Return uint8 (H, W, 3) RGB.
    """
    answers = labels.names + ['none'] * bool(matrix.counts[:, -1].any())
    names = max(text_width(name, TEXT) for name in [*answers, 'share of pixels']) + 2 * MARGIN
    pixels = matrix.counts.sum(1)
    shares = ratio(matrix.counts[:, :len(answers)], pixels[:, None])  # (classes, answers)

    header = [_upright(name, names) for name in [*answers, 'IoU', 'share of pixels']]
    rows = [np.concatenate([_corner(names + CELL, names), *header], 1)]
    for label, row, iou, share in zip(labels.classes, shares, matrix.iou(),
                                      ratio(pixels, pixels.sum())):
        rows.append(np.concatenate([_name(label, names + CELL), *map(_share, row),
                                    _cell(_percent(iou)), _cell(_percent(share, 1))], 1))
    table = np.concatenate(rows)
    width = max(table.shape[1] + MARGIN, text_width(title, TITLE) + 2 * MARGIN)
    picture = blank(width, CELL + table.shape[0] + MARGIN)
    write_text(picture, title, MARGIN, CELL - MARGIN, TITLE)
    picture[CELL:CELL + table.shape[0], :table.shape[1]] = table
    return picture


def _corner(width, height):
    block = blank(width, height)
    for line, text in enumerate(('rows: truth', 'columns: answer', 'percent of the row')):
        write_text(block, text, MARGIN, height - MARGIN - (2 - line) * 20, TEXT)
    return block


def _upright(text, height):
    """Write a text from bottom to top, the width of a cell."""
    block = blank(height, CELL)
    write_text(block, text, MARGIN // 2, CELL // 2 + 5, TEXT)
    return cv2.rotate(block, cv2.ROTATE_90_COUNTERCLOCKWISE)


def _name(label, width):
    """Write a class's name, aligned right, with a patch of its colour."""
    block = blank(width, CELL)
    block[MARGIN:-MARGIN, width - CELL + MARGIN:-MARGIN] = label.color
    left = width - CELL - text_width(label.name, TEXT)
    write_text(block, label.name, left, CELL // 2 + 5, TEXT)
    return block


def _share(value):
    """Draw a cell whose blue deepens with a share from 0 to 1; grey for NaN."""
    if np.isnan(value):
        return _cell('', (235, 235, 235))
    # The root spreads small shares, where confusions are.
    depth = np.sqrt(value)
    fill = np.array(PAPER) * (1 - depth) + np.array(DARKEST) * depth
    return _cell(_percent(value) if value >= 0.005 else '', fill, INK if depth < 0.6 else PAPER)


def _cell(text, fill=PAPER, ink=INK):
    block = blank(CELL, CELL)
    block[1:, 1:] = fill
    write_text(block, text, (CELL - text_width(text, TEXT)) // 2, CELL // 2 + 5, TEXT, ink)
    return block


def _percent(share, digits=0):
    return '-' if np.isnan(share) else f'{100 * share:.{digits}f}'
