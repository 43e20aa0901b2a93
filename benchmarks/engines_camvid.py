"""Compare each engine's labels, in each precision, with those of PyTorch in float32 on CamVid val.

The reference is the network as it was trained, without folded layers. The exit code is 1 if an
engine in float32 agrees on fewer than 99.99 % of the pixels, one in a lower precision on fewer
than 99 %, or if the mean IoU differs by more than 0.3 points.
"""

import argparse
import sys

import numpy as np
from tqdm import tqdm

from enet_ros.benchmark.candidates import engine_candidates, plain_pytorch, unavailable_engines
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import Run
from enet_ros.data.datasets import open_dataset
from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.images.postprocess import scale_labels
from enet_ros.images.preprocess import network_input
from enet_ros.models import checkpoint

MIN_AGREEMENT = {'float32': 0.9999, 'bfloat16': 0.99, 'float16': 0.99}
MAX_POINTS = 0.3  # difference of mean IoU in percent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help="CamVid's folder")
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--engines', default='', help='names, separated by commas; empty: all')
    parser.add_argument('--frames', type=int, help='maximum number of frames')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads; 0: one per core')
    options = parser.parse_args()
    try:
        return compare(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1


def compare(options: argparse.Namespace) -> int:
    """Print the table; return the exit code."""
    network, spec = checkpoint.load(options.model)
    frames = open_dataset('camvid', options.root).splits['val']
    count = min(len(frames), options.frames or len(frames))
    reference = plain_pytorch()
    runs: dict[str, Run] = {}
    names = [name for name in options.engines.split(',') if name]
    candidates = [reference, *engine_candidates(names)]
    for candidate in candidates:
        try:
            run = candidate.load(network, spec, spec.width, spec.height, options.threads)
            run(np.zeros((spec.height, spec.width, 3), np.uint8))
            runs[candidate.name] = run
        except BadInput as error:
            print(f'skipped: {candidate.name}: {error}')
    for name, reason in unavailable_engines(network, spec).items():
        print(f'skipped: {name}: {reason}')

    equal = dict.fromkeys(runs, 0)
    matrices = {name: ConfusionMatrix(len(spec.labels)) for name in runs}
    for index in tqdm(range(count), 'compare', unit='frame', disable=None):
        image, truth = frames[index]
        image = network_input(image, spec.width, spec.height)
        height, width = truth.shape
        expected = runs[reference.name](image)
        for name, run in runs.items():
            labels = run(image)
            equal[name] += int((labels == expected).sum())
            matrices[name].add(truth, scale_labels(labels, width, height))

    versions = ', '.join(f'{name} {version}' for name, version in
                         describe_machine()['versions'].items())
    print(f'\n{options.model}, {count} frames of CamVid val at {spec.width}x{spec.height}; '
          f'{versions}')
    print('\n| | labels equal to PyTorch float32 | mIoU | difference, points | targets met |\n'
          '|---|---:|---:|---:|---|')
    base, missed = matrices[reference.name].mean_iou(), False
    for name, matrix in matrices.items():
        share = equal[name] / (count * spec.width * spec.height)
        points = 100 * (matrix.mean_iou() - base)
        required = next((limit for precision, limit in MIN_AGREEMENT.items()
                         if precision in name), 1.0)
        met = share >= required and abs(points) <= MAX_POINTS
        missed |= not met
        print(f'| {name} | {100 * share:.4f} % | {matrix.mean_iou():.4f} | {points:+.3f} | '
              f'{"yes" if met else "**no**"} |')
    return int(missed)


if __name__ == '__main__':
    sys.exit(main())
