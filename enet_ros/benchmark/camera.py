"""The whole way of a camera's frame: resize, network, labels, overlay and a mask a class."""

import cv2
import numpy as np

from enet_ros.benchmark.candidates import engine_settings, plain
from enet_ros.images.postprocess import Painter
from enet_ros.segmenter import Segmenter

CAMERA, NETWORK = (1280, 720), (640, 360)
ALPHA = 0.5
ALONE, OURS, PLAIN = 'network alone', 'all, enet_ros', 'all, plain PyTorch and NumPy'


def camera_candidates(network, spec, engine, threads, frame, cache_folder=''):
    """Return {name: function}, camera's frame uint8 (H, W, 3) BGR -> labels uint8.

    ALONE runs the engine called `engine` on one small frame; OURS and PLAIN give labels, overlay
    and all masks at the camera's size, PLAIN as nodes commonly do it.
    """
    segmenter = Segmenter(network, spec, *NETWORK, **engine_settings(engine), threads=threads,
                          cache_folder=cache_folder)
    painter = Painter(spec.labels.palette()[:, ::-1])
    small = cv2.cvtColor(cv2.resize(frame, NETWORK), cv2.COLOR_BGR2RGB)
    plain_network = plain().make(network, spec, *NETWORK, threads)
    palette = spec.labels.palette()[:, ::-1]

    def ours(image):
        small_labels = segmenter(image, 'bgr', confidence=False).labels
        labels = painter.scaled(small_labels, *image.shape[1::-1])
        for class_id in range(len(spec.labels)):
            painter.mask(labels, class_id)
        painter.overlay(image, 'bgr', painter.color(labels), ALPHA)
        return labels

    def naive(image):
        labels = plain_network(cv2.cvtColor(cv2.resize(image, NETWORK), cv2.COLOR_BGR2RGB))
        labels = cv2.resize(labels, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        pictures = [(image * (1 - ALPHA) + palette[labels] * ALPHA).astype(np.uint8)]
        pictures += [(labels == i).astype(np.uint8) * 255 for i in range(len(spec.labels))]
        return labels

    return {ALONE: lambda _: segmenter.engine.infer(small, False)[0], OURS: ours, PLAIN: naive}
