"""The segmentation node with engines that are slowed down; both parameters change any time.

Beside its own work an engine takes `slowness` - 1 times what `network_ms` has for its size, in the
pool's order, so that a hiccup of the machine is as long as it would be with a slow engine.
"""

import sys
import time
from functools import partial

import cv2

from enet_ros.ros.process import run_nodes
from enet_ros.ros.segmentation_node import SegmentationNode


class SlowedEngine:
    """An engine that takes `more()` milliseconds more than its own time."""

    def __init__(self, engine, more):
        self.engine, self.more = engine, more
        self.name, self.inference_spec = engine.name, engine.inference_spec

    def infer(self, image, confidence):
        answer = self.engine.infer(image, confidence)
        time.sleep(self.more() / 1e3)
        return answer


class SlowedNode(SegmentationNode):
    """Slows its engines down once they are made ready."""

    def __init__(self):
        super().__init__()
        self.declare_parameter('slowness', 1.0)
        self.declare_parameter('network_ms', [0.0])

    def on_configure(self, state):
        result = super().on_configure(state)
        segmenters = self.resources.pool.segmenters if self.resources else {}
        for place, segmenter in enumerate(segmenters.values()):
            segmenter.engine = SlowedEngine(segmenter.engine, partial(self._more, place))
        return result

    def _more(self, place):
        slowness, times = (self.get_parameter(name).value for name in ('slowness', 'network_ms'))
        return (slowness - 1) * times[place]


if __name__ == '__main__':
    cv2.setNumThreads(1)
    sys.exit(run_nodes(SlowedNode))
