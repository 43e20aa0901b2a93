"""The laser scan of obstacles: the nearest point in each direction."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.config import ScanConfig
from enet_ros.freespace.pose import Pose
from enet_ros.pointcloud.cloud import CloudProjection

RANGE_MIN = 0.05  # meters


class ObstacleScan:
    """Measures the range to the nearest obstacle from the base frame's origin.

    max_range: distance up to which there are obstacle points, meters.

    Attributes:
        bearings: (N,) rad, counter-clockwise. increment: their step, rad.
        range_min, range_max: meters.
    """

    range_min = RANGE_MIN

    def __init__(self, projection: CloudProjection, pose: Pose, config: ScanConfig,
                 max_range: float) -> None:
        self.increment = config.angle_increment
        self.bearings = config.angle_min + self.increment * np.arange(config.count,
                                                                      dtype=np.float64)
        self.range_max = min(config.range_max, max_range)
        camera = projection.camera
        far = np.stack([self.range_max * np.cos(self.bearings),
                        self.range_max * np.sin(self.bearings),
                        np.full(len(self.bearings), pose.position[2])], -1)     # (N, 3)
        in_camera = (far - pose.position) @ pose.rotation
        with np.errstate(invalid='ignore'):
            columns = np.round(camera.project(in_camera)[:, 0])
            inside = (in_camera[:, 2] > 0) & (columns >= 0) & (columns < camera.width)
        self._in_view = np.flatnonzero(inside)
        self._columns = columns[inside].astype(np.intp)
        # Bearings that are finer than the pixels share a point.
        pixel = 1 / camera.matrix[0, 0]
        spread = int(np.ceil(pixel / self.increment / 2)) if pixel > self.increment else 0
        self._spread = min(spread, len(self.bearings))

    def measure(self, x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32],
                unknown: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the range of each bearing, (N,) meters.

        Infinity means that there is no obstacle up to range_max. NaN means that this is unknown:
        the bearing is outside the image, or no obstacle was measured in its column, which has no
        depth at all or shows an obstacle of unknown distance (REP-117).

        x, y: of the obstacle points in the base frame, (M,) meters. z: depth image in meters,
        (H, W); NaN where nothing was measured. unknown: image columns that show an obstacle of
        unknown distance, (W,).
        """
        ranges = np.full(len(self.bearings), np.nan, np.float32)
        free = np.any(np.isfinite(z), axis=0) & ~unknown
        ranges[self._in_view] = np.where(free[self._columns], np.inf, np.nan)
        nearest = np.full(len(self.bearings), np.inf, np.float32)
        distance = np.hypot(x, y)
        position = np.round((np.arctan2(y, x) - self.bearings[0]) / self.increment)
        used = ((position >= 0) & (position < len(nearest)) & (distance >= self.range_min)
                & (distance <= self.range_max))
        np.minimum.at(nearest, position[used].astype(np.intp), distance[used])
        spread = _spread(nearest, self._spread)
        return np.where(np.isfinite(spread), spread, ranges)


def _spread(ranges: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the least range among each bearing and `count` neighbors on either side."""
    result = ranges.copy()
    for shift in range(1, count + 1):
        np.minimum(result[shift:], ranges[:-shift], out=result[shift:])
        np.minimum(result[:-shift], ranges[shift:], out=result[:-shift])
    return result
