"""A publisher of the inputs of the free space node, for its tests."""

import dataclasses

import numpy as np
from camera import result_of
from enet_ros.msg import LabelMap
from nav_msgs.msg import OccupancyGrid, Odometry
from nodes import LATCHED, RETRY_INTERVAL
from scenes import BOX, YARD, Block, pinhole, render_labels
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from enet_ros.freespace.camera import Camera
from enet_ros.freespace.config import FreeSpaceConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.pose import Pose
from enet_ros.label_space.space import class_space
from enet_ros.ros.convert import array_to_image
from enet_ros.ros.messages import label_map

NODE = '/freespace_node'
GRID, SCAN, POINTS, GROUND = (f'{NODE}/{topic}'
                              for topic in ('grid', 'scan', 'points', 'ground_points'))
OUTPUTS = {GRID: OccupancyGrid, SCAN: LaserScan, POINTS: PointCloud2, GROUND: PointCloud2}
SIZE = 160, 120
PITCH = 0.35
POSE = Pose.from_angles(0, 0, 1.5, 0, PITCH, 0)
CALIBRATION = pinhole(*SIZE, 120.0)
WALL = Block((4.0, 4.4), (-9, 9), (0, 2))
PARAMETERS = {'camera.z': 1.5, 'camera.pitch': PITCH, 'grid.x_max': 8.0, 'grid.y_min': -4.0,
              'grid.y_max': 4.0, 'grid.resolution': 0.2}


def make_estimator():
    """Return the FreeSpaceEstimator of a node with PARAMETERS."""
    config = FreeSpaceConfig()
    grid = dataclasses.replace(config.grid, x_max=8.0, y_min=-4.0, y_max=4.0, resolution=0.2)
    return FreeSpaceEstimator(CALIBRATION, POSE, SIZE, YARD,
                              dataclasses.replace(config, grid=grid))


def scene_labels(blocks=(WALL,), pavement=None):
    return render_labels(Camera(CALIBRATION, *SIZE, True), POSE, blocks, pavement)


KINDS = {'label': (Image, 1), 'camera_info': (CameraInfo, 1), 'confidence': (Image, 1),
         'label_map': (LabelMap, LATCHED), 'odom': (Odometry, 10)}


def has_results(probe, *topics):
    """Return a condition: all topics have a result for a label image."""
    return lambda message: all(result_of(probe, topic, message) for topic in topics)


class LabelPublisher:
    """Publishes label images and the other inputs of the free space node, or some of them."""

    def __init__(self, probe, topics=tuple(KINDS)):
        self.probe, self.labels, self.publishers = probe, scene_labels(), {}
        self.advertise(topics)

    def advertise(self, topics):
        """Create the publishers of topics."""
        for topic in topics:
            kind, qos = KINDS[topic]
            self.publishers[topic] = self.probe.node.create_publisher(kind, f'/{topic}', qos)

    def announce(self, labels=YARD):
        """Publish the label map."""
        stamp = self.probe.node.get_clock().now().to_msg()
        self.publishers['label_map'].publish(label_map(class_space(labels), 'made', stamp))

    def wait_for_node(self):
        for topic in self.publishers.keys() & {'label', 'camera_info', 'label_map'}:
            self.probe.wait(self.publishers[topic].get_subscription_count,
                            f'subscription to {topic}')

    def frame(self, labels=None, age=0.0):
        """Return messages with one stamp, `age` seconds ago, by topic."""
        nanoseconds = self.probe.node.get_clock().now().nanoseconds - int(age * 1e9)
        header = Header(frame_id='front_optical')
        header.stamp.sec, header.stamp.nanosec = divmod(nanoseconds, 10**9)
        labels = self.labels if labels is None else labels
        confidence = np.where(labels == BOX, 77, 200).astype(np.uint8)
        return {'label': array_to_image(labels, 'mono8', header),
                'camera_info': camera_info(header),
                'confidence': array_to_image(confidence, 'mono8', header)}

    def send(self, messages=None):
        """Publish messages by topic, or those of a valid frame; return them."""
        messages = messages or self.frame()
        for topic in messages.keys() & self.publishers.keys():
            self.publishers[topic].publish(messages[topic])
        return messages

    def send_until(self, is_done, make=None):
        """Publish frames until `is_done(label message)` is true for one; return that message."""
        sent = []

        def step():
            sent.append(self.send(make() if make else None)['label'])
            return self.probe.poll(
                lambda: next((label for label in sent if is_done(label)), None), RETRY_INTERVAL)

        return self.probe.wait(step, 'result of a label image')


def camera_info(header):
    """Return the CameraInfo of CALIBRATION."""
    return CameraInfo(header=header, width=SIZE[0], height=SIZE[1], k=CALIBRATION.k,
                      p=CALIBRATION.p, r=CALIBRATION.r, distortion_model='plumb_bob')


def odometry(stamp, x=0.0, child='base_link'):
    """Return an Odometry message; the base looks along x."""
    message = Odometry(header=Header(stamp=stamp, frame_id='odom'), child_frame_id=child)
    message.pose.pose.position.x = x
    message.pose.pose.orientation.w = 1.0
    return message
