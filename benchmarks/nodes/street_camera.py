"""A camera that shows frames of a synthetic street, stamped when they are sent.

frame_id is the frame's number. Parameter rate_hz changes while it runs; at 0 it sends nothing.
"""

import time
from contextlib import suppress

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from enet_ros.benchmark.networks import street_frames
from enet_ros.ros.convert import array_to_image
from enet_ros.ros.qos import CAMERA, RESULT

FRAMES = 4


class StreetCamera(Node):
    """Publishes `image` as bgr8, or as mono8 of the size of a label image."""

    def __init__(self):
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
        self.number, self.timer = 0, None
        self.add_on_set_parameters_callback(self._change)

    def _change(self, changes):
        for change in changes:
            if change.name == 'rate_hz':
                if self.timer is not None:
                    self.destroy_timer(self.timer)
                self.timer = self.create_timer(1 / change.value, self._send) if change.value \
                    else None
        return SetParametersResult(successful=True)

    def _send(self):
        message = self.messages[self.number % FRAMES]
        message.header.frame_id = str(self.number)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
        self.publisher.publish(message)
        self.number += 1


if __name__ == '__main__':
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(StreetCamera())
