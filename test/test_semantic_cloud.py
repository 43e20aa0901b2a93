"""Labeled clouds, obstacles and scans of depth images."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import BOX, FLOOR, PAVEMENT, SKY, YARD, pinhole

from enet_ros.errors import BadInput
from enet_ros.evaluation.cloud_score import (
    CloudTrial,
    exact_sensor,
    millimeter_sensor,
    stereo_sensor,
)
from enet_ros.evaluation.cloud_truth import CloudCounts, CloudTruth, positions
from enet_ros.freespace.camera import Camera
from enet_ros.freespace.pose import Pose
from enet_ros.labels import UNLABELED
from enet_ros.pointcloud.cloud import CloudProjection, PointLabels
from enet_ros.pointcloud.config import (
    ObstacleScanConfig,
    ObstaclesConfig,
    SemanticCloudConfig,
)
from enet_ros.pointcloud.depth import depth_in_meters
from enet_ros.pointcloud.obstacle_scan import ObstacleScan
from enet_ros.pointcloud.obstacles import ObstacleFilter
from enet_ros.pointcloud.semantic_cloud import SemanticCloud
from enet_ros.synthetic.street import SyntheticStreet

SIZE = WIDTH, HEIGHT = 160, 120
PROJECTION = CloudProjection(Camera(pinhole(), *SIZE, True))
POSE = Pose.from_angles(0.5, 0, 1.0)  # looks ahead, 1 m above the ground
OBSTACLES = ObstaclesConfig()
LABELS = np.full((HEIGHT, WIDTH), BOX, np.uint8)
FLAT = np.full((HEIGHT, WIDTH), 4.0, np.float32)  # a wall 4 m ahead of the camera


def make_cloud(depth=FLAT, labels=LABELS, confidence=None):
    return SemanticCloud(PROJECTION, PointLabels(YARD), depth, labels, confidence)


def make_scan(depth=FLAT, labels=LABELS, obstacles=OBSTACLES, **changes):
    """Return the scan's tables and its ranges."""
    config = dataclasses.replace(ObstacleScanConfig(), **changes)
    scan = ObstacleScan(PROJECTION, POSE, config, 15.0)
    found = ObstacleFilter(PROJECTION, POSE, YARD, obstacles)
    cloud = make_cloud(depth, labels)
    _, xyz = found.find(cloud.z, labels)
    unknown = found.unknown_columns(cloud.without_depth, labels)
    return scan, scan.measure(xyz[:, 0], xyz[:, 1], cloud.z, unknown)


@pytest.mark.parametrize('seed', [3, 7])
@pytest.mark.parametrize('sensor, error, found', [
    (exact_sensor, 1e-4, 1.0), (millimeter_sensor, 1e-3, 0.999), (stereo_sensor, 1.0, 0.95)])
def test_clouds_agree_with_the_surfaces_of_the_street(seed, sensor, error, found):
    score = CloudTrial(SyntheticStreet(320, 240, seed)).score(20, sensor)
    assert score.point_error < error
    assert score.obstacles_found >= found
    if sensor is not stereo_sensor:
        assert score.obstacles_on_surface == 1.0 and score.scan_agreement > 0.95


def count(change=lambda frame: frame):
    """Return the CloudCounts of a frame of the street, whose labels and depth `change` alters."""
    trial = CloudTrial(SyntheticStreet(320, 240, 3))
    frame = change(trial.street.render(20, with_depth=True))
    cloud = SemanticCloud(trial.projection, trial.point_labels, frame.depth, frame.labels)
    obstacles = trial.filter(cloud.z, cloud.labels, None)
    unknown = trial.filter.unknown_columns(cloud.without_depth, cloud.labels)
    ranges = trial.scan.measure(obstacles['x'], obstacles['y'], cloud.z, unknown)
    counts, truth = CloudCounts(), CloudTruth(trial.street, 20, OBSTACLES)
    counts.add(truth, cloud.points, obstacles)
    counts.add_scan(truth, ranges, trial.scan.bearings, trial.scan.range_max)
    return counts


def test_exact_clouds_are_counted_as_right():
    counts = count()
    assert counts.points == counts.true_classes > 1000
    assert counts.true_heights > 0.999 * counts.points
    assert counts.true_obstacles > 0.999 * counts.obstacles > 100
    assert counts.found_pixels > 0.999 * counts.obstacle_pixels > 100
    assert counts.known == counts.bearings and counts.true_ranges > 0.95 * counts.known
    assert len(counts.report()) == 3


def test_wrong_labels_and_depth_are_counted():
    labels = count(lambda frame: dataclasses.replace(frame, labels=np.roll(frame.labels, 60, 1)))
    assert 0.05 < labels.true_classes / labels.points < 0.95
    assert labels.true_heights == labels.points
    assert labels.true_obstacles == labels.obstacles  # of the height, though of another class
    assert labels.found_pixels < labels.obstacle_pixels
    depth = count(lambda frame: dataclasses.replace(frame, depth=0.8 * frame.depth))
    assert depth.true_heights < 0.99 * depth.points
    assert depth.true_obstacles < 0.9 * depth.obstacles
    assert depth.true_ranges < 0.8 * depth.known
    missing = count(lambda frame: dataclasses.replace(
        frame, depth=np.full_like(frame.depth, np.nan)))
    assert missing.points == missing.known == 0 < missing.bearings


