"""Receives what the semantic cloud node publishes for the replay node's frames."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image, LaserScan, PointCloud2
from std_srvs.srv import Trigger

from enet_ros.errors import BadInput
from enet_ros.pointcloud.cloud import POINT
from enet_ros.ros.convert import image_to_array
from enet_ros.ros.demo.waiting_node import (
    CAMERA,
    QOS,
    SEGMENTER,
    START_TIMEOUT,
    DemoFailure,
    WaitingNode,
)

CLOUD = '/semantic_cloud_node'
TOPICS: dict[str, type] = {
    f'{SEGMENTER}/overlay': Image, f'{CLOUD}/points': PointCloud2,
    f'{CLOUD}/obstacles': PointCloud2, f'{CLOUD}/scan': LaserScan}
FRAME_TIMEOUT = 5.0  # seconds until a frame must have all outputs
Stamp = tuple[int, int]  # seconds, nanoseconds


class CloudMessages(NamedTuple):
    """What was published for a frame.

    overlay: (H, W, 3) RGB. points: (H, W) of POINT in the optical frame. obstacles: (N,) of POINT
    in the base frame. ranges, bearings, range_max: of the scan, meters and rad.
    latency: seconds from the stamp until the points were received.
    """

    overlay: NDArray[np.uint8]
    points: NDArray[np.void]
    obstacles: NDArray[np.void]
    ranges: NDArray[np.float32]
    bearings: NDArray[np.float64]
    range_max: float
    latency: float


class CloudReceiver:
    """Has frames sent one by one and collects the outputs of both nodes by stamp.

    node: which subscribes and waits.
    """

    def __init__(self, node: WaitingNode) -> None:
        self._node = node
        self._frames: dict[Stamp, dict[str, Any]] = {}
        self._received: Counter[str] = Counter()
        for topic, message_type in TOPICS.items():
            node.create_subscription(message_type, topic, self._callback(topic), QOS)

    def get_ready(self) -> None:
        """Send frames until one has all outputs, and restart the source.

        Until all subscriptions are discovered, some outputs are not published. Raise DemoFailure
        if it takes too long.
        """
        end = time.monotonic() + START_TIMEOUT
        while not any(map(self._is_complete, self._frames)):
            if time.monotonic() > end:
                silent = [topic for topic in TOPICS if not self._received[topic]]
                raise DemoFailure(f'no frame got all its outputs within {START_TIMEOUT:.0f} s'
                                  + (f'; nothing was received on {", ".join(silent)}'
                                     if silent else ''))
            self._send()
            self._node.wait(lambda: any(map(self._is_complete, self._frames)), 1.0)
        self._call('restart')
        self._frames.clear()

    def next_frame(self) -> CloudMessages:
        """Have the next frame sent and return its outputs; raise DemoFailure if one is missing."""
        stamp = self._send()
        if not self._node.wait(lambda: self._is_complete(stamp), FRAME_TIMEOUT):
            missing = [topic for topic in TOPICS if topic not in self._frames.get(stamp, {})]
            raise DemoFailure(f'a frame has no {", ".join(missing)} after {FRAME_TIMEOUT:.0f} s')
        messages = self._frames[stamp]
        self._frames.clear()
        return read_messages(messages)

    def _send(self) -> Stamp:
        seconds, nanoseconds = self._call('next').split('.')
        return int(seconds), int(nanoseconds)

    def _call(self, service: str) -> str:
        response = self._node.call(Trigger, f'{CAMERA}/{service}', Trigger.Request())
        if not response.success:
            raise DemoFailure(f'replay_node: {response.message}')
        message: str = response.message
        return message

    def _is_complete(self, stamp: Stamp) -> bool:
        return len(self._frames.get(stamp, {})) > len(TOPICS)  # one is the latency

    def _callback(self, topic: str) -> Callable[[Any], None]:
        """Return the callback of one topic."""
        def store(message: Any) -> None:
            self._received[topic] += 1
            stamp = message.header.stamp
            frame = self._frames.setdefault((stamp.sec, stamp.nanosec), {})
            frame[topic] = message
            if topic == f'{CLOUD}/points':
                now = self._node.get_clock().now().nanoseconds
                frame['latency'] = 1e-9 * now - (stamp.sec + 1e-9 * stamp.nanosec)
        return store


def read_messages(messages: Mapping[str, Any]) -> CloudMessages:
    """Return the content of the messages of a frame; raise DemoFailure if their form is wrong."""
    faults = list(_faults(messages))
    if faults:
        raise DemoFailure('; '.join(faults))
    scan = messages[f'{CLOUD}/scan']
    ranges = np.array(scan.ranges, np.float32)
    return CloudMessages(
        image_to_array(messages[f'{SEGMENTER}/overlay']).rgb(),
        read_cloud(messages[f'{CLOUD}/points']), read_cloud(messages[f'{CLOUD}/obstacles'])[0],
        ranges, scan.angle_min + scan.angle_increment * np.arange(len(ranges), dtype=np.float64),
        scan.range_max, messages['latency'])


def read_cloud(message: PointCloud2) -> NDArray[np.void]:
    """Return the points of a labeled cloud, (rows, columns) of POINT; raise BadInput."""
    size = message.height * message.width
    offsets = {field.name: field.offset for field in message.fields}
    known = {name: offset for name, (_, offset, *_) in (POINT.fields or {}).items()}
    if (message.point_step != POINT.itemsize or len(message.data) != size * POINT.itemsize
            or not offsets.items() <= known.items()):
        raise BadInput(f'the cloud has fields {offsets} in {message.point_step} bytes; its points '
                       f'must have those of {known} in {POINT.itemsize} bytes')
    return np.frombuffer(message.data, POINT).reshape(message.height, message.width)


def _faults(messages: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the frames and sizes of the messages of a frame."""
    overlay, points, obstacles, scan = (messages[topic] for topic in TOPICS)
    if points.header != overlay.header:
        yield 'points: the header is not that of the image'
    if (points.width, points.height) != (overlay.width, overlay.height):
        yield f'points: {points.width}x{points.height}, not the size of the depth'
    for name, message in (('obstacles', obstacles), ('scan', scan)):
        if message.header.frame_id != 'base_link':
            yield f'{name}: in frame {message.header.frame_id!r}, not base_link'
