"""Lens distortion as sensor_msgs/CameraInfo names it, both ways.

A lens maps directions in the camera's frame (z forward, x right, y down) to points of an ideal
image at focal length 1, and back. What it cannot map is NaN.
"""

import numpy as np

from enet_ros.errors import BadInput


def make_lens(model, coefficients):
    """Return the lens of a distortion model and its coefficients D; raise BadInput."""
    d = np.asarray(coefficients, float).ravel()
    if not np.isfinite(d).all():
        raise BadInput(f'camera_info: D is {d.tolist()}; calibrate the camera again, all must be '
                       'finite')
    if not d.any():
        # Many drivers name no model where there is no distortion; a fisheye always has one.
        return Fisheye(np.zeros(4)) if model == 'equidistant' else Brown(np.zeros(12))
    counts = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
    if model not in counts:
        raise BadInput(f'camera_info: distortion_model {model!r} is not known; rectify the image, '
                       f'or calibrate with {", ".join(counts)}')
    if len(d) not in counts[model]:
        raise BadInput(f'camera_info: D has {len(d)} coefficients; {model} has '
                       f'{" or ".join(map(str, counts[model]))}')
    if model == 'equidistant':
        return Fisheye(d)
    if d[12:].any():
        raise BadInput('camera_info: D tilts the sensor (its last two coefficients); rectify the '
                       'image and set rectified')
    return Brown(np.pad(d, (0, 12))[:12])


def _first_fall(values, steps):
    """Return the step before the first at which a function no longer grows."""
    falls = np.diff(values) <= 0
    return steps[np.argmax(falls)] if falls.any() else steps[-1]


class Brown:
    """plumb_bob and rational_polynomial: k1, k2, p1, p2, k3 to k6, s1 to s4, OpenCV's order."""

    def __init__(self, d):
        self.d = d
        radii = np.linspace(0, 20, 20001)
        # Beyond its turning point the polynomial folds the outside of the view into the image.
        self.farthest = _first_fall(radii * self._radial(radii ** 2), radii)

    def _radial(self, square):
        k1, k2, _, _, k3, k4, k5, k6 = self.d[:8]
        return ((1 + square * (k1 + square * (k2 + square * k3)))
                / (1 + square * (k4 + square * (k5 + square * k6))))

    def _distort(self, x, y):
        _, _, p1, p2, _, _, _, _, s1, s2, s3, s4 = self.d
        square = x * x + y * y
        radial = self._radial(square)
        return (x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
                + square * (s1 + s2 * square),
                y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y
                + square * (s3 + s4 * square))

    def project(self, directions):
        """Map directions (..., 3) to ideal image points (..., 2)."""
        with np.errstate(all='ignore'):
            x, y = (directions[..., axis] / directions[..., 2] for axis in (0, 1))
            inside = (directions[..., 2] > 0) & (np.hypot(x, y) <= self.farthest)
            points = np.stack(self._distort(x, y), -1)
        return np.where(inside[..., None], points, np.nan)

    def unproject(self, points):
        """Map ideal image points (..., 2) to unit directions (..., 3)."""
        if not self.d.any():
            x, y = points[..., 0], points[..., 1]
        else:
            x, y = self._undistort(points[..., 0], points[..., 1])
        directions = np.stack([x, y, np.ones_like(x)], -1)
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)

    def _undistort(self, u, v, step=1e-6):
        # Newton's method; the slopes by differences.
        x, y = u.copy(), v.copy()
        with np.errstate(all='ignore'):
            for _ in range(20):
                a, b = self._distort(x, y)
                ax, bx = self._distort(x + step, y)
                ay, by = self._distort(x, y + step)
                ax, bx, ay, by = (ax - a) / step, (bx - b) / step, (ay - a) / step, (by - b) / step
                a, b, slope = a - u, b - v, ax * by - ay * bx
                dx, dy = (a * by - ay * b) / slope, (ax * b - a * bx) / slope
                x, y = x - np.clip(dx, -0.3, 0.3), y - np.clip(dy, -0.3, 0.3)
                if np.nanmax(np.hypot(a, b), initial=0.0) < 1e-12:
                    break
            a, b = self._distort(x, y)
            found = (np.hypot(a - u, b - v) < 1e-7) & (np.hypot(x, y) <= self.farthest)
        return np.where(found, x, np.nan), np.where(found, y, np.nan)


class Fisheye:
    """equidistant: the angle from the axis times 1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8."""

    def __init__(self, d):
        self.d = d
        angles = np.linspace(0, np.pi, 20001)
        self.farthest = _first_fall(self._distort(angles), angles)

    def _distort(self, angle):
        k1, k2, k3, k4 = self.d
        square = angle * angle
        return angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))

    def project(self, directions):
        """Map directions (..., 3) to ideal image points (..., 2)."""
        across = np.linalg.norm(directions[..., :2], axis=-1)
        angle = np.arctan2(across, directions[..., 2])
        radius = np.where(angle <= self.farthest, self._distort(angle), np.nan)
        return directions[..., :2] * (radius / np.maximum(across, 1e-12))[..., None]

    def unproject(self, points):
        """Map ideal image points (..., 2) to unit directions (..., 3)."""
        radius = np.linalg.norm(points, axis=-1)
        angles = np.linspace(0, self.farthest, 20001)
        angle = np.interp(radius, self._distort(angles), angles, right=np.nan)
        k1, k2, k3, k4 = self.d
        for _ in range(3):
            square = angle * angle
            slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3
                                                                      + square * 9 * k4)))
            with np.errstate(all='ignore'):
                angle = np.where(slope > 1e-3,
                                 angle - (self._distort(angle) - radius) / slope, angle)
        across = points * (np.sin(angle) / np.maximum(radius, 1e-12))[..., None]
        return np.concatenate([across, np.cos(angle)[..., None]], -1)
