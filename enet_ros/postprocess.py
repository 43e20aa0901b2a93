"""From labels to what people and planners look at."""

import cv2


def scale_labels(labels, width, height):
    """Resize a label or confidence image, uint8 (H, W), by taking the nearest pixel."""
    if labels.shape == (height, width):
        return labels
    return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def colorize(labels, palette):
    """Paint a label image with a (256, 3) table: uint8 (H, W) -> uint8 (H, W, 3), its channels."""
    return cv2.LUT(cv2.merge((labels, labels, labels)), palette[None])


def overlay(image, color, alpha):
    """Blend colours over an image of the same size and channel order, alpha 0-1."""
    return cv2.addWeighted(color, alpha, image, 1.0 - alpha, 0.0)


def class_mask(labels, class_id):
    """Return 255 where a label image, uint8 (H, W), shows the class and 0 elsewhere."""
    return cv2.compare(labels, class_id, cv2.CMP_EQ)
