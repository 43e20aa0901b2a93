"""The settings of free space estimation, and of the node that publishes it."""

from dataclasses import dataclass, field
from math import ceil, floor, hypot
from typing import TypeVar

from enet_ros.config import AgeConfig, check, require, setting

T = TypeVar('T')

MAX_CELLS = 4_000_000  # of a grid; its tables and messages take about 100 MB
MAX_BEARINGS = 4_000   # of a scan; its tables take about 100 MB
POSE_SOURCES = ('parameters', 'tf')
GROUND_POINTS = ('visible', 'static')
OVERHANGING = (
    'car', 'truck', 'bus', 'train', 'caravan', 'trailer', 'motorcycle', 'bicycle', 'bicyclist',
    'rider', 'pedestrian', 'person', 'chair', 'sofa', 'table', 'desk', 'bed', 'night_stand')


def live(default: T, description: str, **rules: object) -> T:
    """Return a dataclass field whose new values a running node applies to the next frame."""
    return setting(default, description, live=True, **rules)


@dataclass(frozen=True)
class CameraConfig:
    """The camera: its pose in the base frame (x forward, y left, z up) and its images."""

    pose: str = setting('parameters', "source of the camera's pose in the base frame: these "
                        'parameters, or tf, the transform to the frame_id of the label images',
                        choices=POSE_SOURCES)
    x: float = live(0.0, 'position forward in meters', minimum=-100.0, maximum=100.0)
    y: float = live(0.0, 'position to the left in meters', minimum=-100.0, maximum=100.0)
    z: float = live(1.5, 'height above the ground in meters', minimum=0.01, maximum=100.0)
    roll: float = live(0.0, 'roll in rad; positive leans to the right',
                       minimum=-3.15, maximum=3.15)
    pitch: float = live(0.0, 'pitch in rad; positive looks down', minimum=-1.58, maximum=1.58)
    yaw: float = live(0.0, 'yaw in rad; positive looks to the left',
                      minimum=-3.15, maximum=3.15)
    rectified: bool = live(True, 'whether the images are rectified: true uses P of camera_info, '
                           'false K and D')
    max_pose_age_ms: float = live(200.0, 'with pose tf: largest time between an image and a '
                                  'moving transform in milliseconds', minimum=0.0, maximum=10000.0)
    max_jump: float = live(0.3, 'with pose tf: largest change of the pose between frames in '
                           'meters and rad', minimum=0.001, maximum=10.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ClassesConfig:
    """Which classes are drivable, which are flat, and which stand on wheels or legs."""

    drivable: tuple[str, ...] = live((), 'names of the drivable classes; empty: those that the '
                                     'label map marks as drivable')
    flat: tuple[str, ...] = live((), 'names of classes of flat ground that is not drivable but '
                                 'hides nothing; empty: those of default_flat that the label map '
                                 'has and that are not drivable')
    default_flat: tuple[str, ...] = live(('pavement', 'sidewalk', 'terrain'),
                                         'default names of flat classes in lower snake case')
    overhanging: tuple[str, ...] = live(OVERHANGING, 'names in lower snake case of classes that '
                                        'stand on wheels or legs, with a gap below them')


@dataclass(frozen=True)
class GroundConfig:
    """The usable ground, its points, and the gaps below overhanging obstacles."""

    pixel_length: float = live(0.5, 'length of ground in one pixel up to which the ground is '
                               'used, in meters', minimum=0.01, maximum=10.0)
    clearance: float = live(0.35, 'largest height of the gap below overhanging obstacles in '
                            'meters', minimum=0.0, maximum=1.0)
    span: float = live(3.5, 'largest distance between two contact points of one overhanging '
                       'obstacle in meters; 0: obstacles have no gaps',
                       minimum=0.0, maximum=20.0)
    points: str = live('visible', 'which pixels have a point in ~/ground_points: visible (those '
                       'below the first obstacle of their image column) or static (all that '
                       'would show ground if there were no obstacles)', choices=GROUND_POINTS)
    contact_depth: float = live(0.2, 'with points visible: the lowest pixels of the first '
                                'obstacle of a column have points up to this far behind its '
                                'contact, in meters, which represent it; 0: none', minimum=0.0,
                                maximum=10.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class GridConfig:
    """The occupancy grid in the base frame."""

    resolution: float = live(0.1, 'side of a cell in meters', minimum=0.01, maximum=5.0)
    x_min: float = live(0.0, 'rear edge in meters', minimum=-1000.0, maximum=1000.0)
    x_max: float = live(15.0, 'front edge in meters', minimum=-1000.0, maximum=1000.0)
    y_min: float = live(-10.0, 'right edge in meters', minimum=-1000.0, maximum=1000.0)
    y_max: float = live(10.0, 'left edge in meters', minimum=-1000.0, maximum=1000.0)

    def __post_init__(self) -> None:
        check(self)
        for low, high in (('x_min', 'x_max'), ('y_min', 'y_max')):
            require(getattr(self, low) + self.resolution <= getattr(self, high), high,
                    getattr(self, high), f'it must be at least one cell above {low}')
        rows, columns = self.shape
        require(rows * columns <= MAX_CELLS, 'resolution', self.resolution,
                f'the grid would have {columns}x{rows} cells, more than {MAX_CELLS}; use larger '
                'cells or a smaller area')

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, columns): the cells along y and along x."""
        return (int(ceil((self.y_max - self.y_min) / self.resolution - 1e-6)),
                int(ceil((self.x_max - self.x_min) / self.resolution - 1e-6)))

    @property
    def reach(self) -> float:
        """Return the distance of the farthest corner from the base frame's origin, meters."""
        return hypot(max(abs(self.x_min), abs(self.x_max)),
                     max(abs(self.y_min), abs(self.y_max)))


@dataclass(frozen=True)
class ScanConfig:
    """The virtual laser scan about the base frame's origin."""

    angle_min: float = live(-1.0, 'first bearing in rad', minimum=-3.15, maximum=3.15)
    angle_max: float = live(1.0, 'last bearing in rad', minimum=-3.15, maximum=3.15)
    angle_increment: float = live(0.005, 'step between bearings in rad', minimum=1e-4,
                                  maximum=1.0)
    range_max: float = live(15.0, 'largest range in meters; the range of the usable ground '
                            'limits it further', minimum=0.1, maximum=1000.0)

    def __post_init__(self) -> None:
        check(self)
        require(1 <= self.count <= MAX_BEARINGS, 'angle_increment', self.angle_increment,
                f'angle_min to angle_max would have {self.count} bearings; use values that give '
                f'1 to {MAX_BEARINGS}')

    @property
    def count(self) -> int:
        """Return the number of bearings."""
        return floor((self.angle_max - self.angle_min) / self.angle_increment + 1e-6) + 1


@dataclass(frozen=True)
class FusionConfig:
    """The fusion of the grids of consecutive frames; log-odds are natural logarithms."""

    enabled: bool = setting(False, 'fuse the grids of consecutive frames by odometry')
    hit: float = live(0.9, 'log-odds that a frame adds to a cell that is not drivable',
                      minimum=0.0, maximum=10.0)
    miss: float = live(0.6, 'log-odds that a frame subtracts from a drivable cell',
                       minimum=0.0, maximum=10.0)
    max_log_odds: float = live(3.5, 'largest absolute log-odds of a cell', minimum=0.1,
                               maximum=100.0)
    occupied_threshold: float = live(0.5, 'log-odds from which a cell is occupied; at minus this '
                                     'value or below it is free, in between unknown',
                                     minimum=0.01, maximum=100.0)
    max_step: float = live(2.0, 'largest motion of the base between frames in meters; a larger '
                           'one is a jump of the odometry, and earlier frames are forgotten',
                           minimum=0.01, maximum=100.0)
    max_gap_ms: float = live(200.0, 'largest time between an image and the odometry before or '
                             'after it in milliseconds', minimum=0.0, maximum=10000.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class FreeSpaceConfig:
    """The settings of free space estimation."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    classes: ClassesConfig = field(default_factory=ClassesConfig)
    ground: GroundConfig = field(default_factory=GroundConfig)
    grid: GridConfig = field(default_factory=GridConfig)
    scan: ScanConfig = field(default_factory=ScanConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        side = 2 * ceil(self.grid.reach / self.grid.resolution)
        require(not self.fusion.enabled or side * side <= MAX_CELLS, 'fusion.enabled', True,
                f'fusion keeps a square around the base, and a grid that reaches '
                f'{self.grid.reach:.1f} m from it needs {side}x{side} cells, more than '
                f'{MAX_CELLS}; use larger cells or a smaller area')


@dataclass(frozen=True)
class LabelInputConfig:
    """The inputs of the free space node."""

    confidence: bool = setting(False, 'wait for the confidence image of each label image, which '
                               '~/points then contains')


@dataclass(frozen=True)
class FreeSpaceNodeConfig(FreeSpaceConfig):
    """The settings of the free space node."""

    base_frame: str = setting('base_link', 'frame of all outputs: x forward, y left, z up, with '
                              'its origin on the ground')
    input: LabelInputConfig = field(default_factory=LabelInputConfig)
    latency: AgeConfig = field(default_factory=AgeConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.base_frame, 'base_frame', self.base_frame, 'name a frame')
