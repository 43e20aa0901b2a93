"""Unusable inputs of the free space node: it reports them, withholds results and recovers."""

import os

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import result_of
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from label_publisher import (
    GRID,
    NODE,
    OUTPUTS,
    PARAMETERS,
    SCAN,
    SIZE,
    LabelPublisher,
    has_results,
    odometry,
    scene_labels,
)
from lifecycle_msgs.msg import Transition
from std_msgs.msg import Header

from enet_ros.labels import LabelClass, LabelSet
from enet_ros.ros.convert import array_to_image

NAN = float('nan')


def bad_frames(source):
    """Yield (defect, function that makes such a frame, words of the error)."""
    def frame(topic, change, labels=None):
        def make():
            messages = source.frame(labels)
            change(messages[topic])
            return messages
        return make

    def info(**values):
        def change(message):
            for name, value in values.items():
                setattr(message, name, value)
        return frame('camera_info', change)

    def small_label(message):
        small = array_to_image(np.zeros((60, 60), np.uint8), 'mono8', message.header)
        message.width, message.height, message.step, message.data = 60, 60, 60, small.data

    p = source.frame()['camera_info'].p.tolist()
    yield 'an uncalibrated camera', info(p=[0.0] * 12), 'P[0] is 0, so the camera is not calib'
    yield 'NaN in P', info(p=[NAN, *p[1:]]), '12 finite numbers'
    yield 'NaN in K, which is not used', info(k=[NAN] * 9), '9 finite numbers'
    yield 'another shape', info(width=SIZE[0] * 2), 'another aspect ratio'
    yield 'no size', info(width=0, height=0), 'camera_info is for 0x0 pixels'
    yield 'labels of another shape', frame('label', small_label), 'another aspect ratio'
    yield 'colors', frame('label', lambda m: setattr(m, 'encoding', 'bgr8')), "'bgr8'"
    yield 'half an image', frame('label', lambda m: setattr(m, 'data', m.data[:99])), 'truncated'
    strange = scene_labels()
    strange[50, 50] = 5
    yield 'an id of no class', frame('label', lambda m: None, strange), 'has id 5'


def test_unusable_frames_are_reported(free_space, probe):
    node, source = free_space(topics=[SCAN, GRID])
    source.send_until(has_results(probe, SCAN))
    for what, make, words in bad_frames(source):
        rejected(source, probe, make, words, what)
        source.send_until(has_results(probe, SCAN, GRID))
    assert node.alive and 'Traceback' not in node.output()


def rejected(source, probe, make, words, what, topics=(SCAN, GRID)):
    """Send frames until the diagnostics report the reason; none may have results on the topics."""
    sent = []

    def is_reported():
        sent.append(source.send(make())['label'])
        status = probe.status(NODE)
        return status.level == DiagnosticStatus.WARN and words in status.message

    probe.wait(is_reported, f'the report of {what}')
    probe.spin(0.2)
    assert not any(result_of(probe, topic, label) for topic in topics for label in sent)


def test_camera_info_of_another_size_is_scaled(free_space, probe):
    _, source = free_space(topics=[SCAN])
    scan = result_of(probe, SCAN, source.send_until(has_results(probe, SCAN)))

    def doubled():
        messages = source.frame()
        info = messages['camera_info']
        info.width, info.height, p = SIZE[0] * 2, SIZE[1] * 2, info.p.copy()
        p[[0, 2, 5, 6]] *= 2
        info.p = p
        return messages

    label = source.send_until(has_results(probe, SCAN), make=doubled)
    ranges = np.array(result_of(probe, SCAN, label).ranges)
    met = np.isfinite(ranges)
    # The centers of pixels shift by a quarter of a pixel.
    np.testing.assert_allclose(ranges[met], np.array(scan.ranges)[met], atol=0.1)


def test_label_maps_are_replaced_or_rejected(free_space, probe):
    _, source = free_space(topics=[SCAN, GRID])
    source.send_until(has_results(probe, SCAN))
    nowhere = LabelSet('nowhere', tuple(LabelClass(f'c{i}', (i, i, i)) for i in range(5)))
    source.announce(nowhere)
    rejected(source, probe, source.frame, 'has no drivable class', 'no drivable class')
    assert probe.set_parameter(NODE, 'classes.drivable', ['c0', 'c1']).successful
    source.send_until(has_results(probe, SCAN))
    assert probe.set_parameter(NODE, 'classes.drivable', ['Lawn']).successful
    rejected(source, probe, source.frame, "no class 'Lawn'", 'a class that is not there')
    assert probe.set_parameter(NODE, 'classes.drivable', ['']).successful
    source.announce()
    source.send_until(has_results(probe, SCAN))


