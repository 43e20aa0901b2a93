"""The ground points of one frame, without those that obstacles hide."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.surface_classes import OBSTACLE


class VisibleGround:
    """Removes the ground points of pixels that show an obstacle, or what is above one.

    Seen from below, an image column shows ground up to its first obstacle: its contact. Pixels
    from there on show the obstacle or what is behind it, and not the ground at their point.

    contact_depth: how far behind the contact points are kept, so that the obstacle itself is
        represented, meters; 0: the contact is removed too.
    """

    def __init__(self, ground: GroundPlane, contact_depth: float) -> None:
        self._points, self._contact_depth = ground.points, np.float32(contact_depth)
        self._ranges = np.linalg.norm(ground.points - ground.foot.astype(np.float32), axis=-1)
        height, width = self._ranges.shape
        self._rows, self._columns = np.arange(height)[:, None], np.arange(width)

    def __call__(self, surfaces: NDArray[np.int8]) -> NDArray[np.float32]:
        """Return the x and y that each pixel shows, (H, W, 2) meters in the base frame, or NaN.

        surfaces: kinds of surface, (H, W).
        """
        is_obstacle = surfaces[::-1] == OBSTACLE  # from the bottom up
        contact = len(surfaces) - 1 - is_obstacle.argmax(0)
        contact[~is_obstacle.any(0)] = -1
        hidden = self._rows <= contact
        if self._contact_depth:
            limit = self._ranges[contact, self._columns] + self._contact_depth
            hidden &= ~(self._ranges <= limit)
        points = self._points.copy()
        points[hidden] = np.nan
        return points