def test_depth_of_the_street_leaves_its_pictures_unchanged():
    street = SyntheticStreet(160, 120, 4)
    plain, deep = street.render(9), street.render(9, with_depth=True)
    np.testing.assert_array_equal(plain.image, deep.image)
    np.testing.assert_array_equal(plain.labels, deep.labels)
    assert plain.depth is None and deep.depth.min() > 0.3
    assert np.isinf(deep.depth[deep.labels == street.labels.id_of('Sky')]).all()


def test_points_have_the_position_color_and_class_of_their_pixel():
    labels, confidence = LABELS.copy(), np.full_like(LABELS, 200)
    labels[0, 0], labels[1, 1], confidence[0, 0] = SKY, UNLABELED, 7
    points = make_cloud(labels=labels, confidence=confidence).points
    assert points.shape == (HEIGHT, WIDTH)
    np.testing.assert_allclose(positions(points)[60, 80], [4 * 0.5 / 120, 4 * 0.5 / 120, 4.0],
                               rtol=1e-5)
    np.testing.assert_array_equal(points['label'], labels)
    np.testing.assert_array_equal(points['confidence'], confidence)
    assert points['rgb'].view(np.uint32)[5, 5] == 200 << 16 | 80 << 8


@pytest.mark.parametrize('depth, meters', [
    (np.array([[0, 1, 2500]], np.uint16), [np.nan, 0.001, 2.5]),
    (np.array([[0, -1, np.inf, -np.inf, np.nan, 2.5]], np.float32), [*[np.nan] * 5, 2.5])])
def test_depth_that_was_not_measured_is_nan(depth, meters):
    np.testing.assert_allclose(depth_in_meters(depth), [meters], rtol=1e-6)


def test_points_without_depth_are_nan_and_no_obstacles():
    depth = np.zeros((HEIGHT, WIDTH), np.uint16)
    cloud = make_cloud(depth)
    assert np.isnan(positions(cloud.points)).all()
    found = ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig())(cloud.z, LABELS, None)
    assert found.shape == (0,)
    _, ranges = make_scan(depth)
    assert np.isnan(ranges).all()


@pytest.mark.parametrize('size', [(80, 60), (320, 240), (213, 160)])
def test_labels_of_another_size_are_scaled_to_the_nearest(size):
    labels = np.full(size[::-1], BOX, np.uint8)
    labels[:, :size[0] // 2] = SKY
    cloud = make_cloud(labels=labels)
    assert cloud.labels.shape == (HEIGHT, WIDTH)
    assert (cloud.labels[:, :79] == SKY).all() and (cloud.labels[:, 81:] == BOX).all()


def test_labels_of_another_aspect_ratio_are_rejected():
    with pytest.raises(BadInput, match='another aspect ratio; register'):
        make_cloud(labels=LABELS[:60])


def test_ids_without_a_class_are_rejected():
    with pytest.raises(BadInput, match='has id 5, but label set'):
        make_cloud(labels=np.full_like(LABELS, 5))


def test_the_ground_is_removed_by_label_and_by_height():
    ground = ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig(min_height=0.2,
                                                                    max_height=1.1))
    _, xyz = ground.find(FLAT, LABELS)
    assert len(xyz) and (xyz[:, 2] >= 0.2).all() and (xyz[:, 2] <= 1.1).all()
    np.testing.assert_allclose(xyz[:, 0], 4.5, rtol=1e-6)
    for class_id in (FLOOR, PAVEMENT, SKY, UNLABELED):
        assert not len(ground.find(FLAT, np.full_like(LABELS, class_id))[0])


def test_obstacles_keep_label_color_and_confidence():
    found = ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig())(
        FLAT, LABELS, np.full_like(LABELS, 9))
    assert set(found['label']) == {BOX} and set(found['confidence']) == {9}
    assert set(found['rgb'].view(np.uint32)) == {200 << 16 | 80 << 8}


def test_chosen_classes_replace_the_others():
    only_trucks = ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig(classes=('Truck',)))
    assert not len(only_trucks.find(FLAT, LABELS)[0])
    with pytest.raises(BadInput, match="no class 'Lawn'"):
        ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig(classes=('Lawn',)))
    with pytest.raises(BadInput, match='no class of obstacles'):
        ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig(
            excluded=tuple(label.topic_name for label in YARD.classes)))


def test_obstacles_beyond_the_largest_range_are_left_out():
    near = ObstacleFilter(PROJECTION, POSE, YARD, ObstaclesConfig(max_range=4.4))
    assert not len(near.find(FLAT, LABELS)[0])


