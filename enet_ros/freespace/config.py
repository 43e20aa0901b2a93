"""The settings of free space."""

from dataclasses import dataclass, field
from functools import partial
from math import ceil, floor, hypot

from enet_ros.config import AgeConfig, check, require, setting

LARGEST_GRID = 4_000_000  # cells; their tables and messages take about 100 MB
MOST_BEARINGS = 4_000  # their tables take about 100 MB
POSES = ('parameters', 'tf')
BODIES = (
    'car', 'truck', 'bus', 'train', 'caravan', 'trailer', 'motorcycle', 'bicycle', 'bicyclist',
    'rider', 'pedestrian', 'person', 'chair', 'sofa', 'table', 'desk', 'bed', 'night_stand')

live = partial(setting, live=True)


@dataclass(frozen=True)
class CameraConfig:
    """Where the camera is in the base frame (x forward, y left, z up), and what its images are."""

    pose: str = setting('parameters', 'where the pose comes from: these parameters, or tf, the '
                        "transform from the base frame to the label images' frame", choices=POSES)
    x: float = live(0.0, 'meters forward', minimum=-100.0, maximum=100.0)
    y: float = live(0.0, 'meters to the left', minimum=-100.0, maximum=100.0)
    z: float = live(1.5, 'meters above the ground', minimum=0.01, maximum=100.0)
    roll: float = live(0.0, 'rad, more than 0 leans to the right', minimum=-3.15, maximum=3.15)
    pitch: float = live(0.0, 'rad, more than 0 looks down', minimum=-1.58, maximum=1.58)
    yaw: float = live(0.0, 'rad, more than 0 looks to the left', minimum=-3.15, maximum=3.15)
    rectified: bool = live(True, 'the images are rectified: P holds; otherwise K and D')
    max_pose_age_ms: float = live(200.0, 'milliseconds between an image and a moving transform, '
                                  'at most', minimum=0.0, maximum=10000.0)
    max_jump: float = live(0.3, 'meters, and rad, that a transform changes between frames, '
                               'at most', minimum=0.001, maximum=10.0)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class ClassesConfig:
    """What the classes mean to somebody who drives."""

    drivable: tuple = live((), 'names of the classes that one can drive on; empty: as the '
                           'label map says')
    flat: tuple = live((), 'names of other classes that are flat ground, not for driving, but '
                       'hiding nothing; empty: those of usual_flat that the label map has and '
                       'that are not drivable')
    usual_flat: tuple = live(('pavement', 'sidewalk', 'terrain'), 'names in lower snake case')
    bodies: tuple = live(BODIES, 'names in lower snake case of what stands on wheels or legs, '
                         'with a gap below')


@dataclass(frozen=True)
class GroundConfig:
    """How far the ground is read, and how obstacles stand on it."""

    pixel_length: float = live(0.5, 'meters of ground that a pixel covers at most; what is '
                               'farther away is unknown', minimum=0.01, maximum=10.0)
    clearance: float = live(0.35, 'meters between the ground and a body on wheels or legs, at '
                            'most', minimum=0.0, maximum=1.0)
    span: float = live(3.5, 'meters between points where one body stands, at most; 0: bodies '
                       'have no gaps below', minimum=0.0, maximum=20.0)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class GridConfig:
    """The occupancy grid in the base frame."""

    resolution: float = live(0.1, 'meters, side of a cell', minimum=0.01, maximum=5.0)
    x_min: float = live(0.0, 'meters, rear edge', minimum=-1000.0, maximum=1000.0)
    x_max: float = live(15.0, 'meters, front edge', minimum=-1000.0, maximum=1000.0)
    y_min: float = live(-10.0, 'meters, right edge', minimum=-1000.0, maximum=1000.0)
    y_max: float = live(10.0, 'meters, left edge', minimum=-1000.0, maximum=1000.0)

    def __post_init__(self):
        check(self)
        for low, high in (('x_min', 'x_max'), ('y_min', 'y_max')):
            require(getattr(self, low) + self.resolution <= getattr(self, high), high,
                    getattr(self, high), f'it must be a cell or more above {low}')
        rows, columns = self.shape
        require(rows * columns <= LARGEST_GRID, 'resolution', self.resolution,
                f'{columns}x{rows} cells are too many, the most is {LARGEST_GRID}; take larger '
                'cells or other edges')

    @property
    def shape(self):
        """Return how many rows, along y, and columns, along x, the grid has."""
        return tuple(int(ceil(length / self.resolution - 1e-6))
                     for length in (self.y_max - self.y_min, self.x_max - self.x_min))

    @property
    def reach(self):
        """Return how far the farthest corner is from the base frame's origin, meters."""
        return hypot(max(map(abs, (self.x_min, self.x_max))),
                     max(map(abs, (self.y_min, self.y_max))))


