"""Labeled clouds, obstacles and scans from the depth and label images of one camera."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.images.postprocess import scale_labels
from enet_ros.labels import UNLABELED
from enet_ros.pointcloud.cloud import POINT, CloudProjection, PointLabels
from enet_ros.pointcloud.depth import Depth, depth_in_meters, without_depth


class SemanticCloud:
    """A depth image with the labels of its pixels; Raise BadInput if they do not fit.

    The label image may have another size than the depth image: each pixel takes the nearest label.

    depth: (H, W), uint16 in millimeters or float32 in meters, of the size of the projection.
    labels: class ids, uint8 (h, w). confidence: 255 x probability, uint8 (h, w), or None.

    Attributes:
        z: depth in meters, float32 (H, W); NaN where nothing was measured.
        labels, confidence: at the size of the depth image.
    """

    def __init__(self, projection: CloudProjection, point_labels: PointLabels,
                 depth: Depth, labels: NDArray[np.uint8],
                 confidence: NDArray[np.uint8] | None = None) -> None:
        self._projection, self._point_labels, self._depth = projection, point_labels, depth
        width, height = projection.size
        _check_labels(labels, len(point_labels.labels), point_labels.labels.name)
        for name, image in (('label', labels), ('confidence', confidence)):
            if image is not None:
                _check_aspect(name, image.shape[1], image.shape[0], width, height)
        self.z = depth_in_meters(depth)
        self.labels = scale_labels(labels, width, height)
        self.confidence = None if confidence is None else scale_labels(confidence, width, height)

    @cached_property
    def without_depth(self) -> NDArray[np.bool_]:
        """Which pixels have an unknown depth, (H, W); see `depth.without_depth`."""
        return without_depth(self._depth)

    @cached_property
    def points(self) -> NDArray[np.void]:
        """The organized cloud in the optical frame, (H, W) of POINT."""
        points = np.zeros(self.z.shape, POINT)
        self._projection.write(points, self.z)
        self._point_labels.write(points, self.labels, self.confidence)
        return points


def _check_aspect(name: str, width: int, height: int, depth_width: int,
                  depth_height: int) -> None:
    # A scaled size is rounded to whole pixels.
    if (abs(width * depth_height / depth_width - height) > 1
            and abs(height * depth_width / depth_height - width) > 1):
        raise BadInput(f'the {name} image has {width}x{height} pixels, but the depth image '
                       f'{depth_width}x{depth_height}, which is another aspect ratio; register '
                       "the depth to the camera's image")


def _check_labels(labels: NDArray[np.uint8], count: int, name: str) -> None:
    highest = int((labels + np.uint8(1)).max()) - 1  # UNLABELED wraps around to 0
    if highest >= count:
        raise BadInput(f'the label image has id {highest}, but label set {name!r} ends at '
                       f'{count - 1} (and {UNLABELED}, unlabeled); use the label map of the same '
                       'model')
