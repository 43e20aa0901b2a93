"""The estimation of free space from a label image."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Calibration, Camera
from enet_ros.freespace.config import FreeSpaceConfig
from enet_ros.freespace.grid import Grid
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.pitch_check import CurbDetector
from enet_ros.freespace.points import ContactPoints, contact_points
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.ray_casting import RayCaster
from enet_ros.freespace.scan import Scan
from enet_ros.freespace.surface_classes import SurfaceClasses
from enet_ros.freespace.visible_ground import VisibleGround
from enet_ros.labels import LabelSet


class FreeSpaceEstimator:
    """Estimates free space from the label images of one camera at one pose.

    The constructor computes all tables; a frame only looks values up.

    size: (width, height) of the label images in pixels.
    labels: the label set of their ids.
    """

    def __init__(self, calibration: Calibration, pose: Pose, size: tuple[int, int],
                 labels: LabelSet, config: FreeSpaceConfig | None = None) -> None:
        self.config = config = config or FreeSpaceConfig()
        self.size = size
        self.surface_classes = SurfaceClasses(
            labels, config.classes.drivable, config.classes.flat, config.classes.default_flat,
            config.classes.overhanging)
        camera = Camera(calibration, *size, config.camera.rectified)
        self.ground = GroundPlane(camera, pose, config.ground.pixel_length)
        self.ray_caster = RayCaster(
            self.ground, config.grid.resolution, self.surface_classes.overhanging,
            config.ground.clearance, config.ground.span)
        self.grid = Grid(self.ray_caster, config.grid)
        self.scan = Scan(self.ray_caster, config.scan)
        self.curb_detector = CurbDetector(self.ground)
        self.visible_ground = VisibleGround(self.ray_caster, config.ground.contact_depth)

    def __call__(self, labels: NDArray[np.uint8],
                 confidence: NDArray[np.uint8] | None = None) -> 'FreeSpaceEstimate':
        """Return the free space in a label image (H, W); confidence is that of its pixels."""
        for name, image in (('label', labels), ('confidence', confidence)):
            if image is not None and (image.dtype != np.uint8
                                      or image.shape != (self.size[1], self.size[0])):
                raise BadInput(f'the {name} image is {image.dtype} of shape {image.shape}; the '
                               f'camera needs uint8 {self.size[1], self.size[0]}')
        return FreeSpaceEstimate(self, labels, confidence)


class FreeSpaceEstimate:
    """The free space in one label image, in the base frame; each output is computed on demand."""

    def __init__(self, estimator: FreeSpaceEstimator, labels: NDArray[np.uint8],
                 confidence: NDArray[np.uint8] | None) -> None:
        self._estimator, self._labels, self._confidence = estimator, labels, confidence
        self._surfaces = estimator.surface_classes.classify(labels)
        self._rays = estimator.ray_caster.cast(self._surfaces, labels)

    @cached_property
    def grid(self) -> NDArray[np.int8]:
        """The occupancy grid, (rows, columns) as in Grid; the next estimate overwrites it."""
        return self._estimator.grid.fill(self._rays)

    @cached_property
    def scan(self) -> NDArray[np.float32]:
        """The ranges of the virtual scan, (N,) meters as in Scan."""
        return self._estimator.scan.measure(self._rays)

    @cached_property
    def points(self) -> ContactPoints:
        """The contact points."""
        ray_count = len(self._estimator.ray_caster.bearings)
        return contact_points(ray_count, self._rays, self._labels, self._confidence)

    @cached_property
    def ground_points(self) -> NDArray[np.float32]:
        """The ground points of the pixels that show ground, (H, W, 2) as in VisibleGround."""
        return self._estimator.visible_ground(self._surfaces, self._rays)

    @cached_property
    def pitch_error(self) -> float:
        """How much too large the curbs show the pitch of the pose to be, rad; NaN if unknown."""
        return self._estimator.curb_detector.pitch_error(self._surfaces)
