"""The lens distortion models of sensor_msgs/CameraInfo.

Normalized image coordinates are those of an image at focal length 1, before the camera matrix is
applied. Directions are in the optical frame (z forward, x right, y down).
"""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput

COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
MAX_RADIUS = 20.0    # normalized coordinates
SAMPLES = 20_001     # of a distortion function
# Points near the radius where the distortion function turns converge slowly; all others need 10
# to 50 iterations.
UNDISTORT_CRITERIA = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 1000, 1e-12
MAX_RESIDUAL = 1e-7  # of an undistorted point, normalized coordinates


class DistortionModel(Protocol):
    """Maps directions to distorted normalized image coordinates and back."""

    def project(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distorted points (..., 2) of directions (..., 3); NaN outside the lens."""

    def unproject(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the unit directions (..., 3) of distorted points (..., 2); NaN without one."""


def make_distortion(model: str, coefficients: Sequence[float]) -> DistortionModel:
    """Return the distortion model of camera_info's distortion_model and D; raise BadInput."""
    d = np.asarray(coefficients, float).ravel()
    if not np.isfinite(d).all():
        raise BadInput(f'camera_info: D is {d.tolist()}; all values must be finite, calibrate the '
                       'camera again')
    if not d.any():
        # Many drivers name no model without distortion; a fisheye lens always names its own.
        return Equidistant(np.zeros(4)) if model == 'equidistant' else BrownConrady(np.zeros(12))
    if model not in COEFFICIENTS:
        raise BadInput(f'camera_info: unknown distortion_model {model!r}; rectify the image, or '
                       f'calibrate with {", ".join(COEFFICIENTS)}')
    if len(d) not in COEFFICIENTS[model]:
        raise BadInput(f'camera_info: D has {len(d)} coefficients; {model} has '
                       f'{" or ".join(map(str, COEFFICIENTS[model]))}')
    if model == 'equidistant':
        return Equidistant(d)
    if d[12:].any():
        raise BadInput('camera_info: D tilts the sensor (its last two coefficients); rectify the '
                       'image and set rectified')
    return BrownConrady(np.pad(d, (0, 12))[:12])


class BrownConrady:
    """plumb_bob and rational_polynomial.

    Beyond the radius where the distortion function first decreases, the model folds the outside
    of the view into the image; such directions and points are NaN.

    cv2.undistortPointsIter inverts the model: Newton's method with NumPy was slower, and found no
    direction for many pixels of a very wide lens. The forward direction is not
    cv2.projectPoints, which is about 10 times slower than `_distort`.

    d: (12,) k1, k2, p1, p2, k3 to k6, s1 to s4, in OpenCV's order.
    """

    def __init__(self, d: NDArray[np.float64]) -> None:
        self.d = d
        radii = np.linspace(0, MAX_RADIUS, SAMPLES, dtype=np.float64)
        self.max_radius = _turning_point(radii, radii * self._radial(radii ** 2))

    def project(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all='ignore'):
            x, y = (directions[..., axis] / directions[..., 2] for axis in (0, 1))
            inside = (directions[..., 2] > 0) & (np.hypot(x, y) <= self.max_radius)
            points = self._distort(x, y)
        return np.where(inside[..., None], points, np.nan)

    def unproject(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.d.any():
            points = self._undistort(points)
        directions = np.concatenate([points, np.ones_like(points[..., :1])], -1)
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)

    def _undistort(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        undistorted = cv2.undistortPointsIter(
            np.ascontiguousarray(points).reshape(-1, 1, 2), np.eye(3), self.d, np.eye(3),
            np.eye(3), UNDISTORT_CRITERIA).reshape(points.shape)
        with np.errstate(all='ignore'):
            x, y = undistorted[..., 0], undistorted[..., 1]
            residual = np.linalg.norm(self._distort(x, y) - points, axis=-1)
            found = (residual < MAX_RESIDUAL) & (np.hypot(x, y) <= self.max_radius)
        return np.where(found[..., None], undistorted, np.nan)

    def _distort(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return distorted points (..., 2)."""
        _, _, p1, p2, _, _, _, _, s1, s2, s3, s4 = self.d
        square = x * x + y * y
        radial = self._radial(square)
        return np.stack([
            x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
            + square * (s1 + s2 * square),
            y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y
            + square * (s3 + s4 * square)], -1)

    def _radial(self, square: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the radial factor for squared radii."""
        k1, k2, _, _, k3, k4, k5, k6 = self.d[:8]
        return ((1 + square * (k1 + square * (k2 + square * k3)))
                / (1 + square * (k4 + square * (k5 + square * k6))))


class Equidistant:
    """equidistant, a fisheye: radius = angle (1 + k1 angle^2 + ... + k4 angle^8), angle in rad.

    cv2.fisheye.undistortPoints limits the distorted radius to pi / 2: on a 200-degree lens 37 % of
    the pixels get a wrong direction. This class has no such limit.

    d: (4,) k1 to k4.
    """

    def __init__(self, d: NDArray[np.float64]) -> None:
        self.d = d
        angles = np.linspace(0, np.pi, SAMPLES, dtype=np.float64)
        self.max_angle = _turning_point(angles, self._distort(angles))

    def project(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        across = np.linalg.norm(directions[..., :2], axis=-1)
        angle = np.arctan2(across, directions[..., 2])
        radius = np.where(angle <= self.max_angle, self._distort(angle), np.nan)
        return directions[..., :2] * (radius / np.maximum(across, 1e-12))[..., None]

    def unproject(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        radius: NDArray[np.float64] = np.linalg.norm(points, axis=-1)
        angles = np.linspace(0, self.max_angle, SAMPLES, dtype=np.float64)
        angle: NDArray[np.float64] = np.interp(radius, self._distort(angles), angles,
                                               right=np.nan)
        k1, k2, k3, k4 = self.d
        for _ in range(3):  # Newton's method
            square = angle * angle
            slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3
                                                                      + square * 9 * k4)))
            with np.errstate(all='ignore'):
                angle = np.where(slope > 1e-3,
                                 angle - (self._distort(angle) - radius) / slope, angle)
        across = points * (np.sin(angle) / np.maximum(radius, 1e-12))[..., None]
        return np.concatenate([across, np.cos(angle)[..., None]], -1)

    def _distort(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distorted radius."""
        k1, k2, k3, k4 = self.d
        square = angle * angle
        return angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))


def _turning_point(x: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the last x before the values of a function first stop increasing."""
    decreases = np.diff(values) <= 0
    return float(x[np.argmax(decreases)] if decreases.any() else x[-1])
