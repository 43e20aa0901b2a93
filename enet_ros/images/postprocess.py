"""From labels to what people and planners look at.

`dst`, where a function takes it, is an array of the result's shape to fill; with one of another
shape, or None, the result is a new array.
"""

import math

import cv2


def scale_labels(labels, width, height, dst=None):
    """Resize a label or confidence image, uint8 (H, W), by taking the nearest pixel.

    One that has the size already is returned as it is.
    """
    if labels.shape == (height, width):
        return labels
    return cv2.resize(labels, (width, height), dst, interpolation=cv2.INTER_NEAREST_EXACT)


def colorize(labels, palette, dst=None):
    """Paint a label image with a (256, 3) table: uint8 (H, W) -> uint8 (H, W, 3), its channels."""
    return cv2.applyColorMap(labels, palette[:, None], dst)


def overlay(image, color, alpha, dst=None):
    """Blend colours over an image of the same size and channel order, alpha 0-1.

    dst may be the image itself.
    """
    return cv2.addWeighted(color, alpha, image, 1.0 - alpha, 0.0, dst)


def class_mask(labels, class_id, dst=None):
    """Return 255 where a label image, uint8 (H, W), shows the class and 0 elsewhere."""
    return cv2.compare(labels, class_id, cv2.CMP_EQ, dst)


def hide_uncertain(labels, confidence, threshold):
    """Return labels that are UNLABELLED where the confidence is below a threshold.

    labels and confidence uint8 (H, W), threshold a probability.
    """
    # 0, or 255, which is UNLABELLED.
    uncertain = cv2.compare(confidence, math.ceil(threshold * 255), cv2.CMP_LT)
    return cv2.bitwise_or(labels, uncertain)


class Painter:
    """Makes the pictures that are asked for, in memory that it uses again for the next frame.

    palette uint8 (256, 3) BGR; masks {name: class id}. `topics` are all pictures that there are:
    label and mask/<name>, uint8 (H, W), and color and overlay, uint8 (H, W, 3) BGR.
    """

    def __init__(self, palette, masks):
        self.palette = palette.copy()
        self.masks = {f'mask/{name}': class_id for name, class_id in masks.items()}
        self.topics = {'label', 'color', 'overlay', *self.masks}
        self._pictures = {}

    def paint(self, wanted, labels, image, order, alpha, size=None):
        """Return {topic: picture} of those in `wanted`, until the next call.

        labels uint8 of any size; image uint8 (H, W, 3) with channels in `order` 'rgb' or 'bgr';
        alpha, 0-1, is the weight of the colours in the overlay. size (width, height) is that of
        the pictures; None: the image's.
        """
        wanted = self.topics & wanted
        if not wanted:
            return {}
        width, height = size or image.shape[1::-1]
        if labels.shape != (height, width):
            labels = self._again('label', scale_labels, labels, width, height)
        painted = {'label': labels}
        for topic in wanted & self.masks.keys():
            painted[topic] = self._again(topic, class_mask, labels, self.masks[topic])
        if wanted & {'color', 'overlay'}:
            painted['color'] = self._again('color', colorize, labels, self.palette)
        if 'overlay' in wanted:
            if image.shape[:2] != (height, width):
                image = cv2.resize(image, (width, height))
            if order == 'rgb':
                image = self._again('overlay', cv2.cvtColor, image, cv2.COLOR_RGB2BGR)
            painted['overlay'] = self._again('overlay', overlay, image, painted['color'], alpha)
        return {topic: painted[topic] for topic in wanted}

    def _again(self, topic, make, *what):
        """Return make(*what, dst), where dst is what was made for the topic before."""
        picture = self._pictures[topic] = make(*what, self._pictures.get(topic))
        return picture
