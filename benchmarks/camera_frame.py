"""Measure the work on a camera image besides the network, in total and by stage.

Three candidates are measured in turns: the network alone on an image of its own size; labels,
overlay and one mask per class at the camera's size; and the same with plain PyTorch and NumPy, as
in many nodes. OpenCV has one thread, as in the segmentation node.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.benchmark.candidates import default_engine
from enet_ros.benchmark.machine import describe_machine, is_busy
from enet_ros.benchmark.measure import measure, warm_up
from enet_ros.benchmark.networks import street_frames
from enet_ros.benchmark.pipeline import (
    ALPHA,
    CAMERA_SIZE,
    ENET_ROS,
    NETWORK_ONLY,
    NETWORK_SIZE,
    PLAIN,
    pipeline_candidates,
)
from enet_ros.images import postprocess
from enet_ros.images.preprocess import network_input
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec

OURS, OTHER = 'enet_ros', 'plain'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--engine', help='default: the one that auto selects on a CPU')
    parser.add_argument('--threads', type=int, default=0,
                        help='CPU threads of the network; 0: one per core')
    parser.add_argument('--rounds', type=int, default=20)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    machine = describe_machine()
    network, spec = checkpoint.load(options.model)
    engine = default_engine(network, spec, [options.engine] if options.engine else ())
    frames = [image[:, :, ::-1].copy() for image in street_frames(*CAMERA_SIZE, 4)]  # BGR

    print(f'{machine["processor"]}, {machine["cores"]} cores, load {machine["load"]}'
          f'{" (busy: the figures are too high)" if is_busy(machine) else ""}; {engine}; '
          f'camera {_text(CAMERA_SIZE)}, network {_text(NETWORK_SIZE)}, '
          f'{len(spec.labels)} masks\n')
    pipelines = pipeline_candidates(network, spec, engine, options.threads, frames[0])
    for run in pipelines.values():
        warm_up(run, frames[0], 0.3)
    times = measure(pipelines, frames, options.rounds, turn_s=0.3, candidate_s=60)
    print('| | median ms | p95 ms |\n|---|---|---|')
    for name, measured in times.items():
        print(f'| {name} | {measured.median:.1f} | {measured.p95:.1f} |')
    overhead = times[ENET_ROS].milliseconds_above(times[NETWORK_ONLY])
    speedup = times[ENET_ROS].speedup_over(times[PLAIN])
    agreement = times[ENET_ROS].agreement(times[PLAIN])
    print(f'\nin addition to the network: {overhead:.1f} ms; {speedup:.1f} times as fast as '
          f'plain; {agreement:.2%} of labels equal to plain\n')

    labels = pipelines[ENET_ROS](frames[0]).copy()
    # The stages run in one thread, whose CPU time does not depend on the load of the machine.
    stages = stage_candidates(labels, spec)
    for stage_run in stages.values():
        warm_up(stage_run, frames[0], 0.05)
    stage_times = measure(stages, frames[:1], options.rounds, turn_s=0.05, candidate_s=5,
                          clock=time.thread_time)
    print('| stage alone, CPU time | enet_ros, ms | plain, ms |\n|---|---|---|')
    for stage in dict.fromkeys(stage for stage, _ in stage_times):
        cells = [f'{stage_times[stage, who].median:.2f}' if (stage, who) in stage_times else '-'
                 for who in (OURS, OTHER)]
        print(f'| {stage} | {" | ".join(cells)} |')


def stage_candidates(labels: NDArray[np.uint8], spec: ModelSpec
                     ) -> dict[tuple[str, str], Callable[[NDArray[np.uint8]], Any]]:
    """Return functions of a camera image, by stage and by OURS or OTHER.

    labels: uint8 (H, W) at the camera's size.
    """
    palette, classes = spec.labels.palette()[:, ::-1].copy(), range(len(spec.labels))
    small = cv2.resize(labels, NETWORK_SIZE, interpolation=cv2.INTER_NEAREST)
    color = palette[labels]
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    rgb = np.zeros((*NETWORK_SIZE[::-1], 3), np.uint8)
    logits = np.random.default_rng(0).random((len(classes), *NETWORK_SIZE[::-1]), np.float32)
    scaled, picture = np.empty_like(labels), np.empty_like(color)
    masks = [np.empty_like(labels) for _ in classes]
    return {
        ('resize, BGR to RGB', OURS): lambda frame: network_input(frame, *NETWORK_SIZE, 'bgr'),
        ('resize, BGR to RGB', OTHER):
            lambda frame: cv2.cvtColor(cv2.resize(frame, NETWORK_SIZE), cv2.COLOR_BGR2RGB),
        ('normalization (enet_ros: in the graph)', OTHER):
            lambda _: np.ascontiguousarray(((rgb.astype(np.float32) / 255 - mean)
                                            / std).transpose(2, 0, 1)),
        ('arg max (enet_ros: in the graph)', OTHER):
            lambda _: logits.argmax(0).astype(np.uint8),
        ("labels to the camera's size", OURS):
            lambda _: postprocess.scale_labels(small, *CAMERA_SIZE, scaled),
        ("labels to the camera's size", OTHER):
            lambda _: cv2.resize(small, CAMERA_SIZE, interpolation=cv2.INTER_NEAREST),
        ('color', OURS): lambda _: postprocess.colorize(labels, palette, picture),
        ('color', OTHER): lambda _: palette[labels],
        ('blending', OURS): lambda frame: postprocess.overlay(frame, color, ALPHA, picture),
        ('blending', OTHER):
            lambda frame: (frame * (1 - ALPHA) + color * ALPHA).astype(np.uint8),
        ('masks', OURS):
            lambda _: [postprocess.class_mask(labels, [i], masks[i]) for i in classes],
        ('masks', OTHER):
            lambda _: [(labels == i).astype(np.uint8) * 255 for i in classes],
    }


def _text(size: tuple[int, int]) -> str:
    return 'x'.join(map(str, size))


if __name__ == '__main__':
    main()
