"""A simple segmentation node: a queue of images, and one callback that does all the work."""

from contextlib import suppress

import cv2
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from enet_ros.benchmark import baselines
from enet_ros.models import checkpoint

QUEUE = 10
BASELINES = {'plain': baselines.plain_pytorch, 'onnxruntime': baselines.plain_onnxruntime,
             'openvino': baselines.plain_openvino, 'opencv': baselines.plain_opencv}


class QueueingNode(Node):
    """Publishes `~/label` at the image's size; the parameter `runtime` selects a baseline."""

    def __init__(self) -> None:
        super().__init__('queueing_node')
        model = self.declare_parameter('model', 'enet_camvid').value
        runtime = self.declare_parameter('runtime', 'plain').value
        self.size = (self.declare_parameter('width', 640).value,
                     self.declare_parameter('height', 360).value)
        self.network = BASELINES[runtime](*checkpoint.load(model), *self.size)
        self.network(np.zeros((*self.size[::-1], 3), np.uint8))
        self.publisher = self.create_publisher(Image, '~/label', QUEUE)
        self.create_subscription(
            Image, 'image', self._segment,
            QoSProfile(depth=QUEUE, reliability=ReliabilityPolicy.BEST_EFFORT))

    def _segment(self, message: Image) -> None:
        image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        image = cv2.cvtColor(cv2.resize(image, self.size), cv2.COLOR_BGR2RGB)
        labels = cv2.resize(self.network(image), (message.width, message.height),
                            interpolation=cv2.INTER_NEAREST)
        label = Image(header=message.header, height=message.height, width=message.width,
                      encoding='mono8', step=message.width)
        label.data = labels.tobytes()
        self.publisher.publish(label)


if __name__ == '__main__':
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(QueueingNode())
