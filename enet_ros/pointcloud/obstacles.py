"""The points of obstacles: chosen classes, at heights above the ground plane."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.pose import Pose
from enet_ros.labels import UNLABELED, LabelSet
from enet_ros.pointcloud.cloud import POINT, CloudProjection, PointLabels
from enet_ros.pointcloud.config import ObstaclesConfig


class ObstacleFilter:
    """Finds the points of obstacles in the base frame.

    The ground is removed twice: by its classes, and by the height above the plane z = 0. The
    constructor computes all tables. Raise BadInput if a class does not exist, or none is left.

    pose: of the camera in the base frame.
    """

    def __init__(self, projection: CloudProjection, pose: Pose, labels: LabelSet,
                 config: ObstaclesConfig) -> None:
        self._config, self._position = config, pose.position.astype(np.float32)
        rays = np.concatenate([projection.rays, np.ones_like(projection.rays[:1])])  # (3, H, W)
        in_base = np.einsum('ij,jhw->ihw', pose.rotation.astype(np.float32), rays)
        self._rise = np.ascontiguousarray(in_base[2])           # (H, W) height gained per depth
        self._rays = np.moveaxis(in_base, 0, -1).reshape(-1, 3)  # (H * W, 3)
        self._point_labels = PointLabels(labels)
        self._is_obstacle = _obstacle_table(labels, config)

    def __call__(self, z: NDArray[np.float32], labels: NDArray[np.uint8],
                 confidence: NDArray[np.uint8] | None) -> NDArray[np.void]:
        """Return the points of obstacles, (N,) of POINT with positions in the base frame.

        z: depth in meters, (H, W); NaN where nothing was measured. labels: class ids, (H, W).
        confidence: 255 x probability, (H, W), or None.
        """
        pixels, xyz = self.find(z, labels)
        points = np.zeros(len(pixels), POINT)
        for axis, name in enumerate('xyz'):
            points[name] = xyz[:, axis]
        self._point_labels.write(points, labels.ravel()[pixels],
                                 None if confidence is None else confidence.ravel()[pixels])
        return points

    def find(self, z: NDArray[np.float32], labels: NDArray[np.uint8]) -> tuple[
            NDArray[np.intp], NDArray[np.float32]]:
        """Return the pixels of obstacles as indices into the flat image, (N,), and their points.

        The points (N, 3) are in the base frame, in meters.
        """
        config, position = self._config, self._position
        height = self._rise * z
        height += position[2]
        with np.errstate(invalid='ignore'):
            chosen = (height >= config.min_height) & (height <= config.max_height)
        chosen &= self._is_obstacle.take(labels)
        pixels = np.flatnonzero(chosen)
        xyz = self._rays[pixels] * z.ravel()[pixels, None] + position  # (N, 3)
        near = np.hypot(xyz[:, 0], xyz[:, 1]) <= config.max_range
        return pixels[near], xyz[near]


def _obstacle_table(labels: LabelSet, config: ObstaclesConfig) -> NDArray[np.bool_]:
    """Return which ids are those of obstacles, bool (256,)."""
    if config.classes:
        ids = {labels.id_of(name) for name in config.classes}
    else:
        ids = {class_id for class_id, label in enumerate(labels.classes)
               if not label.drivable and label.topic_name not in config.excluded}
        if not ids:
            raise BadInput(f'label set {labels.name!r} has no class of obstacles; name some in '
                           'obstacles.classes')
    table = np.zeros(UNLABELED + 1, np.bool_)
    table[list(ids)] = True
    return table