@dataclass(frozen=True)
class ScanConfig:
    """The virtual scan about the base frame's origin."""

    angle_min: float = live(-1.0, 'rad, first bearing', minimum=-3.15, maximum=3.15)
    angle_max: float = live(1.0, 'rad, last bearing', minimum=-3.15, maximum=3.15)
    angle_increment: float = live(0.005, 'rad between bearings', minimum=1e-4, maximum=1.0)
    range_max: float = live(15.0, 'meters at most', minimum=0.1, maximum=1000.0)

    def __post_init__(self):
        check(self)
        require(1 <= self.count <= MOST_BEARINGS, 'angle_increment', self.angle_increment,
                f'from angle_min to angle_max that makes {self.count} bearings; there must be 1 '
                f'to {MOST_BEARINGS}')

    @property
    def count(self):
        """Return how many bearings the scan has."""
        return floor((self.angle_max - self.angle_min) / self.angle_increment + 1e-6) + 1


@dataclass(frozen=True)
class FusionConfig:
    """How frames are put together; odds are natural logarithms."""

    enabled: bool = setting(False, 'put the grids of many frames together, by the odometry')
    taken: float = live(0.9, 'log-odds that a frame adds to a cell that is not drivable',
                        minimum=0.0, maximum=10.0)
    free: float = live(0.6, 'log-odds that a frame takes from a cell that is drivable',
                       minimum=0.0, maximum=10.0)
    limit: float = live(3.5, 'log-odds at most, either way', minimum=0.1, maximum=100.0)
    decided: float = live(0.5, 'log-odds from which a cell is not unknown',
                          minimum=0.01, maximum=100.0)
    longest_step: float = live(2.0, 'meters that the base moves between frames, at most; '
                               'more is a jump, and what was seen before is forgotten',
                               minimum=0.01, maximum=100.0)
    max_gap_ms: float = live(200.0, 'milliseconds between an image and the odometry next to it, '
                             'at most', minimum=0.0, maximum=10000.0)

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class FreeSpaceConfig:
    """The settings of free space."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    classes: ClassesConfig = field(default_factory=ClassesConfig)
    ground: GroundConfig = field(default_factory=GroundConfig)
    grid: GridConfig = field(default_factory=GridConfig)
    scan: ScanConfig = field(default_factory=ScanConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self):
        side = 2 * ceil(self.grid.reach / self.grid.resolution)
        require(not self.fusion.enabled or side * side <= LARGEST_GRID, 'fusion.enabled', True,
                f'frames are put together in a square around the base, and a grid that reaches '
                f'{self.grid.reach:.1f} m from it needs one of {side}x{side} cells; the most is '
                f'{LARGEST_GRID}, take larger cells or nearer edges')


@dataclass(frozen=True)
class LabelInputConfig:
    """What the free space node listens to."""

    confidence: bool = setting(False, 'wait for the confidence of each label image too, for '
                               '~/points')


@dataclass(frozen=True)
class FreeSpaceNodeConfig(FreeSpaceConfig):
    """The settings of the free space node."""

    base_frame: str = setting('base_link', 'frame of all outputs: x forward, y left, z up, on '
                              'the ground')
    input: LabelInputConfig = field(default_factory=LabelInputConfig)
    latency: AgeConfig = field(default_factory=AgeConfig)

    def __post_init__(self):
        super().__post_init__()
        require(self.base_frame, 'base_frame', self.base_frame, 'name a frame')
