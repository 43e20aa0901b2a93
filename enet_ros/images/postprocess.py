"""Label images at the size of the camera, masks, and colors for people.

`dst`, where a function takes it, is an array to write the result into. If its shape does not fit,
or if it is None, the result is a new array.
"""

import math
from collections.abc import Callable

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


def class_mask(labels: NDArray[np.uint8], class_id: int,
               dst: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return 255 where a label image, uint8 (H, W), shows the class and 0 elsewhere."""
    return cv2.compare(labels, class_id, cv2.CMP_EQ, dst)


def hide_uncertain(labels: NDArray[np.uint8], confidence: NDArray[np.uint8],
                   threshold: float) -> NDArray[np.uint8]:
    """Return a label image that is UNLABELED where the confidence is below a threshold.

    confidence: uint8 (H, W), 255 times the probability of the label. threshold: a probability.
    """
    uncertain = cv2.compare(confidence, math.ceil(threshold * 255), cv2.CMP_LT)
    return cv2.bitwise_or(labels, uncertain)  # 255 is UNLABELED


class Painter:
    """Draws pictures of label images, each in memory that it reuses for the next frame.

    palette: uint8 (256, 3) BGR. A picture is valid until the method that returned it is called
    for the next frame.
    """

    def __init__(self, palette: NDArray[np.uint8]) -> None:
        self.palette = palette.copy()
        self._pictures: dict[str, NDArray[np.uint8]] = {}

    def scaled(self, labels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        """Return a label image resized to (height, width); as it is if it has that size."""
        if labels.shape == (height, width):
            return labels
        return self._draw('scaled', scale_labels, labels, width, height)

    def mask(self, labels: NDArray[np.uint8], class_id: int) -> NDArray[np.uint8]:
        """Return 255 where a label image shows the class and 0 elsewhere, (H, W)."""
        return self._draw(f'mask {class_id}', class_mask, labels, class_id)

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
