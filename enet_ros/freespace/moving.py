"""What moves while the robot drives: the camera on the base, and the base on the ground."""

import threading
from bisect import bisect
from collections import deque

import numpy as np

from enet_ros.errors import BadInput

STILL = 0.002, 0.0005  # metres and rad that a pose may change without being another
KEPT = 10.0            # seconds of odometry, as long as the largest gap that can be allowed
SWAPPED = 1.0          # seconds that a message may be late; one later is of another clock


class PoseWatch:
    """Lets a camera's pose pass that is the same as before or nearly so, and refuses jumps."""

    def __init__(self):
        self.pose = None

    def look(self, pose, max_jump):
        """Return the Pose to work with: that before where `pose` is about the same.

        Raise BadInput where it differs from the last by more than `max_jump` metres or rad;
        the next one is compared with it.
        """
        last, self.pose = self.pose, pose
        if last is None:
            return pose
        metres, angle = last.change(pose)
        if max(metres, angle) > max_jump:
            raise BadInput(f"the camera's pose jumps by {metres:.2f} m and {angle:.2f} rad from a "
                           f'frame to the next, more than {max_jump:g}; correct the '
                           'transform, or set camera.max_jump')
        if metres <= STILL[0] and angle <= STILL[1]:
            self.pose = last
        return self.pose


class Track:
    """Where the base was in the odometry's frame, by time in seconds; for any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._times = deque()
        self._poses = deque()  # x, y, yaw

    def add(self, time, x, y, yaw):
        """Add a pose, metres and rad.

        One that is as old as the last one, or up to SWAPPED seconds older, is left out; one older
        than that starts anew.
        """
        with self._lock:
            if self._times and time < self._times[-1] - SWAPPED:
                self._times.clear()
                self._poses.clear()
            if self._times and time <= self._times[-1]:
                return
            self._times.append(time)
            self._poses.append((x, y, yaw))
            while time - self._times[0] > KEPT:
                self._times.popleft()
                self._poses.popleft()

    def at(self, time, longest_gap):
        """Return x, y and yaw at a time, between the poses around it.

        Raise BadInput where one of them is more than `longest_gap` seconds away, or the time is
        before all of them.
        """
        (start, (x, y, yaw)), (stop, (next_x, next_y, next_yaw)) = self._around(time)
        gap = max(time - start, stop - time)
        if gap > longest_gap:
            raise BadInput(f'the odometry next to the image is {gap:.2f} s away, more than '
                           f'{longest_gap:g}; check that it comes, and by the same clock')
        share = np.clip((time - start) / (stop - start), 0.0, 1.0) if stop > start else 0.0
        turn = (next_yaw - yaw + np.pi) % (2 * np.pi) - np.pi
        return x + share * (next_x - x), y + share * (next_y - y), yaw + share * turn

    def _around(self, time):
        """Return (time, pose) before and after a time; the last twice after it."""
        with self._lock:
            if not self._times:
                raise BadInput('no odometry came; remap the topic odom, or set fusion.enabled '
                               'to false')
            place = bisect(self._times, time)
            if not place:
                raise BadInput(f'the image is {self._times[0] - time:.2f} s older than all '
                               'odometry that is kept; check that both are by the same clock')
            return [(self._times[near], self._poses[near])
                    for near in (place - 1, min(place, len(self._times) - 1))]
