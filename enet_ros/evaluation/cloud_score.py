"""The accuracy of labeled clouds in synthetic streets, against the surfaces of the streets."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enet_ros.evaluation.cloud_truth import MAX_DEPTH, agrees, positions
from enet_ros.evaluation.freespace_score import calibration_of
from enet_ros.freespace.camera import Camera
from enet_ros.freespace.pose import Pose
from enet_ros.pointcloud.cloud import CloudProjection, PointLabels
from enet_ros.pointcloud.config import SemanticCloudConfig
from enet_ros.pointcloud.depth import Depth, depth_in_meters
from enet_ros.pointcloud.obstacle_scan import ObstacleScan
from enet_ros.pointcloud.obstacles import ObstacleFilter
from enet_ros.pointcloud.semantic_cloud import SemanticCloud
from enet_ros.synthetic.street import SyntheticStreet
from enet_ros.synthetic.surfaces import StreetSurfaces

ON_SURFACE = 0.1  # meters

Sensor = Callable[[NDArray[np.float32]], Depth]


class CloudScore(NamedTuple):
    """How well clouds agree with the street.

    point_error: 95th percentile of the distance of points to the nearest surface, meters.
    obstacles_on_surface: share of obstacle points within ON_SURFACE of an upright surface.
    obstacles_found: share of the pixels that truly show an obstacle whose point is found.
    scan_agreement: share of the measured bearings whose range agrees with the true one.
    """

    point_error: float
    obstacles_on_surface: float
    obstacles_found: float
    scan_agreement: float


def exact_sensor(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an exact depth image."""
    return depth


def millimeter_sensor(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return a depth image as 16UC1: whole millimeters, 0 beyond 65 m."""
    return np.where(depth < 65.0, np.round(1000 * depth), 0).astype(np.uint16)


def stereo_sensor(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a depth image with the noise of a stereo camera, which grows with the square.

    Its standard deviation is 2 mm at 1 m and 20 cm at 10 m.
    """
    noise = np.random.default_rng(0).standard_normal(depth.shape, np.float32)
    with np.errstate(invalid='ignore'):
        return np.where(np.isfinite(depth), depth + np.float32(0.002) * depth ** 2 * noise, depth)


class CloudTrial:
    """The tables of a street's camera, and scores of its frames."""

    def __init__(self, street: SyntheticStreet, config: SemanticCloudConfig | None = None) -> None:
        self.street, self.config = street, config or SemanticCloudConfig()
        camera = street.camera
        self.pose = Pose.from_angles(0, 0, camera.height_m, 0, camera.pitch, 0)
        self.projection = CloudProjection(Camera(calibration_of(camera), camera.width,
                                                 camera.height, True))
        self.point_labels = PointLabels(street.labels)
        obstacles = self.config.obstacles
        self.filter = ObstacleFilter(self.projection, self.pose, street.labels, obstacles)
        self.scan = ObstacleScan(self.projection, self.pose, self.config.scan,
                                 obstacles.max_range)

    def score(self, index: int, sensor: Sensor = exact_sensor) -> CloudScore:
        """Return the score of one frame with true labels and the depth that a sensor measures."""
        frame = self.street.render(index, with_depth=True)
        assert frame.depth is not None
        cloud = SemanticCloud(self.projection, self.point_labels, sensor(frame.depth),
                              frame.labels)
        surfaces = StreetSurfaces(self.street, index)
        pixels, obstacles = self.filter.find(cloud.z, cloud.labels)
        in_base = positions(cloud.points) @ self.pose.rotation.T + self.pose.position
        with np.errstate(invalid='ignore'):
            near = cloud.points['z'] < MAX_DEPTH
        upright = surfaces.distance(obstacles, with_ground=False)
        true_pixels, _ = self.filter.find(depth_in_meters(frame.depth), frame.labels)
        return CloudScore(
            float(np.percentile(surfaces.distance(in_base[near]), 95)),
            _share(upright <= ON_SURFACE), _share(np.isin(true_pixels, pixels)),
            self._scan_agreement(cloud, obstacles, surfaces))

    def _scan_agreement(self, cloud: SemanticCloud, obstacles: NDArray[np.float32],
                        surfaces: StreetSurfaces) -> float:
        limits = self.config.obstacles
        unknown = self.filter.unknown_columns(cloud.without_depth, cloud.labels)
        ranges = self.scan.measure(obstacles[:, 0], obstacles[:, 1], cloud.z, unknown)
        truth = surfaces.scan(self.scan.bearings, (limits.min_height, limits.max_height),
                              self.scan.range_max)
        return _share(agrees(ranges, truth)[~np.isnan(ranges)])


def _share(values: NDArray[np.bool_]) -> float:
    """Return the share of true values; 1 if there are none."""
    return float(values.mean()) if values.size else 1.0
