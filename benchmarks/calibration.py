"""Measure the calibration error on other data than the temperature was fitted to.

    scripts/run python benchmarks/calibration.py MODEL --root CAMVID
        --fit camvid camvid-0006R0 --measure camvid-0001TP streets

Fits the temperature of a model to val of each data set after --fit, and prints the expected
calibration error on val of each one after --measure, also without a temperature, as Markdown. The
figure is honest if the model was trained on neither: take a checkpoint of
benchmarks/cross_drive.py and the drive that it excludes.
"""

import argparse
import sys
from dataclasses import replace

from tqdm import tqdm

from enet_ros.config import ENGINES
from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import Dataset, Frames, ResizedFrames
from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import Evaluation, require_same_classes
from enet_ros.evaluation.logits import logits_of
from enet_ros.evaluation.temperature import fit_temperature
from enet_ros.models.loading import AnySpec, load_model
from enet_ros.segmenter import Segmenter

NONE = 'none'  # the name of the temperature 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('model', metavar='MODEL')
    parser.add_argument('--root', default='', help='folder of the data sets')
    parser.add_argument('--fit', nargs='+', default=['camvid'], metavar='DATA',
                        help='data sets as in enet evaluate')
    parser.add_argument('--measure', nargs='+', default=['camvid'], metavar='DATA')
    parser.add_argument('--engine', default='torch', choices=ENGINES)
    options = parser.parse_args()
    try:
        measure(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    network, spec = load_model(options.model)
    size = spec.width, spec.height
    data = {name: val(open_dataset(name, options.root), spec)
            for name in dict.fromkeys(options.fit + options.measure)}
    temperatures = {NONE: 1.0, **{
        name: fit_temperature(logits_of(network, spec), ResizedFrames(data[name], size))
        for name in options.fit}}
    segmenters = {name: Segmenter(network, replace(spec, temperature=temperature),
                                  engine=options.engine)
                  for name, temperature in temperatures.items()}
    errors = {name: calibration_errors(segmenters, data[name]) for name in options.measure}
    print(f'expected calibration error of {options.model} on {segmenters[NONE].engine.name}, '
          f'{"x".join(map(str, size))}:\n')
    print('| fitted to | temperature |', ' | '.join(errors), '|')
    print('|---|---:|', '---:|' * len(errors), sep='')
    for name, temperature in temperatures.items():
        cells = ' | '.join(f'{by_fit[name]:.4f}' for by_fit in errors.values())
        print(f'| {name} | {temperature:.3f} | {cells} |')


def val(dataset: Dataset, spec: AnySpec) -> Frames:
    """Return the frames of val, checked."""
    require_same_classes(spec.labels, dataset.labels)
    frames = dataset.splits['val']
    frames.check(progress=True)
    return frames


def calibration_errors(segmenters: dict[str, Segmenter], frames: Frames) -> dict[str, float]:
    """Return the expected calibration error of each segmenter on frames."""
    evaluations = {name: Evaluation(segmenter) for name, segmenter in segmenters.items()}
    for index in tqdm(range(len(frames)), 'measure', unit='frame', leave=False, disable=None):
        image, truth = frames[index]
        for evaluation in evaluations.values():
            evaluation.add(image, truth)
    return {name: evaluation.confidence.expected_calibration_error()
            for name, evaluation in evaluations.items()}


if __name__ == '__main__':
    sys.exit(main())
