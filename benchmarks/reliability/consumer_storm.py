"""A node under test that uses the labels of segmentation_node, which runs undisturbed."""

import time
from collections.abc import Callable, Mapping, Sequence

from rig import Rig
from sensor_msgs.msg import LaserScan
from storm import Storm

from enet_ros.ros.demo.waiting_node import QOS
from enet_ros.ros.label_stream import INPUTS

CAMERA, SEGMENTATION = 'street_camera', 'segmentation_node'
RATE = 30.0  # Hz
RESERVE = 0.25  # of the budget, for the transport of the results
NODES = 'freespace_node', 'semantic_cloud_node'


class ConsumerStorm(Storm):
    """Controls a node of NODES and receives its scans.

    segmentation: parameters of segmentation_node. size: of the camera's images, width and height.
    """

    def __init__(self, rig: Rig, name: str, segmentation: Mapping[str, object],
                 size: Sequence[int], seed: int) -> None:
        super().__init__(rig, name, seed)
        self.budget = float(str(segmentation['latency.budget_ms']))
        self.received: list[tuple[float, float]] = []  # stamp and time of receipt, seconds
        rig.create_subscription(LaserScan, f'/{name}/scan', self._receive, QOS)
        topics = {each: f'/{CAMERA}/{each}' for each in ('image', 'camera_info', 'depth')}
        self.topics = {**{each: f'/{SEGMENTATION}/{each}' for each in INPUTS},
                       'depth': topics['depth']}
        rig.start(CAMERA, parameters={'width': size[0], 'height': size[1], 'depth': True},
                  topics=topics)
        rig.start(SEGMENTATION, parameters={**segmentation, 'autostart': True}, topics=topics)
        self.start_node()
        rig.set(CAMERA, {'rate_hz': RATE})
        self.recovery()

    def _receive(self, message: LaserScan) -> None:
        stamp = message.header.stamp
        self.received.append((stamp.sec + 1e-9 * stamp.nanosec, time.time()))

    def start_node(self) -> None:
        self.node = self.rig.start(self.name, parameters={
            'camera.pitch': 0.05, 'autostart': True, 'latency.budget_ms': self.budget,
            'latency.reserve_ms': RESERVE * self.budget}, topics=self.topics)

    def has_result(self, start: float) -> Callable[[], bool]:
        known = len(self.received)
        return lambda: any(stamp > start for stamp, _ in self.received[known:])

    def input_description(self) -> str:
        return 'labels'

    def results(self) -> tuple[int, int]:
        # The ages are those on receipt.
        return len(self.received), sum(
            1e3 * (received_at - stamp) > self.budget for stamp, received_at in self.received)