def test_invalid_settings_are_rejected(free_space, probe):
    _, source = free_space(topics=[SCAN, GRID])
    for name, value, words in [('grid.resolution', 0.001, 'grid.resolution'),
                               ('camera.z', 0.0, 'camera.z'), ('camera.pitch', NAN, 'pitch'),
                               ('grid.x_max', -5.0, 'at least one cell above x_min'),
                               ('base_frame', 'other', 'clean it up first')]:
        result = probe.set_parameter(NODE, name, value)
        assert not result.successful and words in result.reason
    source.send_until(has_results(probe, SCAN))
    # Settings that are invalid only for this camera are reported with its frames.
    assert probe.set_parameter(NODE, 'camera.pitch', -1.2).successful
    rejected(source, probe, source.frame, 'sees no ground', 'a camera that looks at the sky')
    assert probe.set_parameter(NODE, 'camera.pitch', 0.35).successful
    source.send_until(has_results(probe, SCAN))


@pytest.mark.parametrize('bad, good, words', [
    ({'grid.resolution': 0.01, 'grid.x_max': 900.0}, {'grid.x_max': 8.0},
     'cells, more than 4000000'),
    ({'scan.angle_max': -2.0}, {'scan.angle_max': 1.0}, 'bearings'),
    ({'base_frame': "''"}, {'base_frame': 'base'}, 'base_frame'),
    ({'camera.pose': 'gps'}, {'camera.pose': 'parameters'}, 'choose one of parameters, tf'),
], ids=str)
def test_invalid_settings_fail_configure_with_a_reason(start_node, probe, bad, good, words):
    node = start_node('freespace_node', {**PARAMETERS, **bad})
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    status = probe.status(NODE)
    assert status.level == DiagnosticStatus.ERROR and words in status.message
    assert words in node.output() and 'Traceback' not in node.output()
    for name, value in good.items():
        assert probe.set_parameter(NODE, name, value).successful
    probe.bring_up(NODE)


def test_grids_are_fused_by_odometry(free_space, probe):
    _, source = free_space({'fusion.enabled': True}, topics=[SCAN, GRID])
    rejected(source, probe, source.frame, 'no odometry has arrived', 'missing odometry', [GRID])
    source.send_until(has_results(probe, SCAN))

    def at(x, child='base_link', age=0.0):
        def make():
            messages = source.frame()
            then = source.frame(age=age) if age else messages
            return {'odom': odometry(then['label'].header.stamp, x, child), **messages}
        return make

    def frames(make):
        """Send the odometry well before the frame that it belongs to."""
        def step():
            messages = make()
            source.send({'odom': messages.pop('odom')})
            probe.spin(0.05)
            return messages
        return step

    first = source.send_until(has_results(probe, SCAN, GRID), make=frames(at(0.0)))
    alone = np.reshape(result_of(probe, GRID, first).data, (40, 40))
    # The wall that was seen at 4 m is at 3 m after the base has moved by 1 m.
    source.labels = np.full_like(source.labels, 255)
    moved = source.send_until(has_results(probe, SCAN, GRID), make=frames(at(1.0)))
    fused = np.reshape(result_of(probe, GRID, moved).data, (40, 40))
    middle = alone.shape[0] // 2
    assert np.argmax(alone[middle] == 100) - np.argmax(fused[middle] == 100) == 5
    # A change of another parameter does not reset the fusion.
    assert probe.set_parameter(NODE, 'latency.budget_ms', 60000.0).successful
    again = source.send_until(has_results(probe, SCAN, GRID), make=frames(at(1.0)))
    np.testing.assert_array_equal(result_of(probe, GRID, again).data, fused.ravel())
    rejected(source, probe, frames(at(1.0, 'rear_axle')), "is that of 'rear_axle'", 'its frame',
             [GRID])
    source.send_until(has_results(probe, SCAN, GRID), make=frames(at(1.0)))
    rejected(source, probe, frames(at(1.0, age=3.0)), 's away, more than 0.2', 'stale odometry',
             [GRID])
    source.send_until(has_results(probe, SCAN, GRID), make=frames(at(1.0)))
    jumped = source.send(frames(at(30.0))())['label']
    probe.wait(lambda: 'jumps by 29.00 m' in probe.status(NODE).message, 'the report of a jump')
    probe.wait(lambda: result_of(probe, GRID, jumped), 'the grid of that frame alone')
    assert set(result_of(probe, GRID, jumped).data) == {-1}
    source.send_until(has_results(probe, SCAN, GRID), make=frames(at(30.0)))


