"""Calibrations, poses, depth, odometry and settings of the geometry, without ROS messages."""

from dataclasses import Field, fields, is_dataclass
from math import atan2
from random import Random
from typing import Any, NamedTuple

import numpy as np
from fuzz_inputs import Generator, any_text, floats, integers, lists, one_of, sampled, tuples
from numpy.typing import NDArray

from enet_ros.config import ReplayConfig, SegmentationConfig
from enet_ros.freespace.camera import Calibration, Camera
from enet_ros.freespace.config import FreeSpaceConfig, FusionConfig, GridConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.fusion import GridFusion
from enet_ros.freespace.odometry_buffer import OdometryBuffer
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.pose_tracking import PoseTracker
from enet_ros.images.encodings import ENCODINGS, RawImage, decode_depth, decode_mono8, decode_raw
from enet_ros.labels import CAMVID, UNLABELED
from enet_ros.pointcloud.cloud import CloudProjection, PointLabels
from enet_ros.pointcloud.config import SemanticCloudConfig
from enet_ros.pointcloud.obstacle_scan import ObstacleScan
from enet_ros.pointcloud.obstacles import ObstacleFilter
from enet_ros.pointcloud.semantic_cloud import SemanticCloud

SIZE = 32, 24
MODELS = 'plumb_bob', 'rational_polynomial', 'equidistant', '', 'fisheye'
uint32 = one_of(integers(0, 64), integers(0, 2**32 - 1))
sides = one_of(integers(0, 40), sampled(0, 1, 2, 3, 16384, 16385, 2**32 - 1), uint32)
encodings = one_of(sampled(*ENCODINGS), any_text, sampled('32FC1', '16SC1', '', 'BGR8', '8UC4'))


# Raw images.


