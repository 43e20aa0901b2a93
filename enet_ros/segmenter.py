"""Segmentation of single images with one model: the entry point for Python programs.

    from enet_ros.segmenter import Segmenter

    segmenter = Segmenter.load('enet_camvid')
    labels = segmenter(image).labels
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.engine import Engine
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.selection import select_engine
from enet_ros.errors import BadInput
from enet_ros.images.preprocess import network_input
from enet_ros.labels import LabelSet
from enet_ros.models.loading import AnyNetwork, AnySpec, load_model
from enet_ros.timing import StageTimer


@dataclass(frozen=True)
class Segmentation:
    """The prediction for one image. The Segmenter's next call may overwrite the arrays.

    labels: class ids, uint8 (h, w) with the Segmenter's output size.
    confidence: 255 times the probability of each label, uint8 (h, w), or None if it was not
        requested. `enet calibrate` fits it to a model's accuracy.
    timings: milliseconds by stage, 'preprocessing' and 'inference'.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None
    timings: dict[str, float]


class Segmenter:
    """Segment images with one network on one engine.

    network: a trained network, in evaluation mode, or an ONNX network.
    spec: what is known of it.
    width, height: input size of the network, pixels; 0 means the model's own. Images of other
        sizes are resized.
    output_size: (width, height) of the predictions, pixels; None means the input size.
    filter: how predictions get the output size, 'nearest' or 'linear', as in InferenceSpec.
    clock: returns seconds, for the timings.
    settings: fields of ModelConfig, such as engine='torch' or device='cpu'.

    Attributes: `labels` (the classes), `size` (width, height of the network's input), `engine`,
    `engine_reason` (why that engine was selected) and `config` (the settings with the engine and
    precision that were selected).
    """

    def __init__(self, network: AnyNetwork, spec: AnySpec, width: int = 0, height: int = 0,
                 output_size: tuple[int, int] | None = None, filter: str = 'nearest',
                 clock: Callable[[], float] = time.perf_counter, **settings: Any) -> None:
        self.labels: LabelSet = spec.labels
        self.size = width or spec.width, height or spec.height
        inference_spec = InferenceSpec(*self.size, *(output_size or (0, 0)), filter)
        selected = select_engine(network, spec, inference_spec, ModelConfig(**settings))
        self.engine: Engine = selected.engine
        self.engine_reason = selected.reason
        self.config = selected.config
        self._clock = clock

    @classmethod
    def load(cls, path: str | os.PathLike[str], **settings: Any) -> 'Segmenter':
        """Load a checkpoint or ONNX file, or a shipped model by its name, such as 'enet_camvid'.

        settings: further arguments of Segmenter. Raise BadInput if the file is missing or
        damaged, or this machine does not support the settings.
        """
        return cls(*load_model(path), **settings)

    def warm_up(self, confidence: bool = False) -> float:
        """Segment a black image twice, so that the first real image takes no longer than others.

        Return the milliseconds that this took.
        """
        start = self._clock()
        black = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        for _ in range(2):
            self(black, confidence=confidence)
        return 1e3 * (self._clock() - start)

    def __call__(self, image: NDArray[np.uint8], order: str = 'rgb', confidence: bool = True
                 ) -> Segmentation:
        """Segment an image, uint8 (H, W, 3) of any size.

        order: order of the image's channels, 'rgb' or 'bgr'.
        confidence: whether to compute the confidence too.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise BadInput(f'image is {image.dtype} of shape {image.shape}; '
                           'it must be uint8 (height, width, 3) and not empty')
        timer = StageTimer(self._clock)
        with timer.stage('preprocessing'):
            network_image = network_input(image, *self.size, order)
        with timer.stage('inference'):
            labels, probability = self.engine.infer(network_image, confidence)
        return Segmentation(labels, probability, timer.milliseconds)
