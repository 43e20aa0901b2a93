"""From a camera's image to the network's input."""

import cv2
import numpy as np


def network_input(image, width, height, order='rgb'):
    """Resize an image to the network's size and bring its channels into RGB order.

    image uint8 (H, W, 3), in `order` 'rgb' or 'bgr' -> uint8 (height, width, 3) RGB.
    """
    if image.shape[:2] != (height, width):
        shrinks = image.shape[0] * image.shape[1] > height * width
        # Averaging over the pixels that fall together keeps thin things when shrinking.
        image = cv2.resize(image, (width, height),
                           interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if order == 'bgr':
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image)
