"""The semantic cloud node behind a segmentation node, both as processes, observed over DDS."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import Camera, result_of
from diagnostic_msgs.msg import DiagnosticStatus
from nodes import CAMERA, RETRY_INTERVAL
from sensor_msgs.msg import Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from enet_ros.images.postprocess import scale_labels
from enet_ros.ros.convert import array_to_image, image_to_plane
from enet_ros.ros.demo.cloud_receiver import read_cloud

SEGMENTER, CLOUD = '/segmentation_node', '/semantic_cloud_node'
LABEL, POINTS, OBSTACLES, SCAN = (f'{SEGMENTER}/label', f'{CLOUD}/points', f'{CLOUD}/obstacles',
                                  f'{CLOUD}/scan')
OUTPUTS = {LABEL: Image, POINTS: PointCloud2, OBSTACLES: PointCloud2, SCAN: LaserScan}
SIZE = WIDTH, HEIGHT = 160, 120
DISTANCE = 4.0  # meters
PLANE = np.full((HEIGHT, WIDTH), DISTANCE, np.float32)


class DepthCamera(Camera):
    """Publishes images of noise with the depth of a plane."""

    def __init__(self, probe):
        super().__init__(probe, size=SIZE)
        self.depth = probe.node.create_publisher(Image, '/depth', CAMERA)
        self.sent = []  # (header of the image, header of the depth)

    def wait_for_nodes(self):
        self.wait_for_node()
        self.probe.wait(self.depth.get_subscription_count, 'subscription to the depth')

    def send_frame(self, depth=PLANE, encoding='32FC1', delay=0.0, frame_id=None):
        """Publish an image and its depth, whose stamp is `delay` seconds later."""
        header = self.header()
        late = Header(frame_id=frame_id or header.frame_id)
        nanoseconds = header.stamp.sec * 10**9 + header.stamp.nanosec + round(delay * 1e9)
        late.stamp.sec, late.stamp.nanosec = divmod(nanoseconds, 10**9)
        self.send_info(*SIZE)
        self.depth.publish(array_to_image(depth, encoding, late))
        self.send(self.image(header))
        self.sent.append((header, late))

    def result(self, **frame):
        """Send frames until one has all outputs; return its label image and the outputs."""
        del self.sent[:]

        def complete():
            for header, late in self.sent:
                label = result_of(self.probe, LABEL, Image(header=header))
                found = [result_of(self.probe, topic, Image(header=late))
                         for topic in (POINTS, OBSTACLES, SCAN)]
                if label and all(found):
                    return label, *found
            return None

        def step():
            self.send_frame(**frame)
            return self.probe.poll(complete, RETRY_INTERVAL)

        return self.probe.wait(step, 'labeled points')

    def rejected(self, words, **frame):
        """Send frames until the diagnostics report the reason; none may have points."""
        del self.sent[:]

        def is_reported():
            self.send_frame(**frame)
            status = self.probe.status(CLOUD)
            return status.level == DiagnosticStatus.WARN and words in status.message and status

        status = self.probe.wait(is_reported, f'the report of {words!r}')
        assert len(status.message.splitlines()) == 1
        self.probe.spin(0.2)
        assert not any(result_of(self.probe, POINTS, Image(header=late)) for _, late in self.sent)


@pytest.fixture
def depth_camera(start, start_node, probe):
    """Return a function that starts and activates both nodes; it returns the camera and nodes."""
    def active(**parameters):
        nodes = [start(), start_node(
            'semantic_cloud_node', {'camera.z': 1.0, **parameters},
            remaps={name: f'{SEGMENTER}/{name}' for name in ('label', 'label_map',
                                                             'camera_info')})]
        for topic, kind in OUTPUTS.items():
            probe.subscribe(kind, topic)
        probe.bring_up(SEGMENTER)
        probe.bring_up(CLOUD)
        camera = DepthCamera(probe)
        camera.wait_for_nodes()
        return camera, nodes
    return active


def test_points_have_the_predicted_labels_with_approximate_stamps(depth_camera):
    camera, nodes = depth_camera()
    label, cloud, obstacles, scan = camera.result(delay=0.01)
    points = read_cloud(cloud)
    np.testing.assert_array_equal(points['label'],
                                  scale_labels(image_to_plane(label), WIDTH, HEIGHT))
    np.testing.assert_allclose(points['z'], DISTANCE)
    assert cloud.header.frame_id == camera.frame_id
    assert obstacles.header.frame_id == scan.header.frame_id == 'base_link'

    small = np.full((HEIGHT // 2, WIDTH // 2), 2500, np.uint16)
    label, cloud, *_ = camera.result(depth=small, encoding='16UC1')
    points = read_cloud(cloud)
    np.testing.assert_array_equal(points['label'],
                                  scale_labels(image_to_plane(label), WIDTH // 2, HEIGHT // 2))
    np.testing.assert_allclose(points['z'], 2.5)

    label, cloud, obstacles, scan = camera.result(depth=0 * small, encoding='16UC1')
    assert np.isnan(read_cloud(cloud)['z']).all()
    assert obstacles.width == 0 and np.isnan(scan.ranges).all()
    camera.rejected("in frame 'lidar', but the labels are in 'front_optical'; register",
                    frame_id='lidar')
    camera.rejected('another aspect ratio', depth=np.ones((50, 50), np.float32))
    camera.result()
    for node in nodes:
        assert node.alive and 'Traceback' not in node.output()


def test_with_exact_stamps_depth_of_other_stamps_is_reported(depth_camera):
    camera, nodes = depth_camera(**{'input.max_stamp_difference_ms': 0.0})
    camera.result()
    camera.rejected('no depth with the stamps of the label images', delay=0.003)
    camera.result()
    for node in nodes:
        assert node.alive and 'Traceback' not in node.output()
