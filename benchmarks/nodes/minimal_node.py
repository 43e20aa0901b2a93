"""A minimal node: a subscription, a Segmenter and a publisher."""

import time
from contextlib import suppress

import cv2
import numpy as np
import rclpy
from enet_ros.msg import FrameTiming
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image

from enet_ros.images.postprocess import scale_labels
from enet_ros.ros.convert import array_to_image
from enet_ros.ros.qos import CAMERA, RESULT
from enet_ros.segmenter import Segmenter


class MinimalNode(Node):
    """Publishes `~/label` at the image's size, and its age on arrival in `~/timing`."""

    def __init__(self) -> None:
        super().__init__('minimal_node')
        settings = {name: self.declare_parameter(name, default).value for name, default in
                    {'engine': 'auto', 'width': 0, 'height': 0}.items()}
        self.segmenter = Segmenter.load(self.declare_parameter('model', 'enet_camvid').value,
                                        **settings)
        self.segmenter.warm_up()
        self.label = self.create_publisher(Image, '~/label', RESULT)
        self.timing = self.create_publisher(FrameTiming, '~/timing', RESULT)
        self.create_subscription(Image, 'image', self._segment, CAMERA)

    def _segment(self, message: Image) -> None:
        stamp, size = message.header.stamp, (message.width, message.height)
        age_ms = 1e3 * (time.time() - stamp.sec) - 1e-6 * stamp.nanosec
        image = np.frombuffer(message.data, np.uint8).reshape(*size[::-1], 3)
        labels = self.segmenter(image, 'bgr', confidence=False).labels
        self.label.publish(array_to_image(scale_labels(labels, *size), 'mono8', message.header))
        self.timing.publish(FrameTiming(header=message.header, age_on_arrival_ms=age_ms))


if __name__ == '__main__':
    cv2.setNumThreads(1)  # as in the segmentation node
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(MinimalNode())
