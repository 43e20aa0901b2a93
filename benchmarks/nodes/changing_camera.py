"""A camera whose images, stamps and clock change.

All parameters can change at any time. The frame_id is the time of sending in nanoseconds.
"""

import time
from array import array
from collections.abc import Iterable
from contextlib import suppress

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from enet_ros.benchmark.networks import street_frames
from enet_ros.ros.qos import CAMERA

RATE, CLOCK_RATE = 30.0, 100.0  # Hz
COMPRESSED = 'jpeg', 'png'  # encodings of `image/compressed`
BYTES = {'mono8': 1, 'bayer_rggb8': 1, 'mono16': 2, '16UC1': 2, 'bayer_gbrg16': 2, 'yuv422': 2,
         'yuv422_yuy2': 2, 'rgb8': 3, 'bgr8': 3, 'bgra8': 4, '32FC3': 12}  # of a pixel
DEFAULTS = {'width': 1280, 'height': 720, 'encoding': 'bgr8',
            'stamp_offset': 0.0,   # seconds from the clock to the stamps
            'clock_offset': 0.0,   # seconds from the clock of the system to that of the camera
            'simulated': False}    # publish the camera's clock on /clock


class ChangingCamera(Node):
    """Publishes `image`, or `image/compressed` in the encodings jpeg and png.

    The pixels have the size of the encoding; only those of bgr8, jpeg and png show the street.
    """

    def __init__(self) -> None:
        super().__init__('changing_camera')
        self.settings = {name: self.declare_parameter(name, default).value
                         for name, default in DEFAULTS.items()}
        self.publishers_by_type = {
            Image: self.create_publisher(Image, 'image', CAMERA),
            CompressedImage: self.create_publisher(CompressedImage, 'image/compressed', CAMERA)}
        self.clock = self.create_publisher(Clock, '/clock', CAMERA)
        self.street = street_frames(640, 360, 1)[0][..., ::-1].copy()  # BGR
        self.message = make_message(self.street, *self._format())
        self.add_on_set_parameters_callback(self._change)
        steady = RosClock(clock_type=ClockType.STEADY_TIME)  # the others can jump
        self.create_timer(1 / RATE, self._send, clock=steady)
        self.create_timer(1 / CLOCK_RATE, self._send_clock, clock=steady)

    def _format(self) -> tuple[int, int, str]:
        return self.settings['width'], self.settings['height'], self.settings['encoding']

    def _change(self, changes: Iterable[Parameter]) -> SetParametersResult:
        before = self._format()
        self.settings.update({change.name: change.value for change in changes})
        if self._format() != before:
            self.message = make_message(self.street, *self._format())
        return SetParametersResult(successful=True)

    def _now(self) -> int:
        """Return the nanoseconds of the camera's clock."""
        return time.time_ns() + int(1e9 * self.settings['clock_offset'])

    def _send(self) -> None:
        header = self.message.header
        header.frame_id = str(time.time_ns())
        header.stamp.sec, header.stamp.nanosec = divmod(
            self._now() + int(1e9 * self.settings['stamp_offset']), 10**9)
        self.publishers_by_type[type(self.message)].publish(self.message)

    def _send_clock(self) -> None:
        if self.settings['simulated']:
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(self._now(), 10**9)
            self.clock.publish(message)


def make_message(picture: NDArray[np.uint8], width: int, height: int, encoding: str
                 ) -> Image | CompressedImage:
    """Return a picture, uint8 (H, W, 3) BGR, as a message of another size without a header."""
    frame = cv2.resize(picture, (width, height))
    data = array('B')
    if encoding in COMPRESSED:
        data.frombytes(cv2.imencode(f'.{encoding}', frame)[1].tobytes())
        return CompressedImage(format=f'bgr8; {encoding} compressed bgr8', data=data)
    step = BYTES[encoding] * width
    data.frombytes(np.resize(frame, height * step).tobytes())
    return Image(width=width, height=height, encoding=encoding, step=step, data=data)


if __name__ == '__main__':
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(ChangingCamera())
