"""The points of obstacles: chosen classes, at heights above the ground plane."""

import cv2
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
        self._rise = in_base[2]               # (H, W) height gained per depth
        self._rays = in_base.reshape(3, -1)   # (3, H * W)
        self._point_labels = PointLabels(labels)
        self._is_obstacle = obstacle_classes(labels, config).view(np.uint8)
        self._may_be_near = self._pixels_near_ground()

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
        chosen &= self._shows_obstacle(labels)
        pixels = np.flatnonzero(chosen)
        depth = z.ravel()[pixels]
        x, y = (ray.take(pixels) * depth + start for ray, start in zip(self._rays, position[:2]))
        near = x * x + y * y <= config.max_range ** 2
        pixels = pixels[near]
        return pixels, np.stack([x[near], y[near], height.ravel()[pixels]]).T

    def unknown_columns(self, without_depth: NDArray[np.bool_],
                        labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which image columns show an obstacle of unknown distance, bool (W,).

        Obstacles stand on the ground: within max_range, some of their pixels hide ground that is
        within max_range too. Pixels above those, such as buildings far away, are left out.

        without_depth, labels: of the pixels, (H, W).
        """
        unknown: NDArray[np.bool_] = np.any(
            without_depth & self._may_be_near & self._shows_obstacle(labels), axis=0)
        return unknown

    def _shows_obstacle(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return cv2.LUT(labels, self._is_obstacle).view(np.bool_)

    def _pixels_near_ground(self) -> NDArray[np.bool_]:
        """Return the pixels whose rays meet the ground within max_range, bool (H, W).

        In columns without such a pixel, because the camera looks up, return all.
        """
        position, max_range = self._position, self._config.max_range
        with np.errstate(divide='ignore', invalid='ignore'):
            depth = np.where(self._rise < 0, -position[2] / self._rise, np.nan)
            ground = self._rays[:2] * depth.ravel() + position[:2, None]
            near = (np.hypot(*ground) <= max_range).reshape(self._rise.shape)
        return near | ~near.any(0)


def obstacle_classes(labels: LabelSet, config: ObstaclesConfig) -> NDArray[np.bool_]:
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