def raw_images(encodings: Generator[str] = encodings) -> Generator[RawImage]:
    """Return images whose data mostly fits to their size."""
    def generate(rng: Random) -> RawImage:
        encoding = encodings(rng)
        if rng.random() < 0.75:  # enough data for each encoding
            width, height = rng.choice([(32, 24), (6, 4), (5, 3)])
            step = width * rng.choice((3, 3, 6, 7))
            length = height * step * 3 // 2
        else:
            width, height = sides(rng), sides(rng)
            step = rng.choice((width * rng.choice((1, 2, 3, 4, 6, 8)), uint32(rng)))
            length = rng.choice((height * step, height * step * 3 // 2, rng.randint(0, 4096)))
        data = rng.randbytes(min(length, 100_000))
        return RawImage(encoding, width, height, step, rng.random() < 0.5, data)

    return generate


def raw_image(sample: tuple[RawImage, int]) -> object:
    raw, white_level = sample
    decoded = decode_raw(raw, white_level)
    assert decoded.image.shape == (raw.height, raw.width, 3)
    return decoded.rgb().mean(), decoded.bgr().mean()


def mono_image(raw: RawImage) -> object:
    return decode_mono8(raw).mean()


# Calibrations and poses.


def _matrix(width: int, height: int) -> list[float]:
    return [30.0, 0, width / 2, 0, 30.0, height / 2, 0, 0, 1]


def calibrations(rng: Random) -> Calibration:
    """Return calibrations of which few values are unusual."""
    def rarely() -> bool:
        return rng.random() < 1 / 8

    width, height = (sides(rng), sides(rng)) if rarely() else SIZE
    k = _matrix(*SIZE)
    p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    r = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]
    for matrix in (k, p, r):
        if rarely():
            matrix[rng.randrange(len(matrix))] = floats(rng)
    model = rng.choice(MODELS[:3])
    d = [rng.choice((0.0, rng.uniform(-0.5, 0.5))) for _ in range(4)]
    d += [0.0] * {'plumb_bob': 1, 'rational_polynomial': 4}.get(model, 0)
    if rarely():
        model, d = rng.choice(MODELS), lists(floats, 0, 14)(rng)
    lengths = one_of(sampled(0), uint32)
    roi = tuples(*[lengths] * 4)(rng) if rarely() else (0, 0, 0, 0)
    binning = tuples(*[lengths] * 2)(rng) if rarely() else (0, 0)
    return Calibration(width, height, k, d, model, r, p, roi, binning)


def camera_rays(sample: tuple[Calibration, bool]) -> object:
    calibration, rectified = sample
    camera = Camera(calibration, *SIZE, rectified)
    return camera.project(camera.rays()), CloudProjection(camera).rays


def free_space(sample: tuple[Calibration, FreeSpaceConfig, NDArray[np.uint8]]) -> object:
    calibration, config, labels = sample
    camera = config.camera
    pose = Pose.from_angles(camera.x, camera.y, camera.z, camera.roll, camera.pitch, camera.yaw)
    estimate = FreeSpaceEstimator(calibration, pose, SIZE, CAMVID, config)(labels)
    return (estimate.grid, estimate.scan, estimate.points, estimate.ground_points,
            estimate.pitch_error)


rotations = one_of(sampled((0.0, 0.0, 0.0, 1.0), (0.5, -0.5, 0.5, -0.5)), tuples(*[floats] * 4))
transforms = lists(tuples(tuples(floats, floats, one_of(sampled(1.5), floats)), rotations, floats),
                   1, 3)


def camera_poses(samples: list[tuple[tuple[float, ...], tuple[float, ...], float]]) -> object:
    tracker = PoseTracker()
    return [tracker.update(Pose.from_quaternion(position, rotation), max_jump).pitch
            for position, rotation, max_jump in samples]


def label_images(rng: Random) -> NDArray[np.uint8]:
    highest = rng.choice((0, 3, 10, 10, 11, UNLABELED))
    noise = np.frombuffer(rng.randbytes(SIZE[0] * SIZE[1]), np.uint8).astype(np.uint16)
    return (noise % (highest + 1)).astype(np.uint8).reshape(SIZE[1], SIZE[0])


# Odometry.

Odometry = tuple[int, float, float, tuple[float, float, float, float]]
odometry = lists(tuples(one_of(integers(0, 40), integers(-2**31, 2**31 - 1)), floats, floats,
                        rotations), 1, 4)


def fused_grids(sample: tuple[list[Odometry], int, float]) -> object:
    """Fuse grids at the poses of the odometry, as freespace_node does."""
    poses, at, max_gap = sample
    buffer, fusion = OdometryBuffer(), GridFusion(_grid(), FusionConfig(enabled=True))
    for second, x, y, rotation in poses:
        rx, ry, rz, rw = rotation
        yaw = atan2(2 * (rw * rz + rx * ry), 1 - 2 * (ry * ry + rz * rz))
        buffer.add(float(second), x, y, yaw)
    values = np.zeros(fusion.grid.shape, np.int8)
    return [fusion.add(values, *buffer.interpolate(at + offset, max_gap)) for offset in (0.0, 0.1)]


def _grid() -> Any:
    if not _GRIDS:
        config = FreeSpaceConfig(grid=GridConfig(resolution=0.5, x_max=4.0, y_min=-2.0, y_max=2.0))
        k = _matrix(*SIZE)
        calibration = Calibration(*SIZE, k, p=[*k[:3], 0, *k[3:6], 0, *k[6:], 0])
        pose = Pose.from_angles(0, 0, 1.5, 0, 0.4, 0)
        _GRIDS.append(FreeSpaceEstimator(calibration, pose, SIZE, CAMVID, config).grid)
    return _GRIDS[0]


_GRIDS: list[Any] = []


# Depth.


class DepthSample(NamedTuple):
    """The inputs of semantic_cloud_node."""

    calibration: Calibration
    depth: RawImage
    labels: NDArray[np.uint8]
    config: SemanticCloudConfig


def depth_images(rng: Random) -> RawImage:
    encoding = rng.choice(('16UC1', '32FC1', 'mono16'))
    if rng.random() < 1 / 6:
        return raw_images(sampled(encoding))(rng)
    size = 4 if encoding == '32FC1' else 2
    width, height = rng.choice([SIZE, SIZE, (16, 12), (31, 24)])
    if rng.random() < 0.5 and encoding == '32FC1':
        depths = np.array([0.5, 3, 40, 0, -1, np.nan, np.inf, 1e38, 1e-38], np.float32)
        data = np.random.default_rng(rng.getrandbits(32)).choice(depths, width * height).tobytes()
    else:
        data = rng.randbytes(width * height * size)
    return RawImage(encoding, width, height, width * size, rng.random() < 0.5, data)


def semantic_cloud(sample: DepthSample) -> object:
    depth = decode_depth(sample.depth)
    config, camera = sample.config, sample.config.camera
    size = depth.shape[1], depth.shape[0]
    projection = CloudProjection(Camera(sample.calibration, *size, camera.rectified))
    cloud = SemanticCloud(projection, PointLabels(CAMVID), depth, sample.labels, sample.labels)
    pose = Pose.from_angles(camera.x, camera.y, camera.z, camera.roll, camera.pitch, camera.yaw)
    obstacles = ObstacleFilter(projection, pose, CAMVID, config.obstacles)
    points = obstacles(cloud.z, cloud.labels, cloud.confidence)
    unknown = obstacles.unknown_columns(cloud.without_depth, cloud.labels)
    scan = ObstacleScan(projection, pose, config.scan, config.obstacles.max_range)
    return cloud.points, scan.measure(points['x'], points['y'], cloud.z, unknown)


# Settings.

CONFIGS: tuple[type, ...] = SegmentationConfig, FreeSpaceConfig, SemanticCloudConfig, ReplayConfig


def configs(config: type) -> Generator[Any]:
    """Return instances of a configuration class; those that it refuses become its defaults.

    Most settings have their defaults, some a random value in their range.
    """
    return lambda rng: _config(config, rng)


def _config(config: type, rng: Random) -> Any:
    values = {}
    for item in fields(config):
        if isinstance(item.type, type) and is_dataclass(item.type):
            values[item.name] = _config(item.type, rng)
        elif rng.random() < 0.3:
            values[item.name] = _setting(item, rng)
    try:
        return config(**values)
    except ValueError:
        return config()


def settings(item: Field[Any]) -> Generator[Any]:
    """Return parameter values in the range of a setting."""
    def generate(rng: Random) -> Any:
        value = _setting(item, rng)
        return list(value) or [''] if isinstance(value, tuple) else value

    return generate


def _setting(item: Field[Any], rng: Random) -> Any:
    rules = item.metadata
    if 'choices' in rules:
        return rng.choice(rules['choices'])
    if item.type is bool:
        return rng.random() < 0.5
    if 'minimum' in rules and 'maximum' in rules:
        low, high = rules['minimum'], rules['maximum']
        if item.type is int:
            return rng.choice((low, high, rng.randint(low, high)))
        default: Any = item.default
        near = min(max(default * rng.choice((0.5, 0.9, 1.1, 2)), low), high)
        return rng.choice((float(low), float(high), rng.uniform(low, high), near, near))
    return item.default


