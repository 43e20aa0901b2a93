"""What is computed once for a camera, its pose and the settings, and used for many frames."""

from functools import cached_property
from typing import NamedTuple

from sensor_msgs.msg import PointCloud2

from enet_ros.freespace.camera import Calibration
from enet_ros.freespace.config import FreeSpaceConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.pose import Pose
from enet_ros.labels import LabelSet
from enet_ros.ros.camera_pose import PoseSource
from enet_ros.ros.frames import LabelFrame
from enet_ros.ros.label_set_cache import LabelSetCache
from enet_ros.ros.messages import calibration, ground_cloud


class GeometryInputs(NamedTuple):
    """All that a FreeSpaceEstimator depends on. size: width and height of the label images."""

    calibration: Calibration
    pose: Pose
    size: tuple[int, int]
    labels: LabelSet
    config: FreeSpaceConfig


class Geometry:
    """The FreeSpaceEstimator of a camera, and all its ground points as a message."""

    def __init__(self, inputs: GeometryInputs) -> None:
        self.inputs = inputs
        self.space = FreeSpaceEstimator(
            inputs.calibration, inputs.pose, inputs.size, inputs.labels, inputs.config)

    @cached_property
    def static_ground_cloud(self) -> PointCloud2:
        """The PointCloud2 of the ground points of all pixels, without a header."""
        return ground_cloud(self.space.ground.points)


class GeometryCache:
    """Keeps the Geometry of the newest frame for as long as its inputs stay the same."""

    def __init__(self, pose_source: PoseSource) -> None:
        self.newest: Geometry | None = None
        self._pose_source = pose_source
        self.label_set = LabelSetCache()

    def get(self, frame: LabelFrame, size: tuple[int, int]) -> Geometry:
        """Return the Geometry for a frame, label images of `size`; raise BadInput."""
        config = frame.config
        inputs = GeometryInputs(
            calibration(frame.camera_info), self._pose_source(frame.message.header, config), size,
            self.label_set(frame.label_map),
            # Without `fusion`, which the geometry does not depend on.
            FreeSpaceConfig(config.camera, config.classes, config.ground, config.grid,
                            config.scan))
        if self.newest is None or self.newest.inputs != inputs:
            self.newest = None  # frees its memory first
            self.newest = Geometry(inputs)
        return self.newest
