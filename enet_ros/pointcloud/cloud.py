"""Organized point clouds of depth and label images."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.camera import Camera
from enet_ros.labels import LabelSet

# A point: position in meters; color as 0xRRGGBB in the bits of a float, as PCL has it; class id;
# 255 x probability. The color and the id are adjacent, so that one table has both.
POINT = np.dtype({
    'names': ['x', 'y', 'z', 'rgb', 'label', 'confidence'],
    'formats': [np.float32, np.float32, np.float32, np.float32, np.uint32, np.uint8],
    'offsets': [0, 4, 8, 16, 20, 12], 'itemsize': 24})


class PointLabels:
    """The color and the class id of points, by the values of a label image."""

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        table = np.zeros(256, [('rgb', np.uint32), ('label', np.uint32)])
        table['label'] = np.arange(256)
        for class_id, label in enumerate(labels.classes):
            red, green, blue = label.color
            table['rgb'][class_id] = red << 16 | green << 8 | blue
        self._table = table.view(np.uint64)

    def write(self, points: NDArray[np.void], labels: NDArray[np.uint8],
              confidence: NDArray[np.uint8] | None) -> None:
        """Set color, class id and confidence of points (...) from images of the same shape.

        confidence: 255 x probability; None leaves it unset.
        """
        shape = points.shape
        points.view(np.uint64).reshape(*shape, 3)[..., 2] = self._table[labels]
        if confidence is not None:
            points['confidence'] = confidence


class CloudProjection:
    """Projects depth images of one camera to points in its optical frame.

    The constructor computes the ray of each pixel; a frame only multiplies.

    Attributes:
        rays: float32 (2, H, W), x and y at depth 1; NaN outside the lens.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        directions = camera.rays()
        with np.errstate(invalid='ignore', divide='ignore'):
            rays = np.moveaxis(directions[..., :2] / directions[..., 2:], -1, 0)
            rays = np.where(directions[..., 2] > 0, rays, np.nan)
        self.rays: NDArray[np.float32] = np.ascontiguousarray(rays, np.float32)
        self.size = camera.width, camera.height

    def write(self, points: NDArray[np.void], z: NDArray[np.float32]) -> None:
        """Set the positions of points (H, W) from depths (H, W) in meters; NaN is kept."""
        values = points.view(np.float32).reshape(*points.shape, -1)  # (H, W, 6)
        np.multiply(self.rays[0], z, out=values[..., 0])
        np.multiply(self.rays[1], z, out=values[..., 1])
        values[..., 2] = z
