"""Points of contact: where what one cannot drive on stands on the ground, and what it is."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ContactPoints:
    """Points on the ground in the base frame.

    xy float32 (N, 2) metres; class_id uint8 (N,); confidence uint8 (N,), 255 x probability, or
    None where it is not known.
    """

    xy: np.ndarray
    class_id: np.ndarray
    confidence: np.ndarray | None


def contact_points(lines, sight, labels, confidence=None):
    """Return the ContactPoints of a Sight: the borders of the drivable, and obstacles behind them.

    lines is how many lines of sight there are; labels and confidence are the frame's, uint8
    (H, W).
    """
    borders, obstacles = sight.borders, sight.obstacles
    border_range = np.full(lines, np.nan)
    border_range[borders.line] = borders.range
    behind = border_range[obstacles.line] != obstacles.range
    xy = np.r_[borders.xy, obstacles.xy[behind]]
    pixel = np.r_[borders.pixel, obstacles.pixel[behind]]
    return ContactPoints(xy.astype(np.float32), labels.ravel()[pixel],
                         None if confidence is None else confidence.ravel()[pixel])
