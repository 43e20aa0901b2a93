"""A camera that publishes noise, for tests of nodes."""

import cv2
import numpy as np
from nodes import CAMERA, RETRY_INTERVAL
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from enet_ros.ros.convert import array_to_image

RNG = np.random.default_rng(8)


class Camera:
    """Publishes images as cameras do: best effort, with a queue of one."""

    def __init__(self, probe, namespace='', size=(160, 90), compressed=''):
        self.probe, self.size, self.compressed = probe, size, compressed
        self.frame_id = f'{namespace.strip("/") or "front"}_optical'
        kind, topic = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        self.publisher = probe.node.create_publisher(kind, f'{namespace}/{topic}', CAMERA)
        self.info = probe.node.create_publisher(CameraInfo, f'{namespace}/camera_info', CAMERA)

    def header(self, age=0.0):
        """Return a header whose stamp is `age` seconds ago."""
        nanoseconds = self.probe.node.get_clock().now().nanoseconds - int(age * 1e9)
        header = Header(frame_id=self.frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(nanoseconds, 10**9)
        return header

    def wait_for_node(self):
        for publisher in (self.publisher, self.info):
            self.probe.wait(publisher.get_subscription_count, 'subscription of the node')

    def image(self, header=None):
        """Return an image message of noise."""
        width, height = self.size
        pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
        header = header or self.header()
        if not self.compressed:
            return array_to_image(pixels, 'bgr8', header)
        data = cv2.imencode(f'.{self.compressed}', pixels)[1].tobytes()
        return CompressedImage(header=header, format=f'bgr8; {self.compressed} compressed bgr8',
                               data=data)

    def send(self, message=None):
        """Publish a message, or an image of noise; return the message."""
        message = self.image() if message is None else message
        self.publisher.publish(message)
        return message

    def send_info(self, width, height):
        """Publish a calibration for images of this size."""
        self.info.publish(CameraInfo(
            width=width, height=height, k=[200.0, 0, width / 2, 0, 200, height / 2, 0, 0, 1],
            p=[200.0, 0, width / 2, 0, 0, 200, height / 2, 0, 0, 0, 1, 0]))

    def send_until(self, is_done, make=None):
        """Publish images until `is_done(message)` is true for one; return that one."""
        sent = []

        def step():
            sent.append(self.send(make() if make else None))
            return self.probe.poll(
                lambda: next((message for message in sent if is_done(message)), None),
                RETRY_INTERVAL)

        return self.probe.wait(step, 'result of an image')

    def stream(self, seconds, rate, make=None):
        """Publish at a rate (Hz) for some seconds; return the messages."""
        return [self._sent_for(1 / rate, make) for _ in range(round(seconds * rate))]

    def _sent_for(self, seconds, make):
        message = self.send(make() if make else None)
        self.probe.spin(seconds)
        return message


def stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def result_of(probe, topic, message):
    """Return the received message of a topic that has the stamp of `message`, or None."""
    return next((m for m in probe.received[topic] if stamp(m) == stamp(message)), None)
