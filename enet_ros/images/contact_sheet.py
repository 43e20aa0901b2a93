"""Pictures, masks and a legend drawn on one sheet for people."""

import cv2
import numpy as np

from enet_ros.errors import BadInput

INK, PAPER = (30, 30, 30), (255, 255, 255)
MARGIN = 12  # pixels, around and between
LINE = 22    # pixels a line of text takes


def contact_sheet(title, rows, labels, width=1320):
    """Draw rows of captioned pictures under a title and over a legend of the label set.

    rows: lists of (caption, picture), a picture being uint8 (H, W, 3) RGB or (H, W) grey. Each
    row fills the width (pixels), its pictures of one width. Return uint8 (H, width, 3) RGB.
    """
    blocks = [_text_line(title, width, size=0.8, height=2 * LINE)]
    blocks += [_row(row, width) for row in rows]
    blocks.append(_legend(labels, width))
    return np.concatenate(blocks)


def write_sheet(path, sheet):
    """Write a sheet as PNG; raise BadInput where that fails."""
    there, data = cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    assert there
    try:
        path.write_bytes(data)
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name another folder') from error


def _row(row, width):
    """Draw pictures side by side, each with its caption above."""
    tile_width = (width - MARGIN * (len(row) + 1)) // len(row)
    tiles = [(caption, _fit(picture, tile_width)) for caption, picture in row]
    height = max(picture.shape[0] for _, picture in tiles)
    block = blank(width, LINE + height + MARGIN)
    for column, (caption, picture) in enumerate(tiles):
        left = MARGIN + column * (tile_width + MARGIN)
        write_text(block, caption, left, LINE - 6, 0.45)
        block[LINE:LINE + picture.shape[0], left:left + tile_width] = picture
    return block


def _fit(picture, width):
    """Return a picture in RGB, resized to a width."""
    if picture.ndim == 2:
        picture = cv2.merge((picture, picture, picture))
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    shrinks = width < picture.shape[1]
    return cv2.resize(picture, (width, height),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _legend(labels, width):
    """Draw each class's colour and name, from left to right in as many lines as it takes."""
    column = max(text_width(name, 0.45) for name in labels.names) + LINE + 2 * MARGIN
    columns = max(1, (width - MARGIN) // column)
    lines = -(-len(labels) // columns)
    block = blank(width, lines * LINE + MARGIN)
    for index, label in enumerate(labels.classes):
        line, place = divmod(index, columns)
        left, top = MARGIN + place * column, line * LINE
        block[top + 3:top + LINE - 3, left:left + LINE] = label.color
        write_text(block, label.name, left + LINE + 6, top + LINE - 7, 0.45)
    return block


def _text_line(text, width, size, height):
    block = blank(width, height)
    write_text(block, text, MARGIN, height - MARGIN, size)
    return block


def blank(width, height):
    """Return an empty sheet, uint8 (height, width, 3)."""
    return np.full((height, width, 3), PAPER, np.uint8)


def text_width(text, size):
    """Return the width of a text in pixels, `size` as in `write_text`."""
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0]


def write_text(sheet, text, left, baseline, size, color=INK):
    """Write a line of text; size 1 has capitals of about 21 pixels."""
    cv2.putText(sheet, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1,
                cv2.LINE_AA)
