"""A calibrated camera: the directions that its pixels show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.distortion import make_distortion

MAX_IMAGE_PIXELS = 4_200_000  # the rays of each take about 230 bytes for a short time
MIN_FOCAL_LENGTH, MAX_PIXEL = 1e-3, 1e9  # pixels; of the values in a camera matrix
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Calibration:
    """The content of a sensor_msgs/CameraInfo, with the same meanings.

    width, height: of the whole sensor in pixels.
    k (9), r (9), p (12): matrices in row-major order. Zeros in r mean no rotation.
    d: the coefficients of distortion_model.
    roi: (x_offset, y_offset, width, height) in pixels of the sensor; zeros mean the whole sensor.
    binning: (x, y); 0 and 1 mean none.
    """

    width: int
    height: int
    k: Sequence[float]
    d: Sequence[float] = ()
    distortion_model: str = 'plumb_bob'
    r: Sequence[float] = IDENTITY
    p: Sequence[float] = (0.0,) * 12
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    binning: tuple[int, int] = (0, 0)

    def region(self) -> tuple[int, int, int, int]:
        """Return x, y, width and height of the region of interest, or of the whole sensor.

        In pixels of the sensor, before binning. Raise BadInput if a size is zero or the region
        leaves the sensor.
        """
        if not (self.width and self.height):
            raise BadInput(f'camera_info is for {self.width}x{self.height} pixels: a size is '
                           'zero; set it in the camera driver')
        x, y, width, height = self.roi
        width, height = width or self.width, height or self.height
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise BadInput(f'camera_info: its roi {width}x{height} at ({x}, {y}) leaves the '
                           f'{self.width}x{self.height} sensor; correct it in the camera driver, '
                           'all zeros mean the whole sensor')
        return x, y, width, height


class Camera:
    """Maps between the pixels and the directions of a camera.

    Directions are in the optical frame of the rectified camera (z forward, x right, y down), as in
    image_geometry. Pixels are (u, v), with (0, 0) at the center of the upper left pixel.

    calibration: raises BadInput if it does not fit the image size or is invalid.
    width, height: size of the images in pixels, which may be scaled.
    rectified: use P; otherwise K, D and R.
    """

    def __init__(self, calibration: Calibration, width: int, height: int,
                 rectified: bool) -> None:
        if width * height > MAX_IMAGE_PIXELS:
            raise BadInput(f'the label or depth image has {width}x{height} pixels, more than '
                           f'{MAX_IMAGE_PIXELS:,}; set output.size of the segmentation node, or '
                           'reduce the depth image')
        self.width, self.height = width, height
        self.matrix = _scale(calibration, width, height) @ _intrinsics(calibration, rectified)
        if rectified:
            self.rotation = np.eye(3)
            self.distortion = make_distortion('plumb_bob', ())
        else:
            self.rotation = _rotation(calibration.r)
            self.distortion = make_distortion(calibration.distortion_model, calibration.d)
        # Values that are not used are checked too: if they are invalid, so is the calibration.
        for name in 'KDRP':
            values = getattr(calibration, name.lower())
            _finite(values, len(values), name)

    def rays(self) -> NDArray[np.float64]:
        """Return the unit direction of each pixel, (H, W, 3); NaN outside the lens."""
        u, v = np.meshgrid(np.arange(self.width), np.arange(self.height))
        points = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(self.matrix).T
        return self.distortion.unproject(points[..., :2]) @ self.rotation.T

    def project(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pixels (..., 2) that show directions (..., 3); NaN outside the lens.

        They may lie outside the image.
        """
        points = self.distortion.project(directions @ self.rotation)
        return points @ self.matrix[:2, :2].T + self.matrix[:2, 2]


def _finite(values: Sequence[float], count: int, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, float).ravel()
    if len(array) != count or not np.isfinite(array).all():
        raise BadInput(f'camera_info: {name} is {array.tolist()}; it must be {count} finite '
                       'numbers, calibrate the camera again')
    return array


def _intrinsics(calibration: Calibration, rectified: bool) -> NDArray[np.float64]:
    """Return the camera matrix, (3, 3)."""
    if rectified:
        name, matrix = 'P', _finite(calibration.p, 12, 'P').reshape(3, 4)[:, :3]
    else:
        name, matrix = 'K', _finite(calibration.k, 9, 'K').reshape(3, 3)
    if matrix[0, 0] == 0:
        raise BadInput(f'camera_info: {name}[0] is 0, so the camera is not calibrated; calibrate '
                       'it with camera_calibration')
    focal_lengths = matrix[0, 0], matrix[1, 1]
    if not (min(focal_lengths) >= MIN_FOCAL_LENGTH and np.abs(matrix).max() <= MAX_PIXEL
            and np.array_equal(matrix[1:, 0], [0, 0]) and np.array_equal(matrix[2, 1:], [0, 1])):
        raise BadInput(f'camera_info: {name} is {matrix.tolist()}, which is no camera matrix; its '
                       'focal lengths must be positive, the values below them 0 and its last row '
                       '0 0 1')
    return matrix


def _rotation(values: Sequence[float]) -> NDArray[np.float64]:
    matrix = _finite(values, 9, 'R').reshape(3, 3)
    if not matrix.any():
        return np.eye(3)
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3) or np.linalg.det(matrix) < 0:
        raise BadInput(f'camera_info: R is {matrix.tolist()}, which is no rotation; calibrate the '
                       'camera again')
    return matrix


def _scale(calibration: Calibration, width: int, height: int) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from pixels of the sensor to those of a width x height image."""
    x, y, roi_width, roi_height = calibration.region()
    if min(roi_width, roi_height, width, height) < 2:
        raise BadInput(f'camera_info is for {roi_width}x{roi_height} pixels and the image has '
                       f'{width}x{height}; all must be 2 or more, set them in the camera driver')
    binning_x, binning_y = calibration.binning
    unscaled_width = roi_width / max(1, binning_x)
    unscaled_height = roi_height / max(1, binning_y)
    # A scaled size is rounded to whole pixels.
    if (abs(width * unscaled_height / unscaled_width - height) > 1
            and abs(height * unscaled_width / unscaled_height - width) > 1):
        raise BadInput(f'camera_info is for images of {unscaled_width:g}x{unscaled_height:g} '
                       f'pixels, but the label or depth image has {width}x{height}, which is '
                       'another aspect ratio; use the camera_info that is published with it')
    sx, sy = width / roi_width, height / roi_height
    return np.array([[sx, 0, -sx * x], [0, sy, -sy * y], [0, 0, 1]])
