"""The pipeline from a camera image to labels, overlay and class masks at the camera's size."""

import cv2
import numpy as np

from enet_ros.benchmark.candidates import engine_settings, plain_pytorch
from enet_ros.benchmark.measure import Image, Labels, Run
from enet_ros.images.postprocess import Painter
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network
from enet_ros.segmenter import Segmenter

CAMERA_SIZE, NETWORK_SIZE = (1280, 720), (640, 360)
ALPHA = 0.5
NETWORK_ONLY = 'network only'
ENET_ROS = 'pipeline, enet_ros'
PLAIN = 'pipeline, plain PyTorch and NumPy'


def pipeline_candidates(network: Network, spec: ModelSpec, engine: str, threads: int,
                        frame: Image, cache_folder: str = '') -> dict[str, Run]:
    """Return functions by name, camera image uint8 (H, W, 3) BGR -> labels uint8.

    NETWORK_ONLY runs the engine on one small frame. ENET_ROS and PLAIN compute labels, overlay
    and all masks at the camera's size, PLAIN as ROS nodes commonly do.

    engine: an engine's full name, 'openvino cpu bfloat16'.
    threads, cache_folder: as in ModelConfig.
    frame: the camera image that NETWORK_ONLY segments.
    """
    segmenter = Segmenter(network, spec, *NETWORK_SIZE, **engine_settings(engine),
                          threads=threads, cache_folder=cache_folder)
    palette = spec.labels.palette()[:, ::-1]
    painter = Painter(palette)
    small_frame = cv2.cvtColor(cv2.resize(frame, NETWORK_SIZE), cv2.COLOR_BGR2RGB)
    plain_network = plain_pytorch().load(network, spec, *NETWORK_SIZE, threads)

    def run_enet_ros(image: Image) -> Labels:
        prediction = segmenter(image, 'bgr', confidence=False).labels
        height, width = image.shape[:2]
        labels = painter.scaled(prediction, width, height)
        for class_id in range(len(spec.labels)):
            painter.mask(labels, [class_id])
        painter.overlay(image, 'bgr', painter.color(labels), ALPHA)
        return labels

    def run_plain(image: Image) -> Labels:
        labels = plain_network(cv2.cvtColor(cv2.resize(image, NETWORK_SIZE), cv2.COLOR_BGR2RGB))
        height, width = image.shape[:2]
        labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        pictures = [(image * (1 - ALPHA) + palette[labels] * ALPHA).astype(np.uint8)]
        pictures += [(labels == i).astype(np.uint8) * 255 for i in range(len(spec.labels))]
        return labels

    return {NETWORK_ONLY: lambda _: segmenter.engine.infer(small_frame, False)[0],
            ENET_ROS: run_enet_ros, PLAIN: run_plain}
