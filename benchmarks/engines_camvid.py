"""Compare every engine's labels, in each precision, with PyTorch's in float32 on CamVid's val.

The labels to compare with are those of the network as it was trained, nothing folded. Exit with 1
where an engine in float32 agrees on less than 99.99 % of the pixels, one in less on less than
99 %, or the mean IoU is more than 0.3 points off.
"""

import argparse
import sys

import numpy as np
from tqdm import tqdm

from enet_ros.benchmark.candidates import engine_candidates, plain_pytorch, unavailable_engines
from enet_ros.benchmark.machine import describe_machine
from enet_ros.data.datasets import open_dataset
from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.images.postprocess import scale_labels
from enet_ros.images.preprocess import network_input
from enet_ros.models import checkpoint

LEAST_EQUAL = {'float32': 0.9999, 'bfloat16': 0.99, 'float16': 0.99}
MOST_POINTS = 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help="CamVid's folder")
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--engines', default='', help='names with commas between; empty: all')
    parser.add_argument('--frames', type=int, help='take no more than this many')
    parser.add_argument('--threads', type=int, default=0, help='0: one a core')
    options = parser.parse_args()
    try:
        return compare(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1


def compare(options):
    """Print the table; return the exit code."""
    network, spec = checkpoint.load(options.model)
    frames = open_dataset('camvid', options.root).splits['val']
    count = min(len(frames), options.frames or len(frames))
    reference, ways = plain_pytorch(), {}
    names = [name for name in options.engines.split(',') if name]
    candidates = [reference, *engine_candidates(names)]
    for candidate in candidates:
        try:
            run = candidate.load(network, spec, spec.width, spec.height, options.threads)
            run(np.zeros((spec.height, spec.width, 3), np.uint8))
            ways[candidate.name] = run
        except BadInput as error:
            print(f'left out: {candidate.name}: {error}')
    for name, reason in unavailable_engines(network, spec).items():
        print(f'left out: {name}: {reason}')

    equal = dict.fromkeys(ways, 0)
    matrices = {name: ConfusionMatrix(len(spec.labels)) for name in ways}
    for index in tqdm(range(count), 'compare', unit='frame', disable=None):
        image, truth = frames[index]
        image = network_input(image, spec.width, spec.height)
        expected = ways[reference.name](image)
        for name, run in ways.items():
            labels = run(image)
            equal[name] += int((labels == expected).sum())
            matrices[name].add(truth, scale_labels(labels, *truth.shape[::-1]))

    versions = ', '.join(f'{name} {version}' for name, version in
                         describe_machine()['versions'].items())
    print(f'\n{options.model}, {count} frames of CamVid val at {spec.width}x{spec.height}; '
          f'{versions}')
    print('\n| | labels equal to PyTorch float32 | mIoU | points off | bars reached |\n'
          '|---|---:|---:|---:|---|')
    base, missed = matrices[reference.name].mean_iou(), False
    for name, matrix in matrices.items():
        share = equal[name] / (count * spec.width * spec.height)
        points = 100 * (matrix.mean_iou() - base)
        least = next((bar for precision, bar in LEAST_EQUAL.items() if precision in name), 1.0)
        reached = share >= least and abs(points) <= MOST_POINTS
        missed |= not reached
        print(f'| {name} | {100 * share:.4f} % | {matrix.mean_iou():.4f} | {points:+.3f} | '
              f'{"yes" if reached else "**no**"} |')
    return int(missed)


if __name__ == '__main__':
    sys.exit(main())
