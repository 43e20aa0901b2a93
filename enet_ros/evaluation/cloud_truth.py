"""What labeled clouds of a synthetic street should show, and counts of what agrees with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enet_ros.pointcloud.config import ObstaclesConfig
from enet_ros.pointcloud.obstacles import obstacle_classes
from enet_ros.synthetic.pinhole_camera import PinholeCamera
from enet_ros.synthetic.street import SyntheticStreet
from enet_ros.synthetic.surfaces import StreetSurfaces

MAX_DEPTH = 20.0  # meters; farther points are not scored
RANGE_TOLERANCE = 0.1, 0.02  # meters, and share of the true range


class CloudTruth:
    """The classes, heights and obstacles that one frame of a street shows.

    Attributes:
        labels: class ids, uint8 (H, W).
        heights: height class of each pixel, int (H, W): see `height_classes`.
        obstacles: pixels that show an obstacle, bool (H, W).
        surfaces: the upright surfaces of the street.
    """

    def __init__(self, street: SyntheticStreet, index: int, config: ObstaclesConfig) -> None:
        frame = street.render(index, with_depth=True)
        assert frame.depth is not None
        self.camera, self.config = street.camera, config
        self.image, self.labels = frame.image, frame.labels
        self.surfaces = StreetSurfaces(street, index)
        points = _points(street.camera, frame.depth)
        self.heights = height_classes(points[..., 2], config)
        self.obstacles = (obstacle_classes(street.labels, config)[frame.labels]
                          & (self.heights == 1)
                          & (np.hypot(points[..., 0], points[..., 1]) <= config.max_range))

    def in_base(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points (..., 3) of the optical frame in the base frame."""
        camera = self.camera
        intrinsics = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
        rotation = np.linalg.inv(intrinsics) @ camera.matrix()[:, :3]
        in_base: NDArray[np.float64] = points @ rotation + (0, 0, camera.height_m)
        return in_base

    def pixels(self, points: NDArray[np.floating]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return the rows and columns of points of the base frame that are ahead, (N, 3)."""
        projected = points @ self.camera.matrix()[:, :3].T + self.camera.matrix()[:, 3]
        columns, rows = np.round(projected[:, :2] / projected[:, 2:]).astype(int).T
        return (np.clip(rows, 0, self.labels.shape[0] - 1),
                np.clip(columns, 0, self.labels.shape[1] - 1))

    def scan(self, bearings: NDArray[np.float64], range_max: float) -> NDArray[np.float64]:
        """Return the range of the nearest obstacle for each bearing, or infinity, (N,) meters."""
        return self.surfaces.scan(bearings, (self.config.min_height, self.config.max_height),
                                  range_max)


@dataclass
class CloudCounts:
    """Counts over frames.

    points: measured, within MAX_DEPTH. true_classes, true_heights: those with the true class and
        height class. obstacles: points of obstacles. true_obstacles: those whose pixel shows one.
    obstacle_pixels: pixels that show an obstacle. found_pixels: those that have its point.
    bearings: of the scan in view. known: those that are not NaN. true_ranges: those of them that
        agree with the truth.
    """

    frames: int = 0
    points: int = 0
    true_classes: int = 0
    true_heights: int = 0
    obstacles: int = 0
    true_obstacles: int = 0
    obstacle_pixels: int = 0
    found_pixels: int = 0
    bearings: int = 0
    known: int = 0
    true_ranges: int = 0

    def add(self, truth: CloudTruth, points: NDArray[np.void],
            obstacles: NDArray[np.void]) -> None:
        """Count the points (H, W) of a frame, in the optical frame, and its obstacles (N,)."""
        self.frames += 1
        with np.errstate(invalid='ignore'):
            near = points['z'] < MAX_DEPTH
            heights = height_classes(truth.in_base(positions(points))[..., 2], truth.config)
        self.points += int(near.sum())
        self.true_classes += int((points['label'] == truth.labels)[near].sum())
        self.true_heights += int((heights == truth.heights)[near].sum())
        shown = np.zeros(truth.labels.shape, np.bool_)
        rows, columns = truth.pixels(positions(obstacles))
        shown[rows, columns] = True
        self.obstacles += len(obstacles)
        self.true_obstacles += int(truth.obstacles[rows, columns].sum())
        self.obstacle_pixels += int(truth.obstacles.sum())
        self.found_pixels += int((truth.obstacles & shown).sum())

    def add_scan(self, truth: CloudTruth, ranges: NDArray[np.floating],
                 bearings: NDArray[np.float64], range_max: float) -> None:
        """Count the bearings of a scan, (N,) rad, and its ranges, (N,) meters."""
        camera = truth.camera
        left, right = np.arctan([camera.cx / camera.fx,
                                 (camera.cx - camera.width + 1) / camera.fx])
        in_view = (bearings < left) & (bearings > right)
        known = ~np.isnan(ranges)
        self.bearings += int(in_view.sum())
        self.known += int((known & in_view).sum())
        agree = agrees(ranges, truth.scan(bearings, range_max))
        self.true_ranges += int((agree & known & in_view).sum())

    def report(self) -> list[str]:
        """Return the figures, a line each."""
        return [
            f'points     {self.points} within {MAX_DEPTH:g} m in {self.frames} frames: '
            f'{_percent(self.true_classes, self.points)} have the true class, '
            f'{_percent(self.true_heights, self.points)} the true height class',
            f'obstacles  {self.obstacles} points: '
            f'{_percent(self.true_obstacles, self.obstacles)} show one, and '
            f'{_percent(self.found_pixels, self.obstacle_pixels)} of the pixels of obstacles '
            'are among them',
            f'scan       {self.bearings} bearings in view: '
            f'{_percent(self.true_ranges, self.known)} of the known ranges are right, '
            f'{_percent(self.bearings - self.known, self.bearings)} are unknown']


def height_classes(heights: NDArray[np.floating], config: ObstaclesConfig) -> NDArray[np.int_]:
    """Return 0 below, 1 between and 2 above the heights of obstacles; NaN is below."""
    with np.errstate(invalid='ignore'):
        return (heights >= config.min_height).astype(int) + (heights > config.max_height)


def agrees(ranges: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which ranges are within RANGE_TOLERANCE of the true ones, or infinite as they."""
    absolute, relative = RANGE_TOLERANCE
    agree = np.isinf(ranges) & np.isinf(truth)
    finite = np.isfinite(ranges) & np.isfinite(truth)
    agree[finite] = (np.abs(ranges[finite] - truth[finite])
                     <= np.maximum(absolute, relative * truth[finite]))
    return agree


def positions(points: NDArray[np.void]) -> NDArray[np.float32]:
    """Return the positions (..., 3) of points (...) of POINT."""
    return np.stack([points[name] for name in 'xyz'], -1)


def _points(camera: PinholeCamera, depth: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the points of a depth image in the base frame, (H, W, 3) meters."""
    v, u = np.indices(depth.shape)
    directions = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.matrix()[:, :3]).T
    with np.errstate(invalid='ignore'):
        points: NDArray[np.float64] = depth[..., None] * directions + (0, 0, camera.height_m)
    return points


def _percent(part: int, whole: int) -> str:
    return f'{100 * part / whole:.2f} %' if whole else '-'
