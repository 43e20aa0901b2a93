"""Contact sheets: images, masks and a legend in one picture for people."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.labels import LabelSet
from enet_ros.paths import write_atomically

INK, PAPER = (30, 30, 30), (255, 255, 255)
MARGIN = 12       # pixels around and between images
LINE_HEIGHT = 22  # pixels

Image = NDArray[np.uint8]


def contact_sheet(title: str, rows: Sequence[Sequence[tuple[str, Image]]], labels: LabelSet,
                  width: int = 1320) -> Image:
    """Draw rows of captioned images below a title and above a legend of the classes.

    rows: (caption, image) pairs, each image uint8 (H, W, 3) RGB or (H, W) gray. The images of a
        row share its width equally.
    width: of the sheet in pixels.

    Returns uint8 (H, width, 3) RGB.
    """
    blocks = [_text_line(title, width, size=0.8, height=2 * LINE_HEIGHT)]
    blocks += [_row(row, width) for row in rows]
    blocks.append(_legend(labels, width))
    return np.concatenate(blocks)


def write_sheet(path: Path, sheet: Image) -> None:
    """Write a sheet as PNG; raise BadInput if that fails."""
    encoded, data = cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    assert encoded
    try:
        write_atomically(path, data.tobytes())
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name another folder') from error


def _row(row: Sequence[tuple[str, Image]], width: int) -> Image:
    """Draw images side by side, each below its caption."""
    image_width = (width - MARGIN * (len(row) + 1)) // len(row)
    resized = [(caption, _resize_to_width(image, image_width)) for caption, image in row]
    height = max(image.shape[0] for _, image in resized)
    block = blank(width, LINE_HEIGHT + height + MARGIN)
    for column, (caption, image) in enumerate(resized):
        left = MARGIN + column * (image_width + MARGIN)
        write_text(block, caption, left, LINE_HEIGHT - 6, 0.45)
        block[LINE_HEIGHT:LINE_HEIGHT + image.shape[0], left:left + image_width] = image
    return block


def _resize_to_width(image: Image, width: int) -> Image:
    """Return an RGB or gray image in RGB at a width."""
    if image.ndim == 2:
        image = cv2.merge((image, image, image))
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrinks = width < image.shape[1]
    return cv2.resize(image, (width, height),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _legend(labels: LabelSet, width: int) -> Image:
    """Draw the color and name of each class, in as many lines as needed."""
    column_width = max(text_width(name, 0.45) for name in labels.names) + LINE_HEIGHT + 2 * MARGIN
    columns = max(1, (width - MARGIN) // column_width)
    lines = -(-len(labels) // columns)
    block = blank(width, lines * LINE_HEIGHT + MARGIN)
    for index, label in enumerate(labels.classes):
        line, column = divmod(index, columns)
        left, top = MARGIN + column * column_width, line * LINE_HEIGHT
        block[top + 3:top + LINE_HEIGHT - 3, left:left + LINE_HEIGHT] = label.color
        write_text(block, label.name, left + LINE_HEIGHT + 6, top + LINE_HEIGHT - 7, 0.45)
    return block


def _text_line(text: str, width: int, size: float, height: int) -> Image:
    block = blank(width, height)
    write_text(block, text, MARGIN, height - MARGIN, size)
    return block


def blank(width: int, height: int) -> Image:
    """Return an empty sheet, uint8 (height, width, 3)."""
    return np.full((height, width, 3), PAPER, np.uint8)


def text_width(text: str, size: float) -> int:
    """Return the width of a text in pixels, with `size` as for `write_text`."""
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0]


def write_text(sheet: Image, text: str, left: int, baseline: int, size: float,
               color: tuple[int, int, int] = INK) -> None:
    """Write a line of text at a position in pixels; at size 1, capitals are 21 pixels high."""
    cv2.putText(sheet, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1,
                cv2.LINE_AA)
