"""A camera made of noise, for tests of nodes."""

import cv2
import numpy as np
from nodes import CAMERA
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from enet_ros.ros.convert import array_to_image

RNG = np.random.default_rng(8)


class Camera:
    """Publishes images as a camera does: best effort, the newest only."""

    def __init__(self, probe, namespace='', size=(160, 90), compressed=''):
        self.probe, self.size, self.compressed = probe, size, compressed
        self.frame_id = f'{namespace.strip("/") or "front"}_optical'
        kind, topic = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        self.publisher = probe.node.create_publisher(kind, f'{namespace}/{topic}', CAMERA)
        self.info = probe.node.create_publisher(CameraInfo, f'{namespace}/camera_info', CAMERA)

    def header(self, age=0.0):
        """Return a header with the time so many seconds ago."""
        nanoseconds = self.probe.node.get_clock().now().nanoseconds - int(age * 1e9)
        header = Header(frame_id=self.frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(nanoseconds, 10**9)
        return header

    def wait_for_node(self):
        for publisher in (self.publisher, self.info):
            self.probe.wait(publisher.get_subscription_count, 'the node to subscribe')

    def image(self, header=None):
        """Return a message made of noise."""
        width, height = self.size
        pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
        header = header or self.header()
        if not self.compressed:
            return array_to_image(pixels, 'bgr8', header)
        data = cv2.imencode(f'.{self.compressed}', pixels)[1].tobytes()
        return CompressedImage(header=header, format=f'bgr8; {self.compressed} compressed bgr8',
                               data=data)

    def send(self, message=None):
        """Publish a message, or an image made of noise; return the message."""
        message = self.image() if message is None else message
        self.publisher.publish(message)
        return message

    def send_info(self, width, height):
        """Publish the calibration of an image of a size."""
        self.info.publish(CameraInfo(
            width=width, height=height, k=[200.0, 0, width / 2, 0, 200, height / 2, 0, 0, 1],
            p=[200.0, 0, width / 2, 0, 0, 200, height / 2, 0, 0, 0, 1, 0]))

    def send_until(self, answered, make=None):
        """Publish again and again until `answered(message)` is true of one; return that one."""
        sent = []

        def step():
            sent.append(self.send(make() if make else None))
            self.probe.spin(0.2)
            return next((message for message in sent if answered(message)), None)

        return self.probe.wait(step, 'an answer to an image')

    def stream(self, seconds, rate, make=None):
        """Publish at a rate for a time; return the messages."""
        return [self._sent_for(1 / rate, make) for _ in range(round(seconds * rate))]

    def _sent_for(self, seconds, make):
        message = self.send(make() if make else None)
        self.probe.spin(seconds)
        return message


def stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def answer_to(probe, topic, message):
    """Return what came on a topic with the stamp of `message`, or None."""
    return next((m for m in probe.received[topic] if stamp(m) == stamp(message)), None)
