"""The settings of labeled point clouds, and of the node that publishes them."""

from dataclasses import dataclass, field

from enet_ros.config import AgeConfig, check, require, setting
from enet_ros.freespace.config import CameraConfig, ScanConfig, live

NO_OBSTACLES = ('pavement', 'sidewalk', 'terrain', 'sky', 'ceiling')


@dataclass(frozen=True)
class ObstaclesConfig:
    """Which points are obstacles; heights are above the ground plane z = 0 of the base frame."""

    classes: tuple[str, ...] = live((), 'names of the classes of obstacles; empty: all but the '
                                    'drivable ones of the label map and those of excluded')
    excluded: tuple[str, ...] = live(NO_OBSTACLES, 'with classes empty: names in lower snake case '
                                     'of classes that are no obstacles')
    min_height: float = live(0.15, 'height of obstacles from which points count, in meters',
                             minimum=-10.0, maximum=100.0)
    max_height: float = live(2.0, 'height up to which points count, in meters',
                             minimum=-10.0, maximum=100.0)
    max_range: float = live(15.0, "largest distance from the base frame's origin in meters",
                            minimum=0.1, maximum=1000.0)

    def __post_init__(self) -> None:
        check(self)
        require(self.min_height < self.max_height, 'max_height', self.max_height,
                f'it must be above min_height, which is {self.min_height:g}')


@dataclass(frozen=True)
class ObstacleScanConfig(ScanConfig):
    """The laser scan of the obstacles about the base frame's origin."""

    range_max: float = live(15.0, 'largest range in meters; obstacles.max_range limits it '
                            'further', minimum=0.1, maximum=1000.0)


@dataclass(frozen=True)
class CloudInputConfig:
    """The inputs of the semantic cloud node."""

    confidence: bool = setting(False, 'wait for the confidence image of each label image, which '
                               'the clouds then contain')
    max_stamp_difference_ms: float = setting(
        20.0, 'largest time between the stamps of a label image and of the messages that are '
        'used with it, in milliseconds; 0: equal stamps', minimum=0.0, maximum=10000.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class SemanticCloudConfig:
    """The settings of semantic_cloud_node."""

    base_frame: str = setting('base_link', 'frame of ~/obstacles and ~/scan: x forward, y left, '
                              'z up, with its origin on the ground')
    camera: CameraConfig = field(default_factory=CameraConfig)
    input: CloudInputConfig = field(default_factory=CloudInputConfig)
    latency: AgeConfig = field(default_factory=AgeConfig)
    obstacles: ObstaclesConfig = field(default_factory=ObstaclesConfig)
    scan: ObstacleScanConfig = field(default_factory=ObstacleScanConfig)

    def __post_init__(self) -> None:
        require(self.base_frame, 'base_frame', self.base_frame, 'name a frame')