@pytest.mark.parametrize('increment', [0.02, 0.005, 0.001])
def test_the_scan_measures_from_the_origin_of_the_base_frame(increment):
    scan, ranges = make_scan(angle_increment=increment)
    ahead = np.abs(scan.bearings) < 0.4
    np.testing.assert_allclose(ranges[ahead], 4.5 / np.cos(scan.bearings[ahead]), rtol=0.01)
    assert np.isnan(ranges[np.abs(scan.bearings) > 0.7]).all()


def test_the_scan_is_infinite_where_depth_shows_no_obstacle():
    labels, depth = LABELS.copy(), FLAT.copy()
    labels[:, :80] = FLOOR
    depth[:, 120:] = np.nan
    scan, ranges = make_scan(depth, labels)
    for low, high, expected in [(0.1, 0.5, np.inf), (-0.5, -0.4, np.nan)]:
        inside = (scan.bearings > low) & (scan.bearings < high)
        np.testing.assert_array_equal(ranges[inside], expected)
    assert np.isfinite(ranges[(scan.bearings > -0.25) & (scan.bearings < -0.05)]).all()


@pytest.mark.parametrize('value, expected', [
    (np.nan, np.nan), (0.0, np.nan), (-np.inf, np.nan), (np.inf, np.inf)])
def test_the_scan_is_unknown_where_an_obstacle_has_no_depth(value, expected):
    labels, depth = np.full_like(LABELS, FLOOR), FLAT.copy()
    labels[30:70, 70:90], depth[30:70, 70:90] = BOX, value  # the horizon is in row 60
    scan, ranges = make_scan(depth, labels)
    ahead = np.abs(scan.bearings) < 0.05
    np.testing.assert_array_equal(ranges[ahead], expected)
    assert np.isinf(ranges[(np.abs(scan.bearings) > 0.15) & (np.abs(scan.bearings) < 0.5)]).all()


def test_an_obstacle_that_is_measured_in_part_has_its_range():
    depth = FLAT.copy()
    depth[:60] = depth[80:] = np.nan
    scan, ranges = make_scan(depth)
    ahead = np.abs(scan.bearings) < 0.4
    np.testing.assert_allclose(ranges[ahead], 4.5 / np.cos(scan.bearings[ahead]), rtol=0.01)


def test_unknown_depth_of_ground_sky_and_far_obstacles_leaves_the_scan_free():
    labels, depth = np.full_like(LABELS, FLOOR), FLAT.copy()
    labels[:40], labels[40:66] = SKY, BOX  # row 66 shows ground 20 m ahead
    depth[:66] = 0
    depth[100:, ::2] = np.nan
    scan, ranges = make_scan(depth, labels)
    assert np.isinf(ranges[np.abs(scan.bearings) < 0.5]).all()
    labels[66:70], depth[66:70] = BOX, 0  # ground 13 m ahead
    scan, ranges = make_scan(depth, labels)
    assert np.isnan(ranges[np.abs(scan.bearings) < 0.5]).all()
    scan, ranges = make_scan(depth, labels, ObstaclesConfig(max_range=12.0))
    assert np.isinf(ranges[np.abs(scan.bearings) < 0.5]).all()


def test_a_camera_that_sees_no_ground_has_unknown_obstacles():
    labels, depth = np.full_like(LABELS, BOX), FLAT.copy()
    depth[:60] = np.nan
    depth[60:] = 40.0
    up = Pose.from_angles(0.0, 0, 1.0, 0, -0.8, 0)
    obstacles = ObstacleFilter(PROJECTION, up, YARD, OBSTACLES)
    cloud = make_cloud(depth, labels)
    assert obstacles.unknown_columns(cloud.without_depth, labels).all()


def test_the_benchmark_compares_with_plain_numpy_and_the_truth():
    program = Path(__file__).parents[1] / 'benchmarks/semantic_cloud.py'
    result = subprocess.run([sys.executable, program, '--rounds', '1', '--streets', '1', '--model',
                             ''], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    for encoding in ('16UC1', '32FC1'):
        assert re.search(rf'\| {encoding} (\| \d+\.\d\d ){{2}}\| \d+\.\d \|', result.stdout)
        assert f'true labels, {encoding}\n' in result.stdout
    assert len(re.findall('100.00 % have the true class', result.stdout)) == 2


def test_settings_that_contradict_each_other_are_rejected():
    with pytest.raises(BadInput, match='above min_height'):
        ObstaclesConfig(min_height=2.0, max_height=1.0)
    with pytest.raises(BadInput, match='name a frame'):
        SemanticCloudConfig(base_frame='')


def test_pixels_that_are_wider_than_the_scan_take_no_time_beyond_it():
    camera = Camera(pinhole(*SIZE, 0.001), *SIZE, True)
    config = ObstacleScanConfig(angle_increment=0.01)
    scan = ObstacleScan(CloudProjection(camera), POSE, config, 15.0)
    assert scan._spread == len(scan.bearings) == config.count
