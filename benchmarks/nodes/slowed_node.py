"""The segmentation node with engines that parameters slow down.

After its own work an engine sleeps for `slowdown` - 1 times the value of `network_ms` for its
size; the values are in the order of the model pool. So a delay caused by the machine has the same
length as with a slow engine. Both parameters can change at any time.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from enet_ros.engines.engine import Engine
from enet_ros.ros.process import run_nodes
from enet_ros.ros.segmentation_node import SegmentationNode


class SlowedEngine:
    """An engine that sleeps for `delay()` milliseconds after each inference."""

    def __init__(self, engine: Engine, delay: Callable[[], float]) -> None:
        self.engine, self.delay = engine, delay
        self.name, self.inference_spec = engine.name, engine.inference_spec

    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        result = self.engine.infer(image, confidence)
        time.sleep(self.delay() / 1e3)
        return result


class SlowedNode(SegmentationNode):
    """Replaces its engines by slowed ones when it is configured."""

    def __init__(self) -> None:
        super().__init__()
        self.declare_parameter('slowdown', 1.0)
        self.declare_parameter('network_ms', [0.0])

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_configure(state)
        segmenters = self.resources.pool.segmenters if self.resources else {}
        for index, segmenter in enumerate(segmenters.values()):
            segmenter.engine = SlowedEngine(segmenter.engine, partial(self._delay, index))
        return result

    def _delay(self, index: int) -> float:
        slowdown, times = (self.get_parameter(name).value for name in ('slowdown', 'network_ms'))
        return (slowdown - 1) * times[index]


if __name__ == '__main__':
    cv2.setNumThreads(1)
    sys.exit(run_nodes(SlowedNode))
