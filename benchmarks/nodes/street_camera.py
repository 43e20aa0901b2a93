"""A camera that sends frames of a synthetic street, stamped when they are sent.

The frame_id is the number of the frame. The parameter rate_hz can change at any time; at 0 no
frames are sent.
"""

import time
from collections.abc import Iterable
from contextlib import suppress

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.timer import Timer
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from enet_ros.benchmark.networks import street_frames
from enet_ros.ros.convert import array_to_image
from enet_ros.ros.qos import CAMERA, RESULT

FRAMES = 4


class StreetCamera(Node):
    """Publishes `image` as bgr8, or as mono8 if the parameter `mono` is set."""

    def __init__(self) -> None:
        super().__init__('street_camera')
        width = self.declare_parameter('width', 1280).value
        height = self.declare_parameter('height', 720).value
        mono = self.declare_parameter('mono', False).value
        reliable = self.declare_parameter('reliable', False).value
        self.declare_parameter('rate_hz', 0.0)
        frames = street_frames(width, height, FRAMES)
        self.messages = [array_to_image(frame[..., 0].copy(), 'mono8', Header()) if mono else
                         array_to_image(frame[..., ::-1].copy(), 'bgr8', Header())
                         for frame in frames]
        self.publisher = self.create_publisher(Image, 'image', RESULT if reliable else CAMERA)
        self.number = 0
        self.timer: Timer | None = None
        self.add_on_set_parameters_callback(self._change)

    def _change(self, changes: Iterable[Parameter]) -> SetParametersResult:
        for change in changes:
            if change.name == 'rate_hz':
                if self.timer is not None:
                    self.destroy_timer(self.timer)
                rate = change.value
                self.timer = self.create_timer(1 / rate, self._send) if rate else None
        return SetParametersResult(successful=True)

    def _send(self) -> None:
        message = self.messages[self.number % FRAMES]
        message.header.frame_id = str(self.number)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
        self.publisher.publish(message)
        self.number += 1


if __name__ == '__main__':
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(StreetCamera())
