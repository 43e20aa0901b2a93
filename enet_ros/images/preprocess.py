"""From a camera's image to the network's input."""

import cv2
import numpy as np

# Bilinear interpolation reads two pixels a side: when it shrinks more, it nearly misses some.
BILINEAR_SHRINKS = 1.5


def network_input(image, width, height, order='rgb'):
    """Resize an image to the network's size and bring its channels into RGB order.

    image uint8 (H, W, 3), in `order` 'rgb' or 'bgr' -> uint8 (height, width, 3) RGB. Every pixel
    counts when shrinking, so that thin things stay.
    """
    # Averaging is fast where it halves a side exactly, and slow otherwise.
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    if image.shape[:2] != (height, width):
        shrinks = max(image.shape[0] / height, image.shape[1] / width)
        image = cv2.resize(image, (width, height), interpolation=(
            cv2.INTER_LINEAR if shrinks <= BILINEAR_SHRINKS else cv2.INTER_AREA))
    if order == 'bgr':
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image)
