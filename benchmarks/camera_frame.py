"""Print what a camera's frame takes beside the network, whole and stage by stage.

Three ways in turns, in one run: the network alone on a frame of its own size; labels, overlay and
a mask a class at the camera's size; and the same as nodes commonly do it, with plain PyTorch and
NumPy. OpenCV has one thread, as in the segmentation node.
"""

import argparse
import time

import cv2
import numpy as np

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--engine', help='default: the one that auto takes on a CPU')
    parser.add_argument('--threads', type=int, default=0, help='of the network; 0: one a core')
    parser.add_argument('--rounds', type=int, default=20)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    machine = describe_machine()
    network, spec = checkpoint.load(options.model)
    engine = default_engine(network, spec, [options.engine] if options.engine else ())
    frames = [image[:, :, ::-1].copy() for image in street_frames(*CAMERA_SIZE, 4)]  # BGR

    print(f'{machine["processor"]}, {machine["cores"]} cores, load {machine["load"]}'
          f'{" (busy: the figures are too slow)" if is_busy(machine) else ""}; {engine}; '
          f'camera {_text(CAMERA_SIZE)}, network {_text(NETWORK_SIZE)}, '
          f'{len(spec.labels)} masks\n')
    ways = pipeline_candidates(network, spec, engine, options.threads, frames[0])
    for run in ways.values():
        warm_up(run, frames[0], 0.3)
    times = measure(ways, frames, options.rounds, turn_s=0.3, candidate_s=60)
    print('| | median ms | p95 ms |\n|---|---|---|')
    for name, measured in times.items():
        print(f'| {name} | {measured.median:.1f} | {measured.p95:.1f} |')
    beside = times[ENET_ROS].milliseconds_above(times[NETWORK_ONLY])
    faster = times[ENET_ROS].speedup_over(times[PLAIN])
    same = times[ENET_ROS].agreement(times[PLAIN])
    print(f'\nbeside the network: {beside:.1f} ms; {faster:.1f} times faster than plain; '
          f'{same:.2%} of labels equal to plain\n')

    labels = ways[ENET_ROS](frames[0]).copy()
    # One thread does them, and its processor time tells what they cost on a busy machine too.
    ways = stages(labels, spec)
    for run in ways.values():
        warm_up(run, frames[0], 0.05)
    times = measure(ways, frames[:1], options.rounds, turn_s=0.05, candidate_s=5,
                    clock=time.thread_time)
    print('| stage by itself, processor time | enet_ros, ms | plain, ms |\n|---|---|---|')
    for stage in dict.fromkeys(stage for stage, _ in times):
        cells = [f'{times[stage, who].median:.2f}' if (stage, who) in times else '-'
                 for who in ('ours', 'plain')]
        print(f'| {stage} | {" | ".join(cells)} |')


def stages(labels, spec):
    """Return {(stage, 'ours' or 'plain'): function of a camera's frame}; labels at its size."""
    palette, classes = spec.labels.palette()[:, ::-1].copy(), range(len(spec.labels))
    small = cv2.resize(labels, NETWORK_SIZE, interpolation=cv2.INTER_NEAREST)
    color = palette[labels]
    rgb = np.zeros((*NETWORK_SIZE[::-1], 3), np.uint8)
    logits = np.random.default_rng(0).random((len(classes), *NETWORK_SIZE[::-1]), np.float32)
    size, picture = np.empty_like(labels), np.empty_like(color)
    masks = [np.empty_like(labels) for _ in classes]
    return {
        ('resize, BGR to RGB', 'ours'): lambda frame: network_input(frame, *NETWORK_SIZE, 'bgr'),
        ('resize, BGR to RGB', 'plain'):
            lambda frame: cv2.cvtColor(cv2.resize(frame, NETWORK_SIZE), cv2.COLOR_BGR2RGB),
        ('normalisation (ours: in the graph)', 'plain'):
            lambda _: np.ascontiguousarray(((rgb.astype(np.float32) / 255 - np.float32(spec.mean))
                                            / np.float32(spec.std)).transpose(2, 0, 1)),
        ('arg max (ours: in the graph)', 'plain'):
            lambda _: logits.argmax(0).astype(np.uint8),
        ("labels to the camera's size", 'ours'):
            lambda _: postprocess.scale_labels(small, *CAMERA_SIZE, size),
        ("labels to the camera's size", 'plain'):
            lambda _: cv2.resize(small, CAMERA_SIZE, interpolation=cv2.INTER_NEAREST),
        ('colour', 'ours'): lambda _: postprocess.colorize(labels, palette, picture),
        ('colour', 'plain'): lambda _: palette[labels],
        ('blending', 'ours'): lambda frame: postprocess.overlay(frame, color, ALPHA, picture),
        ('blending', 'plain'):
            lambda frame: (frame * (1 - ALPHA) + color * ALPHA).astype(np.uint8),
        ('masks', 'ours'):
            lambda _: [postprocess.class_mask(labels, i, masks[i]) for i in classes],
        ('masks', 'plain'):
            lambda _: [(labels == i).astype(np.uint8) * 255 for i in classes],
    }


def _text(size):
    return 'x'.join(map(str, size))


if __name__ == '__main__':
    main()
