"""A calibrated camera: where a pixel looks, and where a direction shows."""

from dataclasses import dataclass

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.freespace.lens import make_lens

ALONE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Calibration:
    """What sensor_msgs/CameraInfo says, as plain values with its meanings.

    width and height in pixels of the whole sensor; k (9), r (9) and p (12) row by row; roi
    (x_offset, y_offset, width, height) in the sensor's pixels, sizes of zero for all of it;
    binning (x, y), 0 and 1 for none. An r of zeros is that of a camera alone.
    """

    width: int
    height: int
    k: tuple
    d: tuple = ()
    distortion_model: str = 'plumb_bob'
    r: tuple = ALONE
    p: tuple = (0.0,) * 12
    roi: tuple = (0, 0, 0, 0)
    binning: tuple = (0, 0)


class Camera:
    """A camera whose images have `width` x `height` pixels, which may be scaled.

    Directions are in the optical frame of the rectified camera (z forward, x right, y down), as
    those of image_geometry: a `rectified` image has them from P, another from K, D and R. Pixels
    (u, v) count from the middle of the upper left one.
    """

    def __init__(self, calibration, width, height, rectified):
        self.width, self.height = width, height
        self.matrix = _scale(calibration, width, height) @ _intrinsics(calibration, rectified)
        self.rotation, self.lens = np.eye(3), make_lens('plumb_bob', ())
        if not rectified:
            self.rotation = _rotation(calibration.r)
            self.lens = make_lens(calibration.distortion_model, calibration.d)
        for name in 'KDRP':  # what is not used too: the calibration went wrong
            values = getattr(calibration, name.lower())
            _numbers(values, len(values), name)

    def rays(self):
        """Return the unit direction of each pixel, float (H, W, 3); NaN outside the lens."""
        u, v = np.meshgrid(np.arange(self.width), np.arange(self.height))
        pixels = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(self.matrix).T
        return self.lens.unproject(pixels[..., :2]) @ self.rotation.T

    def project(self, directions):
        """Return the pixels (..., 2) that show directions (..., 3); NaN outside the lens.

        They may lie outside the image.
        """
        points = self.lens.project(directions @ self.rotation)
        return points @ self.matrix[:2, :2].T + self.matrix[:2, 2]


def _numbers(values, count, name):
    array = np.asarray(values, float).ravel()
    if len(array) != count or not np.isfinite(array).all():
        raise BadInput(f'camera_info: {name} is {array.tolist()}; it must be {count} finite '
                       'numbers, calibrate the camera again')
    return array


def _intrinsics(calibration, rectified):
    if rectified:
        name, matrix = 'P', _numbers(calibration.p, 12, 'P').reshape(3, 4)[:, :3]
    else:
        name, matrix = 'K', _numbers(calibration.k, 9, 'K').reshape(3, 3)
    if matrix[0, 0] == 0:
        raise BadInput(f'camera_info: {name}[0] is 0, so the camera is not calibrated; calibrate '
                       'it with camera_calibration')
    if not (matrix[0, 0] > 0 and matrix[1, 1] > 0 and np.array_equal(matrix[2], [0, 0, 1])):
        raise BadInput(f'camera_info: {name} is {matrix.tolist()}; that is no camera matrix, its '
                       'focal lengths must be positive and its last row 0 0 1')
    return matrix


def _rotation(values):
    matrix = _numbers(values, 9, 'R').reshape(3, 3)
    if not matrix.any():
        return np.eye(3)
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3) or np.linalg.det(matrix) < 0:
        raise BadInput(f'camera_info: R is {matrix.tolist()}, which is no rotation; calibrate the '
                       'camera again')
    return matrix


def _scale(calibration, width, height):
    """Return the 3x3 matrix from the sensor's pixels to those of an image of width x height."""
    x, y, across, down = calibration.roi
    across, down = across or calibration.width, down or calibration.height
    if min(across, down, width, height) < 2:
        raise BadInput(f'camera_info is for {across}x{down} pixels and the image has '
                       f'{width}x{height}; all must be 2 or more, set them in the camera driver')
    if x < 0 or y < 0 or x + across > calibration.width or y + down > calibration.height:
        raise BadInput(f'camera_info: its roi {across}x{down} at ({x}, {y}) leaves the '
                       f'{calibration.width}x{calibration.height} frame; correct it in the camera '
                       'driver, all zeros mean the whole frame')
    # The size of an unscaled image; scaling rounds to whole pixels.
    columns, rows = (size / max(1, step) for size, step in zip((across, down),
                                                               calibration.binning))
    if abs(width * rows / columns - height) > 1 and abs(height * columns / rows - width) > 1:
        raise BadInput(f'camera_info is for images of {columns:g}x{rows:g} pixels, but the labels '
                       f'have {width}x{height}, another shape; take the camera_info that the '
                       'segmentation node publishes beside them')
    sx, sy = width / across, height / down
    return np.array([[sx, 0, -sx * x], [0, sy, -sy * y], [0, 0, 1]])
