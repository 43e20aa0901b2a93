"""The segmentation node with engines that take `slowness` times as long; it changes any time."""

import sys
import time

import cv2

from enet_ros.ros.segmentation_node import SegmentationNode
from enet_ros.ros.spin import spin


class SlowedEngine:
    """An engine that takes `slowness()` times its own time."""

    def __init__(self, engine, slowness):
        self.engine, self.slowness = engine, slowness
        self.name, self.reason, self.task = engine.name, engine.reason, engine.task

    def infer(self, image, confidence):
        start = time.perf_counter()
        answer = self.engine.infer(image, confidence)
        time.sleep((self.slowness() - 1) * (time.perf_counter() - start))
        return answer


class SlowedNode(SegmentationNode):
    """Slows its engines down once they are made ready."""

    def __init__(self):
        super().__init__()
        self.declare_parameter('slowness', 1.0)

    def on_configure(self, state):
        result = super().on_configure(state)
        for segmenter in self.ladder.segmenters.values() if self.ladder else ():
            segmenter.engine = SlowedEngine(segmenter.engine,
                                            lambda: self.get_parameter('slowness').value)
        return result


if __name__ == '__main__':
    cv2.setNumThreads(1)
    sys.exit(spin(SlowedNode))
