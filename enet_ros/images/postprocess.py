"""Label images at the size of the camera, masks, and colors for people.

`dst`, where a function takes it, is an array to write the result into. If its shape does not fit,
or if it is None, the result is a new array.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray


def scale_labels(labels: NDArray[np.uint8], width: int, height: int,
                 dst: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Resize a label or confidence image, uint8 (H, W), to the nearest pixel.

    An image that already has the size is returned unchanged.
    """
    if labels.shape == (height, width):
        return labels
    return cv2.resize(labels, (width, height), dst, interpolation=cv2.INTER_NEAREST_EXACT)


def colorize(labels: NDArray[np.uint8], palette: NDArray[np.uint8],
             dst: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Color a label image, uint8 (H, W), by a palette, uint8 (256, 3).

    Returns uint8 (H, W, 3) in the channel order of the palette.
    """
    return cv2.applyColorMap(labels, palette[:, None], dst)


def overlay(image: NDArray[np.uint8], color: NDArray[np.uint8], alpha: float,
            dst: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Blend colors over an image of the same size and channel order.

    alpha is the weight of the colors, 0-1. dst may be the image itself.
    """
    return cv2.addWeighted(color, alpha, image, 1.0 - alpha, 0.0, dst)


def class_mask(labels: NDArray[np.uint8], class_ids: Sequence[int],
               dst: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return 255 where a label image, uint8 (H, W), shows one of the classes and 0 elsewhere."""
    if len(class_ids) == 1:
        return cv2.compare(labels, class_ids[0], cv2.CMP_EQ, dst)
    return cv2.LUT(labels, _mask_table(tuple(class_ids)), dst)


@lru_cache
def _mask_table(class_ids: tuple[int, ...]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[list(class_ids)] = 255
    return table


def hide_uncertain(labels: NDArray[np.uint8], confidence: NDArray[np.uint8],
                   threshold: float) -> NDArray[np.uint8]:
    """Return a label image that is UNLABELED where the confidence is below a threshold.

    confidence: uint8 (H, W), 255 times the probability of the label. threshold: a probability.
    """
    uncertain = cv2.compare(confidence, math.ceil(threshold * 255), cv2.CMP_LT)
    return cv2.bitwise_or(labels, uncertain)  # 255 is UNLABELED


class Painter:
    """Draws pictures of label images, each in memory that it reuses for the next frame.

    palette: uint8 (256, 3) BGR. values: the published value of each class id, uint8 or int16
    (256,); None if class ids are published. A picture is valid until the method that returned it
    is called for the next frame.
    """

    def __init__(self, palette: NDArray[np.uint8],
                 values: NDArray[np.integer] | None = None) -> None:
        self.palette, self._values = palette.copy(), values
        self._pictures: dict[str, NDArray[np.uint8]] = {}

    def scaled(self, labels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        """Return a label image resized to (height, width); as it is if it has that size."""
        if labels.shape == (height, width):
            return labels
        return self._draw('scaled', scale_labels, labels, width, height)

    def label(self, labels: NDArray[np.uint8]) -> NDArray[np.integer]:
        """Return a label image with the published values, uint8 or int16 (H, W)."""
        if self._values is None:
            return labels
        return self._draw('label', cv2.LUT, labels, self._values)

    def mask(self, labels: NDArray[np.uint8], class_ids: Sequence[int]) -> NDArray[np.uint8]:
        """Return 255 where a label image shows one of the classes and 0 elsewhere, (H, W)."""
        return self._draw(f'mask {class_ids}', class_mask, labels, class_ids)

    def color(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a label image in the colors of its classes, (H, W, 3) BGR."""
        return self._draw('color', colorize, labels, self.palette)

    def overlay(self, image: NDArray[np.uint8], order: str, color: NDArray[np.uint8],
                alpha: float) -> NDArray[np.uint8]:
        """Blend the colors of the classes over an image, (H, W, 3) BGR at the size of `color`.

        image: uint8 (h, w, 3) with channels in `order`, 'rgb' or 'bgr', of any size.
        color: uint8 (H, W, 3) BGR. alpha: its weight, 0-1.
        """
        height, width = color.shape[:2]
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height))
        if order == 'rgb':
            image = self._draw('overlay', cv2.cvtColor, image, cv2.COLOR_RGB2BGR)
        return self._draw('overlay', overlay, image, color, alpha)

    def _draw(self, name: str, function: Callable[..., NDArray[np.uint8]],
              *arguments: object) -> NDArray[np.uint8]:
        """Call an image function with the memory of the previous picture of that name as dst."""
        picture = self._pictures[name] = function(*arguments, self._pictures.get(name))
        return picture
