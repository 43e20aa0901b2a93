"""The check of the camera's pitch by the curbs of the road, which are parallel."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.surface_classes import DRIVABLE, FLAT

MAX_PIXEL_LENGTH = 4.0      # meters of ground in a pixel of a curb
MIN_POINTS = 15             # of a curb
MIN_LENGTH = 3.0            # meters of a curb
MAX_DEVIATION = 0.15        # meters of a curb's points from a straight line
LINE_CANDIDATES = 100
WINDOW = 60                 # estimates that the median is taken of
MIN_ESTIMATES = 5
WARNING_ERROR = np.radians(0.5)

Line = tuple[np.float64, np.float64]  # slope, and meters to the left at 0 m ahead


class PitchMonitor:
    """Compares the configured pitch with the estimates of many frames."""

    def __init__(self) -> None:
        self._errors: deque[float] = deque(maxlen=WINDOW)

    def add(self, error: float) -> None:
        """Add the pitch error of a frame, rad; NaN is ignored."""
        if np.isfinite(error):
            self._errors.append(error)

    @property
    def error(self) -> float:
        """Return how much too large the pitch is, rad; NaN until there are enough estimates."""
        if len(self._errors) < MIN_ESTIMATES:
            return float('nan')
        return float(np.median(self._errors))

    def warning(self, pitch: float) -> str:
        """Return the warning about a configured pitch (rad), or '' if it seems right."""
        error = self.error
        if not abs(error) > WARNING_ERROR:
            return ''
        return (f'the curbs show that the camera looks {np.degrees(abs(error)):.1f} degrees '
                f'{"less" if error > 0 else "more"} down than its pose says; check the pose, a '
                f'pitch of {pitch - error:.3f} rad would fit')


class CurbDetector:
    """Finds the curbs beside the road and estimates the pitch error from them.

    A curb is where drivable and flat ground are neighbors in the image.
    """

    def __init__(self, ground: GroundPlane) -> None:
        forward = ground.pose.rotation[:2, 2]
        points = ground.points_within(ground.reach_of(MAX_PIXEL_LENGTH)) - ground.foot
        rows = np.flatnonzero(np.isfinite(points[..., 0]).any(1))
        self._rows = slice(rows.min(initial=len(points)), rows.max(initial=-1) + 1)
        points = points[self._rows]
        points = (points[:, 1:] + points[:, :-1]) / 2  # between two pixels
        self.height = ground.height
        self._ahead, self._left = points @ forward, points @ (-forward[1], forward[0])

    def pitch_error(self, surfaces: NDArray[np.int8]) -> float:
        """Return how much too large the configured pitch is, rad; NaN without two curbs.

        surfaces: (H, W) kinds of surface. Parallel curbs diverge on the ground if the camera looks
        less down than its pose says, and converge if it looks more down. Curves and crossings
        mislead single frames: use the median of many.
        """
        surfaces = surfaces[self._rows]
        drivable, flat = surfaces == DRIVABLE, surfaces == FLAT
        left_curb = self._fit(flat[:, :-1] & drivable[:, 1:])
        right_curb = self._fit(drivable[:, :-1] & flat[:, 1:])
        if left_curb is None or right_curb is None:
            return float('nan')
        (left_slope, left_start), (right_slope, right_start) = left_curb, right_curb
        # If the pitch is e too large, a road of width w appears w (1 - e x / height) wide at x.
        return float(self.height * (right_slope - left_slope) / (left_start - right_start))

    def _fit(self, border: NDArray[np.bool_]) -> Line | None:
        ahead, left = self._ahead[border], self._left[border]
        known = np.isfinite(ahead)
        return _fit_line(ahead[known], left[known])


def _fit_line(ahead: NDArray[np.float64], left: NDArray[np.float64]) -> Line | None:
    """Return the line that most points (N,) lie on, or None."""
    if len(ahead) < MIN_POINTS:
        return None
    a, b = np.random.default_rng(0).integers(len(ahead), size=(2, LINE_CANDIDATES))
    far_apart = np.abs(ahead[a] - ahead[b]) > MIN_LENGTH / 2
    if not far_apart.any():
        return None
    a, b = a[far_apart], b[far_apart]
    slopes = (left[a] - left[b]) / (ahead[a] - ahead[b])
    starts = left[a] - slopes * ahead[a]
    near = np.abs(left - slopes[:, None] * ahead - starts[:, None]) < MAX_DEVIATION  # (C, N)
    inliers = near[near.sum(1).argmax()]
    if inliers.sum() < MIN_POINTS or np.ptp(ahead[inliers]) < MIN_LENGTH:
        return None
    slope, start = np.polyfit(ahead[inliers], left[inliers], 1)
    return slope, start