def test_fused_frames_are_forgotten_when_the_stamps_go_back(free_space, probe):
    _, source = free_space({'fusion.enabled': True}, topics=[GRID])

    def at_rest(age):
        def make():
            messages = source.frame(age=age)
            source.send({'odom': odometry(messages['label'].header.stamp)})
            probe.spin(0.05)
            return messages
        return make

    first = source.send_until(has_results(probe, GRID), make=at_rest(0.0))
    assert 100 in result_of(probe, GRID, first).data
    source.labels = np.full_like(source.labels, 255)
    earlier = source.send_until(has_results(probe, GRID), make=at_rest(30.0))
    assert set(result_of(probe, GRID, earlier).data) == {-1}


def test_pose_tf_without_tf2_ros_names_the_package(start_node, probe, tmp_path, monkeypatch):
    (tmp_path / 'tf2_ros.py').write_text('raise ImportError("not installed")')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    start_node('freespace_node', {**PARAMETERS, 'camera.pose': 'tf'})
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    assert 'install ros-' in probe.status(NODE).message
    assert probe.set_parameter(NODE, 'camera.pose', 'parameters').successful
    probe.bring_up(NODE)


def mount(header, z):
    """Return the transform of a camera that looks forward and 0.35 rad down."""
    transform = TransformStamped(header=Header(stamp=header.stamp, frame_id='base_link'),
                                 child_frame_id=header.frame_id)
    transform.transform.translation.z = z
    half = (np.pi / 2 + 0.35) / 2  # about y, then about the axis
    c, s, r = np.cos(half), np.sin(half), np.sqrt(0.5)
    rotation = transform.transform.rotation
    rotation.x, rotation.y = -r * s, r * s
    rotation.z, rotation.w = -r * c, r * c
    return transform


@pytest.fixture
def mounted(start_node, probe):
    """Return the labels of a camera whose pose is in TF, and a function that places it.

    The function takes its height and the age of transform and frame.
    """
    tf2_ros = pytest.importorskip('tf2_ros', reason='needs tf2_ros')
    broadcaster = tf2_ros.TransformBroadcaster(probe.node)
    start_node('freespace_node', {**PARAMETERS, 'camera.pose': 'tf',
                                  'camera.max_pose_age_ms': 500.0})
    source = LabelPublisher(probe)
    for topic in (SCAN, GRID):
        probe.subscribe(OUTPUTS[topic], topic)
    probe.bring_up(NODE)
    source.wait_for_node()
    source.announce()

    def placed(z, age=0.0):
        def make():
            messages = source.frame(age=age)
            broadcaster.sendTransform(mount(messages['label'].header, z))
            probe.spin(0.1)
            return messages
        return make

    return source, placed


def test_missing_stale_and_jumping_transforms_are_reported(mounted, probe):
    source, placed = mounted
    rejected(source, probe, source.frame, 'no transform from base_link', 'a missing transform')
    source.send_until(has_results(probe, SCAN), make=placed(1.5))
    probe.spin(1.0)
    rejected(source, probe, source.frame, 'ms away from the image', 'a stale transform')
    source.send_until(has_results(probe, SCAN), make=placed(1.5))
    source.send(placed(3.0)())
    probe.wait(lambda: 'jumps by 1.50 m' in probe.status(NODE).message, 'the report of a jump')
    source.send_until(has_results(probe, SCAN), make=placed(3.0))


def test_the_pose_of_tf_when_the_stamps_go_back(mounted, probe):
    source, placed = mounted
    source.send_until(has_results(probe, SCAN), make=placed(1.5))
    # TF itself ignores what is older than its newest transform by more than 10 s.
    source.send_until(has_results(probe, SCAN), make=placed(3.0, age=30.0))
