"""The ground points of a frame end at the first obstacle of each image column."""

import numpy as np
import pytest
from scenes import BOX, FLOOR, PAVEMENT, TRUCK, YARD, Block, pinhole, render_labels

from enet_ros.freespace.camera import Camera
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.ray_casting import RayCaster
from enet_ros.freespace.surface_classes import SurfaceClasses
from enet_ros.freespace.visible_ground import CONTACT_PIXELS, VisibleGround

SIZE = 160, 120
CAMERA = Camera(pinhole(*SIZE, 120.0), *SIZE, True)
POSE = Pose.from_angles(0, 0, 1.5, 0, 0.35, 0)
GROUND = GroundPlane(CAMERA, POSE, 0.5)
CLASSES = SurfaceClasses(YARD, default_flat=('pavement',), overhanging=('truck',))
RAY_CASTER = RayCaster(GROUND, 0.1, CLASSES.overhanging, clearance=0.6, span=5.0)
BOX_AHEAD = Block((4.0, 4.4), (-0.5, 0.5), (0, 0.5))


def visible(labels, contact_depth):
    surfaces = CLASSES.classify(labels)
    return VisibleGround(RAY_CASTER, contact_depth)(surfaces, RAY_CASTER.cast(surfaces, labels))


@pytest.mark.parametrize('contact_depth', [0.0, 0.3])
def test_all_points_are_kept_without_obstacles(contact_depth):
    labels = render_labels(CAMERA, POSE, pavement=lambda x, y: y > 1)
    assert {FLOOR, PAVEMENT} <= set(labels.ravel())
    labels[labels > PAVEMENT] = FLOOR  # the sky
    np.testing.assert_array_equal(visible(labels, contact_depth), GROUND.points)


def test_points_end_at_the_contact():
    labels = render_labels(CAMERA, POSE, [BOX_AHEAD])
    points = visible(labels, 0.0)
    assert (labels == BOX).any()
    for column in range(SIZE[0]):
        is_obstacle = labels[:, column] > PAVEMENT  # box or sky
        contact = np.flatnonzero(is_obstacle).max(initial=-1)
        assert np.isnan(points[:contact + 1, column]).all()
        np.testing.assert_array_equal(points[contact + 1:, column],
                                      GROUND.points[contact + 1:, column])


def test_points_behind_a_box_are_removed_and_those_beside_it_are_kept():
    points = visible(render_labels(CAMERA, POSE, [BOX_AHEAD]), 0.3)
    with np.errstate(invalid='ignore'):
        far = GROUND.points[..., 0] > 4.6
        behind = far & (np.abs(GROUND.points[..., 1]) < 0.4)
        beside = far & (np.abs(GROUND.points[..., 1]) > 2) & (GROUND.points[..., 0] < 8)
    assert behind.any() and np.isnan(points[behind]).all()
    assert beside.any() and np.isfinite(points[beside]).all()


def test_the_contact_keeps_points_of_the_obstacle():
    labels = render_labels(CAMERA, POSE, [BOX_AHEAD])
    points = visible(labels, 0.3)
    middle = np.abs(np.arange(SIZE[0]) - SIZE[0] / 2) < 8  # the sides of the box are farther away
    kept = points[(labels == BOX) & middle & np.isfinite(points[..., 0])]
    assert len(kept) and kept[:, 0].min() >= 3.9 and kept[:, 0].max() < 4.5
    none = visible(labels, 0.0)
    assert np.isnan(none[labels == BOX]).all()


def test_an_obstacle_above_a_gap_is_where_it_stands():
    wheels = [Block((4.0, 4.4), y, (0, 0.5), TRUCK) for y in ((-1.2, -0.9), (0.9, 1.2))]
    body = Block((4.0, 4.4), (-1.2, 1.2), (0.4, 1.2), TRUCK)
    labels = render_labels(CAMERA, POSE, [*wheels, body])
    points = visible(labels, 0.3)
    middle = np.abs(np.arange(SIZE[0]) - SIZE[0] / 2) < 10
    kept = points[(labels == TRUCK) & middle & np.isfinite(points[..., 0])]
    below_body = (labels == FLOOR) & middle & (GROUND.points[..., 0] > 4.5)
    before_body = (labels == FLOOR) & middle & (GROUND.points[..., 0] < 3.9)
    assert below_body.any() and np.isnan(points[below_body]).all()
    assert before_body.any() and np.isfinite(points[before_body]).all()
    assert len(kept) == CONTACT_PIXELS * middle.sum()
    assert kept[:, 0].min() >= 3.9 and kept[:, 0].max() < 4.5


def test_at_most_the_lowest_pixels_represent_an_obstacle():
    labels = render_labels(CAMERA, POSE)
    labels[60, 70:90] = BOX  # one row, with floor above it
    points = visible(labels, 0.3)
    assert np.isfinite(points[60, 70:90]).all() and np.isnan(points[:60, 70:90]).all()
    assert np.isfinite(points[61:, 70:90]).all()


def test_pixels_without_a_class_hide_nothing():
    labels = np.full(SIZE[::-1], 255, np.uint8)
    np.testing.assert_array_equal(visible(labels, 0.3), GROUND.points)
