"""A camera that sends frames of a synthetic street, stamped when they are sent.

The frame_id is the number of the frame. The parameter rate_hz can change at any time; at 0 no
frames are sent. A few frames, rendered at the start, are repeated.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.timer import Timer
from std_msgs.msg import Header

from enet_ros.benchmark.networks import FRAME_STEP
from enet_ros.ros.convert import array_to_image, camera_info_from_pinhole
from enet_ros.ros.qos import CAMERA, RESULT
from enet_ros.synthetic.street import SyntheticStreet

FRAMES = 4


class StreetCamera(Node):
    """Publishes `image` as bgr8, or as mono8 if the parameter `mono` is set.

    With the parameter `depth`, it publishes `depth` as 32FC1 and `camera_info` before each image.
    """

    def __init__(self) -> None:
        super().__init__('street_camera')
        width = self.declare_parameter('width', 1280).value
        height = self.declare_parameter('height', 720).value
        mono = self.declare_parameter('mono', False).value
        reliable = self.declare_parameter('reliable', False).value
        with_depth = self.declare_parameter('depth', False).value
        self.declare_parameter('rate_hz', 0.0)
        street = SyntheticStreet(width, height)
        frames = [street.render(FRAME_STEP * number, with_depth) for number in range(FRAMES)]
        self.qos = RESULT if reliable else CAMERA
        self.messages: dict[Publisher, list[Any]] = {}  # of the frames, in the order of sending
        if with_depth:
            self._add('depth', [array_to_image(frame.depth, '32FC1', Header())
                                for frame in frames if frame.depth is not None])
            self._add('camera_info', [camera_info_from_pinhole(street.camera, Header())] * FRAMES)
        self._add('image', [
            array_to_image(frame.image[..., 0].copy(), 'mono8', Header()) if mono else
            array_to_image(frame.image[..., ::-1].copy(), 'bgr8', Header()) for frame in frames])
        self.number = 0
        self.timer: Timer | None = None
        self.add_on_set_parameters_callback(self._change)

    def _add(self, topic: str, messages: list[Any]) -> None:
        self.messages[self.create_publisher(type(messages[0]), topic, self.qos)] = messages

    def _change(self, changes: Iterable[Parameter]) -> SetParametersResult:
        for change in changes:
            if change.name == 'rate_hz':
                if self.timer is not None:
                    self.destroy_timer(self.timer)
                rate = change.value
                self.timer = self.create_timer(1 / rate, self._send) if rate else None
        return SetParametersResult(successful=True)

    def _send(self) -> None:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        for publisher, messages in self.messages.items():
            message = messages[self.number % FRAMES]
            message.header.frame_id = str(self.number)
            message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
            publisher.publish(message)
        self.number += 1


if __name__ == '__main__':
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(StreetCamera())
