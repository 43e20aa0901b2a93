"""The topics of a camera, and whether its calibration fits its images."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from enet_ros.ros.camera_stream import CameraStream, camera_info_mismatch
from enet_ros.ros.outputs import segmentation_outputs


def camera_of(node, masks=None):
    return CameraStream(node, '', segmentation_outputs(masks or {}), lambda: 0.0,
                        read_config=None, on_frame=None)


@pytest.mark.parametrize('transport, remaps, topic', [
    ('raw', {}, '/image'),
    ('raw', {'image': '/cam/raw'}, '/cam/raw'),
    ('raw', {'image': '/cam/raw', '__cam__raw': '/other'}, '/cam/raw'),  # remapped once
    ('compressed', {}, '/image/compressed'),
    ('compressed', {'image': '/cam/raw'}, '/cam/raw/compressed'),
    ('compressed', {'image__compressed': '/cam/jpeg'}, '/cam/jpeg')])
def test_the_image_topic_follows_remappings(local_node, transport, remaps, topic):
    rules = [part for old, new in remaps.items()
             for part in ('-r', f'{old.replace("__", "/")}:={new}')]
    stream = camera_of(local_node(LifecycleNode, cli_args=['--ros-args', *rules]))
    stream.start_receiving(transport)
    subscribed = {each.topic_name for each in stream.node.subscriptions}
    assert stream.input_topic == topic and topic in subscribed


def test_invalid_topics_leave_no_publisher_behind(local_node):
    node = local_node(LifecycleNode)
    with pytest.raises(Exception, match='(?i)topic'):
        camera_of(node, masks={'road': 3, '3d': 4})
    assert not [each for each in node.publishers if each.topic_name.startswith('/node/mask')]


def region(x, y, width, height):
    return RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)


@pytest.mark.parametrize('info, size', [
    ({}, (1280, 720)), ({}, (640, 360)),
    ({'binning_x': 2, 'binning_y': 1}, (640, 720)),
    ({'binning_x': 2, 'binning_y': 2}, (640, 360)),
    ({'binning_x': 2, 'binning_y': 1, 'roi': region(80, 0, 800, 400)}, (400, 400)),
    ({'roi': region(80, 0, 800, 400)}, (400, 200))])
def test_a_calibration_fits_images_of_its_aspect_ratio(info, size):
    assert camera_info_mismatch(CameraInfo(width=1280, height=720, **info), *size) == ''


@pytest.mark.parametrize('info, size, words', [
    ({}, (640, 480), 'for images of 1280x720 pixels, but the images have 640x480'),
    ({}, (640, 720), 'another aspect ratio'),
    ({'binning_x': 2, 'binning_y': 1}, (1280, 720), 'of 640x720 pixels'),
    ({'roi': region(1000, 0, 400, 400)}, (400, 400), 'leaves the 1280x720 sensor'),
    ({'width': 0}, (640, 360), 'a size is zero')])
def test_a_calibration_that_does_not_fit_is_explained(info, size, words):
    message = CameraInfo(**{'width': 1280, 'height': 720, **info})
    assert words in camera_info_mismatch(message, *size)
