"""The camera's pose from parameters and from TF."""

import dataclasses
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.ros.camera_pose import make_pose_source

NAN = float('nan')


def config(**camera):
    base = FreeSpaceNodeConfig()
    return dataclasses.replace(base, camera=dataclasses.replace(base.camera, **camera))


class Buffer:
    """A stand-in for tf2_ros.Buffer, which is not installed everywhere."""

    def __init__(self):
        self.transform, self.fixed = None, False
        Buffer.newest = self

    def place(self, seconds, z=1.5, w=1.0, fixed=False):
        self.fixed = fixed
        self.transform = TransformStamped(header=Header(stamp=stamp(seconds)))
        self.transform.transform.translation.z = z
        self.transform.transform.rotation.w = w

    def can_transform(self, target, source, time):
        return self.transform is not None and (
            self.fixed or time <= Time.from_msg(self.transform.header.stamp))

    def lookup_transform(self, target, source, time):
        assert (target, source) == ('base_link', 'front_optical')
        if self.transform is None:
            raise LookupError('"base_link" is no frame')
        return self.transform


def stamp(seconds):
    return Time(nanoseconds=round(seconds * 1e9)).to_msg()


@pytest.fixture
def buffer(monkeypatch):
    module = SimpleNamespace(
        Buffer=Buffer, TransformException=LookupError,
        TransformListener=lambda buffer, node: SimpleNamespace(unregister=lambda: None))
    monkeypatch.setitem(sys.modules, 'tf2_ros', module)
    return None


@pytest.fixture
def pose_at(buffer):
    """Return a function from seconds to the pose at that time, and the transform buffer."""
    settings = config(pose='tf', max_pose_age_ms=100.0, max_jump=0.5)
    source = make_pose_source(None, settings)
    return lambda seconds: source(
        Header(stamp=stamp(seconds), frame_id='front_optical'), settings), Buffer.newest


def test_parameters_give_one_pose_until_they_change():
    source = make_pose_source(None, config())
    first = source(None, config(z=1.2, pitch=0.1))
    assert first.position.tolist() == [0, 0, 1.2] and first.pitch == pytest.approx(0.1)
    assert source(None, config(z=1.2, pitch=0.1)) is first
    assert source(None, config(z=1.3)).position[2] == 1.3


def test_a_missing_transform_is_named_until_it_arrives(pose_at):
    pose_at, buffer = pose_at
    with pytest.raises(BadInput, match='no transform from base_link to front_optical'):
        pose_at(10.0)
    buffer.place(10.0)
    assert pose_at(10.0).position[2] == 1.5


def test_a_stale_transform_is_rejected(pose_at):
    pose_at, buffer = pose_at
    buffer.place(10.0)
    assert pose_at(10.09).position[2] == 1.5
    with pytest.raises(BadInput, match='200 ms away from the image, more than 100'):
        pose_at(10.2)
    buffer.place(10.2)
    assert pose_at(10.2).position[2] == 1.5
    buffer.place(0.0, fixed=True)  # a static one has no age
    assert pose_at(10.3).position[2] == 1.5


def test_a_jump_is_rejected_once(pose_at):
    pose_at, buffer = pose_at
    buffer.place(10.0)
    first = pose_at(10.0)
    assert pose_at(10.0) is first
    buffer.place(10.1, z=2.5)
    with pytest.raises(BadInput, match='jumps by 1.00 m'):
        pose_at(10.1)
    assert pose_at(10.1).position[2] == 2.5


@pytest.mark.parametrize('wrong, words', [
    ({'w': NAN}, 'no unit quaternion'), ({'w': 0.0}, 'no unit quaternion'),
    ({'z': NAN}, 'not finite'), ({'z': -1.0}, 'above the ground'),
])
def test_invalid_transforms_are_rejected(pose_at, wrong, words):
    pose_at, buffer = pose_at
    buffer.place(10.0, **wrong)
    with pytest.raises(BadInput, match=words):
        pose_at(10.0)
    buffer.place(10.0)
    assert np.isfinite(pose_at(10.0).rotation).all()
