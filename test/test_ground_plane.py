"""The ground point of each pixel, and the camera's pose."""

import numpy as np
import pytest
from scenes import pinhole

from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Calibration, Camera
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.pose import Pose

CAMERA = Camera(pinhole(161, 121), 161, 121, rectified=True)  # the middle of the image is a pixel


@pytest.mark.parametrize('pose, point', [
    ((0, 0, 1, 0, np.pi / 4, 0), (1, 0)),
    ((0.5, -0.2, 2, 0, np.pi / 4, 0), (2.5, -0.2)),
    ((0, 0, 1, 0, np.pi / 4, np.pi / 2), (0, 1)),
    ((1, 1, 1, 0, np.arctan(0.5), np.pi), (-1, 1)),
    ((0, 0, 1, 0.3, np.pi / 4, 0), (1, 0)),
    ((0.1, 0.2, 3, 0, np.pi / 2, 0), (0.1, 0.2)),
])
def test_the_central_pixel_shows_the_point_on_the_optical_axis(pose, point):
    ground = GroundPlane(CAMERA, Pose.from_angles(*pose), 0.5)
    np.testing.assert_allclose(ground.points[60, 80], point, atol=1e-5)


def test_left_pixels_are_left_on_the_ground_and_upper_pixels_are_far():
    points = GroundPlane(CAMERA, Pose.from_angles(0, 0, 1, 0, 0.5, 0), 0.5).points
    assert points[60, 40, 1] > 0 > points[60, 120, 1]
    assert points[90, 80, 0] < points[60, 80, 0]


def test_the_right_is_closer_with_a_roll_to_the_right():
    ground = GroundPlane(CAMERA, Pose.from_angles(0, 0, 1, 0.1, 0.0, 0.0), pixel_length=100)
    # The camera leans to the right: the horizon rises there in the image.
    assert np.isfinite(ground.points[:, -1, 0]).sum() > np.isfinite(ground.points[:, 0, 0]).sum()


def test_there_is_no_ground_above_the_horizon_or_too_far_away():
    pose = Pose.from_angles(0, 0, 1.5, 0, np.radians(5), 0)
    ground = GroundPlane(CAMERA, pose, pixel_length=0.5)
    horizon = 60 - 120 * np.tan(np.radians(5))
    rows = np.flatnonzero(np.isfinite(ground.points[:, 80, 0]))
    assert rows[0] > horizon and rows[-1] == 120
    middle = ground.points[rows, 80, 0]
    assert (np.diff(middle) < 0).all()
    # A pixel farther on would cover more ground than allowed; the last covers nearly that.
    assert 0.3 < middle[0] - middle[1] < 0.5
    assert middle[0] <= ground.reach
    assert ground.pixel_length(middle[1]) == pytest.approx(middle[0] - middle[1], rel=0.15)


def test_points_are_projected_to_their_pixels():
    lens = Calibration(161, 121, (90.0, 0, 80, 0, 90.0, 60, 0, 0, 1), (-0.2, 0.03, 1e-3, 0, 0))
    pose = Pose.from_angles(0.3, -0.1, 1.2, 0.05, 0.4, -0.3)
    ground = GroundPlane(Camera(lens, 161, 121, rectified=False), pose, 0.5)
    seen = np.isfinite(ground.points[..., 0])
    assert seen.mean() > 0.5
    indices = ground.pixels(*ground.points[seen].T.astype(float))
    np.testing.assert_array_equal(indices, np.flatnonzero(seen))
    assert ground.pixels(np.array(-5.0), np.array(0.0)) == -1


def test_pose_from_the_quaternion_of_the_optical_frame():
    # A camera that looks straight ahead: the standard rotation from the optical axes.
    pose = Pose.from_quaternion((1, 2, 3), (-0.5, 0.5, -0.5, 0.5))
    level = Pose.from_angles(1, 2, 3)
    np.testing.assert_allclose(pose.rotation, level.rotation, atol=1e-12)
    np.testing.assert_allclose(pose.position, level.position)


@pytest.mark.parametrize('roll, pitch, yaw', [(0, 0, 0), (0.2, 0.3, 0.5), (-0.4, -0.2, 3.0)])
def test_roll_and_pitch_from_the_up_direction(roll, pitch, yaw):
    pose = Pose.from_angles(1, 2, 3, roll, pitch, yaw)
    again = Pose.from_up((1, 2, 3), 9.81 * pose.rotation[2], yaw)
    np.testing.assert_allclose(again.rotation, pose.rotation, atol=1e-12)


@pytest.mark.parametrize('pose, message', [
    (lambda: Pose.from_up((0, 0, 1), (0, 0, -1)), 'has no yaw'),
    (lambda: Pose.from_up((0, 0, 1), (0, 0, 0)), 'not zero'),
    (lambda: Pose.from_angles(0, 0, 0), '0 m above the ground'),
    (lambda: Pose.from_angles(0, 0, -1), 'above the ground'),
    (lambda: Pose.from_angles(0, 0, 1, float('nan')), 'finite'),
    (lambda: Pose.from_quaternion((0, 0, 1), (0, 0, 0, 0)), 'unit quaternion'),
    (lambda: Pose.from_quaternion((0, 0, 1), (float('nan'), 0, 0, 1)), 'unit quaternion'),
])
def test_invalid_poses_are_rejected(pose, message):
    with pytest.raises(BadInput, match=message):
        pose()


@pytest.mark.parametrize('pitch, length', [(-0.8, 0.5), (-np.pi / 2, 0.5), (0.0, 0.01)])
def test_a_camera_that_sees_no_ground_is_rejected(pitch, length):
    with pytest.raises(BadInput, match='sees no ground'):
        GroundPlane(CAMERA, Pose.from_angles(0, 0, 1, 0, pitch, 0), length)


def test_ground_in_too_few_pixels_is_refused():
    lens = Calibration(
        32, 24, (30.0, 0, 16, 0, 30, 12, 0, 0, 1), (
            -0.39971573068518973, -0.17456904565627113, -0.39971573068518973, -0.5, 0, 0, 0, 0),
        'rational_polynomial')
    with pytest.raises(BadInput, match='sees usable ground in too few pixels'):
        GroundPlane(Camera(lens, 32, 24, rectified=False), Pose.from_angles(0, 0, 0.75), 0.55)
