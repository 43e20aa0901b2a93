"""The moving pose of the camera on the base, and the odometry of the base."""

import numpy as np
import pytest

from enet_ros.errors import BadInput
from enet_ros.freespace.odometry_buffer import OdometryBuffer
from enet_ros.freespace.pitch_check import PitchMonitor
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.pose_tracking import PoseTracker


def pose(x=0.0, pitch=0.2):
    return Pose.from_angles(x, 0, 1.5, 0, pitch, 0)


@pytest.mark.parametrize('angle', [0.0, 1e-4, 0.3, 3.1])
def test_distance_and_angle_between_poses(angle):
    metres, turned = pose().distance_to(Pose.from_angles(3, 4, 1.5, angle, 0.2, 0))
    assert metres == pytest.approx(5) and turned == pytest.approx(angle, abs=1e-9)
    assert pose(pitch=0.3).pitch == pytest.approx(0.3)


def test_the_pose_follows_drift_but_not_noise():
    watch, first = PoseTracker(), pose()
    assert watch.update(first, 0.3) is first
    for shift in (0.001, -0.001, 0.0015):
        assert watch.update(pose(shift), 0.3) is first
    moved = watch.update(pose(0.004), 0.3)
    assert moved is not first and moved.position[0] == 0.004


@pytest.mark.parametrize('to', [pose(0.5), pose(pitch=0.6)])
def test_a_jump_is_rejected_once(to):
    watch = PoseTracker()
    watch.update(pose(), 0.3)
    with pytest.raises(BadInput, match='jumps by'):
        watch.update(to, 0.3)
    assert watch.update(to, 0.3) is to


@pytest.fixture
def track():
    track = OdometryBuffer()
    for time, x, yaw in [(10.0, 0.0, 3.1), (10.1, 1.0, -3.1), (10.2, 2.0, -3.0)]:
        track.add(time, x, 5.0, yaw)
    return track


def test_odometry_is_interpolated(track):
    x, y, yaw = track.interpolate(10.05, 0.2)
    assert (x, y) == (pytest.approx(0.5), 5.0)
    assert np.cos(yaw) == pytest.approx(-1)  # the short way around
    assert track.interpolate(10.1, 0.2)[0] == 1.0
    assert track.interpolate(10.3, 0.2) == (2.0, 5.0, -3.0)


@pytest.mark.parametrize('time', [10.5, 10.1 + 1e-6])
def test_odometry_too_far_from_the_image_is_rejected(track, time):
    with pytest.raises(BadInput, match='away'):
        track.interpolate(time, 0.09)


def test_fast_odometry_is_kept_long_enough():
    track = OdometryBuffer()
    for step in range(12_000):
        track.add(1e-3 * step, 5e-3 * step, 0.0, 0.0)
    assert track.interpolate(11.65, 0.2)[0] == pytest.approx(5 * 11.65)
    assert track.interpolate(2.5, 0.2)[0] == pytest.approx(5 * 2.5)
    with pytest.raises(BadInput, match='is 0.50 s older than the oldest odometry'):
        track.interpolate(1.499, 0.2)


@pytest.mark.parametrize('late', [10.2, 10.15, 9.5])
def test_repeated_and_out_of_order_odometry_is_ignored(track, late):
    track.add(late, 99.0, 5.0, 0.0)
    assert track.interpolate(10.05, 0.2)[0] == pytest.approx(0.5)
    assert track.interpolate(10.2, 0.2)[0] == 2.0
    track.add(10.3, 3.0, 5.0, 0.0)
    assert track.interpolate(10.25, 0.2)[0] == pytest.approx(2.5)


def test_odometry_is_cleared_when_time_goes_back(track):
    with pytest.raises(BadInput, match='no odometry has arrived'):
        OdometryBuffer().interpolate(1.0, 1.0)
    track.add(5.0, 7.0, 5.0, 0.0)
    assert track.interpolate(5.0, 0.2)[0] == 7.0
    with pytest.raises(BadInput, match='away'):
        track.interpolate(10.1, 0.2)


def test_a_wrong_pitch_is_reported_after_enough_frames():
    watch = PitchMonitor()
    for _ in range(4):
        watch.add(0.02)
        watch.add(float('nan'))
    assert watch.warning(0.1) == ''
    watch.add(0.02)
    assert 'less down' in watch.warning(0.1) and '0.080 rad' in watch.warning(0.1)
    for _ in range(60):
        watch.add(-0.02)
    assert 'more down' in watch.warning(0.1)
    for _ in range(60):
        watch.add(0.002)
    assert watch.warning(0.1) == ''
