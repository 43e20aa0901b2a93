"""What the semantic cloud node computes once and uses for many frames."""

from typing import NamedTuple

from enet_ros.freespace.camera import Calibration, Camera
from enet_ros.freespace.pose import Pose
from enet_ros.labels import LabelSet
from enet_ros.pointcloud.cloud import CloudProjection, PointLabels
from enet_ros.pointcloud.config import ObstacleScanConfig, ObstaclesConfig
from enet_ros.pointcloud.obstacle_scan import ObstacleScan
from enet_ros.pointcloud.obstacles import ObstacleFilter


class ProjectionInputs(NamedTuple):
    """All that a CloudProjection depends on. size: width and height of the depth images."""

    calibration: Calibration
    size: tuple[int, int]
    rectified: bool


class ObstacleInputs(NamedTuple):
    """All that the tables of obstacles and scan depend on."""

    projection: CloudProjection
    pose: Pose
    labels: LabelSet
    obstacles: ObstaclesConfig
    scan: ObstacleScanConfig


class ObstacleTables:
    """The filter of obstacles and the scan of a camera."""

    def __init__(self, inputs: ObstacleInputs) -> None:
        self.inputs = inputs
        projection, pose, labels, obstacles, scan = inputs
        self.filter = ObstacleFilter(projection, pose, labels, obstacles)
        self.scan = ObstacleScan(projection, pose, scan, obstacles.max_range)


class CloudTables:
    """Keeps the tables of the newest frame for as long as their inputs stay the same.

    Attributes:
        newest: the newest tables of obstacles, or None.
    """

    def __init__(self) -> None:
        self.newest: ObstacleTables | None = None
        self._projection: tuple[ProjectionInputs, CloudProjection] | None = None
        self._point_labels: PointLabels | None = None

    def projection(self, inputs: ProjectionInputs) -> CloudProjection:
        """Return the projection of a camera; raise BadInput if its calibration is invalid."""
        if self._projection is None or self._projection[0] != inputs:
            calibration, (width, height), rectified = inputs
            camera = Camera(calibration, width, height, rectified)
            self._projection = inputs, CloudProjection(camera)
        return self._projection[1]

    def point_labels(self, labels: LabelSet) -> PointLabels:
        """Return the colors and ids of a label set."""
        if self._point_labels is None or self._point_labels.labels != labels:
            self._point_labels = PointLabels(labels)
        return self._point_labels

    def obstacles(self, inputs: ObstacleInputs) -> ObstacleTables:
        """Return the tables of obstacles and scan; raise BadInput."""
        if self.newest is None or self.newest.inputs != inputs:
            self.newest = None  # frees its memory first
            self.newest = ObstacleTables(inputs)
        return self.newest
