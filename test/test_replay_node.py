"""The replay node as a process, observed over DDS."""

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from diagnostic_msgs.msg import DiagnosticStatus
from nodes import node_process
from rclpy.clock import ClockType
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from enet_ros.ros.convert import image_to_array, image_to_depth
from enet_ros.ros.replay_node import ReplayNode
from enet_ros.synthetic.street import SyntheticStreet

NODE = '/replay_node'


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the node as a process."""
    running = []

    def start(**parameters):
        manager = node_process('replay_node', tmp_path / f'replay{len(running)}.log', parameters)
        running.append(manager)
        return manager.__enter__()

    yield start
    for manager in running:
        manager.__exit__(None, None, None)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three images, the second broken, with labels next to it."""
    for name in ('val', 'valannot'):
        (tmp_path / name).mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / f'val/{index}.png'), np.full((24, 32, 3), 40 * index, np.uint8))
        cv2.imwrite(str(tmp_path / f'valannot/{index}.png'), np.full((24, 32), index, np.uint8))
    (tmp_path / 'val/1.png').write_text('no image')
    return tmp_path / 'val'


def stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def step(probe):
    return probe.call(Trigger, f'{NODE}/next', Trigger.Request())


def test_the_street_has_calibration_and_ground_truth(start, probe):
    start(rate_hz=5, width=160, height=120, seed=3, frame_id='front_optical')
    kinds = {'image': Image, 'camera_info': CameraInfo, 'truth': Image}
    for topic, kind in kinds.items():
        probe.subscribe(kind, f'{NODE}/{topic}')

    def whole():
        by_topic = [{stamp(m): m for m in probe.received[f'{NODE}/{topic}']} for topic in kinds]
        common = set.intersection(*map(set, by_topic))
        return common and [messages[min(common)] for messages in by_topic]

    image, info, truth = probe.wait(whole, 'a whole frame')
    assert {m.header.frame_id for m in (image, info, truth)} == {'front_optical'}
    assert (image.width, image.height, truth.encoding) == (160, 120, 'mono8')
    street = SyntheticStreet(160, 120, seed=3)
    assert info.k[0] == pytest.approx(street.camera.fx)
    frames = [street.render(index) for index in range(200)]
    number = next(index for index, frame in enumerate(frames)
                  if np.array_equal(frame.image, image_to_array(image).rgb()))
    labels = np.array(truth.data, np.uint8).reshape(120, 160)
    assert np.array_equal(labels, frames[number].labels)


def test_the_street_has_exact_depth(start, probe):
    start(rate_hz=5, width=160, height=120, seed=3)
    probe.subscribe(Image, f'{NODE}/depth')
    probe.subscribe(Image, f'{NODE}/truth')
    probe.wait(lambda: probe.node.count_publishers(f'{NODE}/depth'), 'the publisher')

    def pair():
        return next(((depth, truth) for depth in probe.received[f'{NODE}/depth']
                     for truth in probe.received[f'{NODE}/truth'] if stamp(depth) == stamp(truth)),
                    None)

    depth, truth = probe.wait(pair, 'depth and truth of a frame')
    assert (depth.width, depth.height, depth.encoding) == (160, 120, '32FC1')
    labels = np.array(truth.data, np.uint8).reshape(120, 160)
    street = SyntheticStreet(160, 120, 3)
    frame = next(frame for frame in (street.render(index, with_depth=True) for index in range(300))
                 if np.array_equal(frame.labels, labels))
    np.testing.assert_array_equal(image_to_depth(depth), frame.depth)


def test_frames_on_request_until_the_source_ends(start, probe, folder):
    node = start(source=folder, rate_hz=0, loop=False)
    probe.subscribe(Image, f'{NODE}/truth')
    probe.wait(lambda: probe.node.count_publishers(f'{NODE}/truth'), 'the publisher')
    responses = [step(probe) for _ in range(3)]
    assert [response.success for response in responses] == [True, True, False]
    assert 'has ended' in responses[2].message
    status = probe.status(NODE)
    values = {entry.key: entry.value for entry in status.values}
    assert status.level == DiagnosticStatus.OK and 'has ended' in status.message
    assert (values['frames published'], values['frames unreadable']) == ('2', '1')
    assert '1.png is not an image' in node.output()
    assert probe.call(Trigger, f'{NODE}/restart', Trigger.Request()).success
    assert step(probe).success
    assert node.alive


def test_a_loop_restarts_the_source(start, probe, folder):
    start(source=folder, rate_hz=0)
    assert all(step(probe).success for _ in range(5))


def test_a_video_that_ends(start, probe, tmp_path):
    path = tmp_path / 'drive.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for level in (0, 100, 200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    node = start(source=path, rate_hz=0, loop=False)
    assert [step(probe).success for _ in range(4)] == [True, True, True, False]
    assert 'has ended' in probe.status(NODE).message
    assert node.alive


def test_a_source_that_appears_late_and_ends(start, probe, tmp_path):
    source = tmp_path / 'later'
    node = start(source=source, rate_hz=0, loop=False)
    assert probe.status(NODE).level == DiagnosticStatus.ERROR
    source.mkdir()
    cv2.imwrite(str(source / '0.png'), np.zeros((24, 32, 3), np.uint8))
    assert probe.call(Trigger, f'{NODE}/restart', Trigger.Request()).success
    assert [step(probe).success for _ in range(2)] == [True, False]
    assert 'has ended' in probe.status(NODE).message
    assert node.alive and 'Traceback' not in node.output()


@pytest.mark.parametrize('parameters, words', [
    ({'source': '/nowhere'}, "'/nowhere' does not exist"),
    ({'source': 'EMPTY'}, 'holds no images'),
    ({'rate_hz': -1}, 'rate_hz'),
    ({'width': 5}, 'width'),
])
def test_invalid_settings_are_reported_and_the_node_keeps_running(
        start, probe, tmp_path, parameters, words):
    if parameters.get('source') == 'EMPTY':
        parameters = {'source': tmp_path}
    node = start(**parameters)
    status = probe.status(NODE)
    assert status.level == DiagnosticStatus.ERROR and words in status.message
    assert not step(probe).success
    assert node.alive and 'Traceback' not in node.output()


def test_the_rate_can_change_and_the_source_cannot(start, probe, folder):
    start(source=folder, rate_hz=0)
    probe.subscribe(Image, f'{NODE}/image')
    assert not probe.set_parameter(NODE, 'source', 'synthetic').successful
    assert not probe.set_parameter(NODE, 'rate_hz', -2.0).successful
    assert probe.set_parameter(NODE, 'rate_hz', 20).successful
    probe.wait(lambda: len(probe.received[f'{NODE}/image']) > 3, 'frames at a rate')


def test_ctrl_c_while_it_plays(start, probe):
    node = start(rate_hz=30, width=64, height=48)
    probe.subscribe(Image, f'{NODE}/image')
    probe.wait(lambda: probe.received[f'{NODE}/image'], 'an image')
    assert node.stop() == 0
    assert 'Traceback' not in node.output()


@pytest.mark.parametrize('simulated, kind', [('false', ClockType.STEADY_TIME),
                                             ('true', ClockType.ROS_TIME)])
def test_only_simulated_time_sets_the_pace(probe, simulated, kind):
    node = ReplayNode(['--ros-args', '-p', 'rate_hz:=5.0', '-p', f'use_sim_time:={simulated}'],
                      probe.context)
    assert [timer.clock.clock_type for timer in node.timers] == [kind] * 2
    node.destroy_node()
