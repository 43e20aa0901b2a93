"""From an image to a segmentation, in the order of the work."""

import time
from dataclasses import dataclass

import numpy as np

from enet_ros.config import ModelConfig
from enet_ros.engines.engine import choose_engine
from enet_ros.engines.graph import InferenceSpec
from enet_ros.errors import BadInput
from enet_ros.images.preprocess import network_input
from enet_ros.models import checkpoint
from enet_ros.timing import StageTimer


@dataclass(frozen=True)
class Segmentation:
    """What the network says of one image.

    labels uint8 (h, w) class ids; confidence uint8 (h, w), 255 x the top class's softmax
    probability, or None where it was not asked for; timings in milliseconds by stage. h and w
    are the Segmenter's output size. The arrays may be written over by the next call.
    """

    labels: np.ndarray
    confidence: np.ndarray | None
    timings: dict


class Segmenter:
    """Segments images with one model on one engine.

    width and height (pixels) are the network's input size; 0 takes the model's own. output_size
    (width, height) is that of the answers; None takes the network's. filter is an InferenceSpec's.
    settings are those of a ModelConfig.
    """

    def __init__(self, model, spec, width=0, height=0, output_size=None, filter='nearest',
                 clock=time.perf_counter, **settings):
        self.labels = spec.labels
        self.size = width or spec.width, height or spec.height
        self.engine = choose_engine(model, spec, InferenceSpec(*self.size, *(output_size or ()),
                                                      filter=filter), ModelConfig(**settings))
        self.clock = clock

    @classmethod
    def load(cls, path, **settings):
        """Make a Segmenter from a checkpoint file or the name of a shipped model."""
        return cls(*checkpoint.load(path), **settings)

    def warm_up(self, confidence=False):
        """Run the network on an empty image, so that the first frame is no slower.

        Return the milliseconds that it took.
        """
        start = self.clock()
        blank = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        for _ in range(2):
            self(blank, confidence=confidence)
        return 1e3 * (self.clock() - start)

    def __call__(self, image, order='rgb', confidence=True):
        """Segment an image, uint8 (H, W, 3) with channels in `order` 'rgb' or 'bgr'."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise BadInput(f'image is {image.dtype} of shape {image.shape}; '
                           'it must be uint8 (height, width, 3) and not empty')
        timer = StageTimer(self.clock)
        with timer.stage('preprocessing'):
            network_image = network_input(image, *self.size, order)
        with timer.stage('inference'):
            labels, certainty = self.engine.infer(network_image, confidence)
        return Segmentation(labels, certainty, timer.milliseconds)
