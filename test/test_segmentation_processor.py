"""The processor of the segmentation node, without a node."""

from itertools import count
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from sensor_msgs.msg import Image

from enet_ros.config import LatencyConfig, SegmentationConfig
from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID
from enet_ros.latency.admission import AdmissionControl
from enet_ros.latency.size_policy import SizePolicy
from enet_ros.ros.frames import CameraFrame
from enet_ros.ros.segmentation_processor import SegmentationProcessor

SIZES = [(64, 48), (32, 32)]


class Stream:
    def __init__(self, clock):
        self.admission = AdmissionControl(clock)


def test_a_changed_budget_takes_effect_on_the_next_frame():
    clock = count(step=0.05).__next__
    policy = SizePolicy(SIZES, [10.0, 5.0], clock)
    stream = Stream(clock)
    messages = []
    processor = SegmentationProcessor(SimpleNamespace(policy=policy), class_space(CAMVID),
                                      [stream], SimpleNamespace(info=messages.append))

    def prepare(budget_ms):
        config = SegmentationConfig(latency=LatencyConfig(budget_ms=budget_ms, adaptive=True))
        processor.prepare(CameraFrame(Image(), config, received_at=0.0, age_ms=0.0))

    for _ in range(20):
        prepare(100.0)
        policy.observe(age=5.0, work=60.0, inference=58.0)
        stream.admission.record_work(60.0)
    assert policy.size == SIZES[0] and not messages
    prepare(40.0)
    assert policy.size == SIZES[1]
    assert stream.admission.median_work() == 0.0  # of the size before
    assert messages == ['network size is now 32x32 instead of 64x48, to meet the latency budget '
                        'of 40 ms']
