"""A camera's topics, and whether its calibration fits its images."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from enet_ros.ros.camera_stream import CameraStream, info_fault


def camera_of(node, masks=()):
    return CameraStream(node, '', masks, lambda: 0.0, None)


@pytest.mark.parametrize('transport, remaps, topic', [
    ('raw', {}, '/image'),
    ('raw', {'image': '/cam/raw'}, '/cam/raw'),
    ('raw', {'image': '/cam/raw', '__cam__raw': '/other'}, '/cam/raw'),  # remapped once
    ('compressed', {}, '/image/compressed'),
    ('compressed', {'image': '/cam/raw'}, '/cam/raw/compressed'),
    ('compressed', {'image__compressed': '/cam/jpeg'}, '/cam/jpeg')])
def test_the_topic_is_the_one_that_is_heard(local_node, transport, remaps, topic):
    rules = [part for old, new in remaps.items()
             for part in ('-r', f'{old.replace("__", "/")}:={new}')]
    stream = camera_of(local_node(LifecycleNode, cli_args=['--ros-args', *rules]))
    stream.open(transport)
    heard = {each.topic_name for each in stream.node.subscriptions}
    assert stream.topic == topic and topic in heard


def test_topics_that_cannot_be_leave_nothing_behind(local_node):
    node = local_node(LifecycleNode)
    with pytest.raises(Exception, match='(?i)topic'):
        camera_of(node, masks=['road', '3d'])
    assert not [each for each in node.publishers if each.topic_name.startswith('/node/mask')]


def region(x, y, width, height):
    return RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)


@pytest.mark.parametrize('info, size', [
    ({}, (1280, 720)), ({}, (640, 360)),
    ({'binning_x': 2, 'binning_y': 1}, (640, 720)),
    ({'binning_x': 2, 'binning_y': 2}, (640, 360)),
    ({'binning_x': 2, 'binning_y': 1, 'roi': region(80, 0, 800, 400)}, (400, 400)),
    ({'roi': region(80, 0, 800, 400)}, (400, 200))])
def test_calibrations_that_fit(info, size):
    assert info_fault(CameraInfo(width=1280, height=720, **info), *size) == ''


@pytest.mark.parametrize('info, size, words', [
    ({}, (640, 480), 'of 1280x720 pixels and the images of 640x480'),
    ({}, (640, 720), 'have another shape'),
    ({'binning_x': 2, 'binning_y': 1}, (1280, 720), 'of 640x720 pixels'),
    ({'roi': region(1000, 0, 400, 400)}, (400, 400), 'leaves the 1280x720 frame'),
    ({'width': 0}, (640, 360), 'a size is zero')])
def test_calibrations_that_do_not_fit(info, size, words):
    assert words in info_fault(CameraInfo(**{'width': 1280, 'height': 720, **info}), *size)
