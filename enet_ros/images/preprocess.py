"""Conversion of camera images to the input of the network."""

import cv2
import numpy as np
from numpy.typing import NDArray

# Bilinear interpolation reads two pixels per axis; beyond this factor it would skip pixels.
MAX_BILINEAR_SHRINK = 1.5


def network_input(image: NDArray[np.uint8], width: int, height: int,
                  order: str = 'rgb') -> NDArray[np.uint8]:
    """Resize an image to the size of the network and convert it to RGB.

    image: uint8 (H, W, 3) with channels in `order`, 'rgb' or 'bgr'. Returns uint8
    (height, width, 3). When the image shrinks, every pixel contributes, so that thin objects
    remain visible.
    """
    # Area interpolation is fast only if it halves both axes exactly.
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    if image.shape[:2] != (height, width):
        shrink = max(image.shape[0] / height, image.shape[1] / width)
        bilinear = shrink <= MAX_BILINEAR_SHRINK
        image = cv2.resize(image, (width, height),
                           interpolation=cv2.INTER_LINEAR if bilinear else cv2.INTER_AREA)
    if order == 'bgr':
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image)
