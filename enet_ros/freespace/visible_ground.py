"""The ground points of one frame, without those that obstacles hide."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.ray_casting import CastRays, RayCaster
from enet_ros.freespace.surface_classes import OBSTACLE

CONTACT_PIXELS = 3  # of each image column, that represent its obstacle


class VisibleGround:
    """Removes the ground points of pixels that show an obstacle, or what is above one.

    Seen from below, an image column shows ground up to its first obstacle: its contact. Pixels
    from there on show the obstacle or what is behind it, and not the ground at their point. The
    lowest CONTACT_PIXELS of them represent the obstacle: their points are moved to where it
    stands. For a body above a gap, such as a car's, this is nearer than the ground seen below it,
    which is removed: a robot cannot drive there.

    contact_depth: of the points that represent an obstacle, from its contact on, meters; 0: none.
    """

    def __init__(self, ray_caster: RayCaster, contact_depth: float) -> None:
        self._ray_caster, self._contact_depth = ray_caster, contact_depth
        self._points = ray_caster.ground.points
        self._rows = np.arange(self._points.shape[0])[:, None]
        self._ranges = np.linalg.norm(self._points - ray_caster.ground.foot, axis=-1)  # (H, W)

    def __call__(self, surfaces: NDArray[np.int8], rays: CastRays) -> NDArray[np.float32]:
        """Return the x and y that each pixel shows, (H, W, 2) meters in the base frame, or NaN.

        surfaces: kinds of surface, (H, W). rays: cast over the same image.
        """
        is_obstacle = surfaces[::-1] == OBSTACLE  # from the bottom up
        contact = len(surfaces) - 1 - is_obstacle.argmax(0)
        contact[~is_obstacle.any(0)] = -1
        points = self._points.copy()
        points[self._rows <= contact] = np.nan
        if self._contact_depth:
            self._represent_obstacles(points, surfaces, contact, rays)
        return points

    def _represent_obstacles(self, points: NDArray[np.float32], surfaces: NDArray[np.int8],
                             contact: NDArray[np.intp], rays: CastRays) -> None:
        """Move the points of the lowest pixels of obstacles, and remove those behind, in place.

        contact: row of each column's contact, (W,), or -1.
        """
        foot = self._ray_caster.ground.foot
        columns = np.arange(len(contact))
        columns = columns[(contact >= 0) & np.isfinite(self._points[contact, columns, 0])]
        rows = contact[columns]
        ranges = self._ranges[rows, columns]                   # (K,)
        directions = (self._points[rows, columns] - foot) / ranges[:, None]
        below = self._ranges[np.minimum(rows + 1, len(points) - 1), columns]
        borders = (ranges + below) / 2                         # between the two pixels
        near = np.minimum(borders, self._ray_caster.end_ranges(rays, directions))
        limits = np.full(len(contact), np.inf)
        limits[columns] = near
        points[self._ranges > limits] = np.nan
        for pixel in range(CONTACT_PIXELS):
            row = rows - pixel
            shown = (row >= 0) & (surfaces[row, columns] == OBSTACLE)
            reach = near[shown] + self._contact_depth * (pixel + 1) / CONTACT_PIXELS
            points[row[shown], columns[shown]] = foot + directions[shown] * reach[:, None]
