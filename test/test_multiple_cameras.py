"""Several cameras on one node, observed over DDS."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import Camera, result_of
from diagnostic_msgs.msg import DiagnosticStatus
from enet_ros.msg import FrameTiming, LabelMap
from lifecycle_msgs.msg import Transition
from nodes import LATCHED
from sensor_msgs.msg import CameraInfo, Image

NODE = '/segmentation_node'
NAMES = ['front', 'left', 'rear']


@pytest.fixture
def cameras(start, probe):
    """Return the cameras of an active node by name; labels and timings are subscribed."""
    start({'cameras': f'[{", ".join(NAMES)}]'})
    cameras = {name: Camera(probe, f'/{name}', size=(160 + 16 * place, 90))
               for place, name in enumerate(NAMES)}
    for name in NAMES:
        probe.subscribe(Image, f'{NODE}/{name}/label')
        probe.subscribe(FrameTiming, f'{NODE}/{name}/timing', 1000)
        probe.subscribe(CameraInfo, f'{NODE}/{name}/camera_info')
    probe.bring_up(NODE)
    for camera in cameras.values():
        camera.wait_for_node()
    return cameras


def test_each_camera_has_its_own_topics(cameras, probe):
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    for name, camera in cameras.items():
        def whole(message, name=name):
            return all(result_of(probe, f'{NODE}/{name}/{topic}', message)
                       for topic in ('label', 'timing', 'camera_info'))

        def image(camera=camera):
            camera.send_info(*camera.size)
            return camera.image()

        message = camera.send_until(whole, make=image)
        for topic in ('label', 'camera_info'):
            output = result_of(probe, f'{NODE}/{name}/{topic}', message)
            assert (output.width, output.height) == camera.size
            assert output.header.frame_id == f'{name}_optical'
    probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'the label map, one for all')


def test_cameras_get_equal_shares(cameras, probe):
    for name, camera in cameras.items():
        camera.send_until(lambda m, name=name: result_of(probe, f'{NODE}/{name}/label', m))
    for name in NAMES:
        del probe.received[f'{NODE}/{name}/timing'][:]
    for _ in range(60):
        for name, camera in cameras.items():
            for _ in range(4 if name == 'left' else 1):  # one sends faster than the others
                camera.send()
        probe.spin(0.05)
    probe.spin(1.0)
    counts = [len(probe.received[f'{NODE}/{name}/timing']) for name in ('front', 'rear')]
    assert min(counts) >= 10 and min(counts) >= 0.6 * max(counts), counts


def test_a_camera_that_fails_does_not_stop_the_others(cameras, probe):
    bad = cameras['left'].image()
    bad.step = 1
    for _ in range(10):
        cameras['left'].send(bad)
        probe.spin(0.05)
    cameras['front'].send_until(lambda m: result_of(probe, f'{NODE}/front/label', m))

    def levels():
        cameras['front'].send()
        cameras['left'].send(bad)
        del probe.received['/diagnostics'][:]
        array = probe.wait(lambda: probe.received['/diagnostics'], 'diagnostics')[0]
        found = {status.name: status for status in array.status}
        front, left = (found[f'segmentation_node: {name}'] for name in ('front', 'left'))
        return front.level == DiagnosticStatus.OK and 'step is 1' in left.message

    probe.wait(levels, 'one camera that is well and one that is not')


@pytest.mark.parametrize('names, words', [('[Front]', 'lower-case'), ('[a, a]', 'once')])
def test_invalid_camera_names_fail_configure_with_a_reason(start, probe, names, words):
    start({'cameras': names})
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    assert words in probe.status(NODE).message
