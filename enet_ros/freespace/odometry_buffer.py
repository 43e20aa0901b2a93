"""A buffer of odometry that interpolates the pose of the base at a given time."""

import threading
from bisect import bisect
from collections import deque

import numpy as np

from enet_ros.errors import BadInput

BUFFER_SECONDS = 10.0  # the largest gap that can be configured
MAX_LATENESS = 1.0     # seconds; an older message comes from another clock

Pose2D = tuple[float, float, float]  # x and y in meters, yaw in rad


class OdometryBuffer:
    """The recent poses of the base in the odometry frame, by time. It is thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: deque[float] = deque()
        self._poses: deque[Pose2D] = deque()

    def add(self, time: float, x: float, y: float, yaw: float) -> None:
        """Add the pose at a time (seconds): x and y in meters, yaw in rad.

        A pose that is not newer than the last is ignored; one that is more than MAX_LATENESS
        older empties the buffer first.
        """
        with self._lock:
            if self._times and time < self._times[-1] - MAX_LATENESS:
                self._times.clear()
                self._poses.clear()
            if self._times and time <= self._times[-1]:
                return
            self._times.append(time)
            self._poses.append((x, y, yaw))
            while time - self._times[0] > BUFFER_SECONDS:
                self._times.popleft()
                self._poses.popleft()

    def interpolate(self, time: float, max_gap: float) -> Pose2D:
        """Return x, y and yaw at a time, interpolated between the poses before and after it.

        Raise BadInput if one of them is more than max_gap seconds away, or the time is before the
        oldest.
        """
        (start, (x, y, yaw)), (stop, (next_x, next_y, next_yaw)) = self._neighbors(time)
        gap = max(time - start, stop - time)
        if gap > max_gap:
            raise BadInput(f'the odometry nearest to the image is {gap:.2f} s away, more than '
                           f'{max_gap:g}; check that it is published, and uses the same clock')
        weight = np.clip((time - start) / (stop - start), 0.0, 1.0) if stop > start else 0.0
        turn = (next_yaw - yaw + np.pi) % (2 * np.pi) - np.pi
        return x + weight * (next_x - x), y + weight * (next_y - y), yaw + weight * turn

    def _neighbors(self, time: float) -> list[tuple[float, Pose2D]]:
        """Return (time, pose) before and after a time; after the last pose, the last twice."""
        with self._lock:
            if not self._times:
                raise BadInput('no odometry has arrived; remap the topic odom, or set '
                               'fusion.enabled to false')
            after = bisect(self._times, time)
            if not after:
                raise BadInput(f'the image is {self._times[0] - time:.2f} s older than the oldest '
                               'odometry in the buffer; check that both use the same clock')
            return [(self._times[index], self._poses[index])
                    for index in (after - 1, min(after, len(self._times) - 1))]
