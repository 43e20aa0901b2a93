"""Measure models in bad weather, in bad light, and from other camera positions.

    scripts/run python benchmarks/robustness.py MODEL... --data camvid --root CAMVID

Each corruption of enet_ros/evaluation/corruptions.py is applied to the frames of a split in five
strengths; all models and runs see the same images. Synthetic streets are rendered from other
heights and pitches of the camera. Prints the mean IoU and the expected calibration error as
Markdown tables.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from enet_ros.config import ENGINES
from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import LabeledImage
from enet_ros.data.streets import FIRST_UNSEEN_SEED, SIZE, SyntheticFrames
from enet_ros.errors import BadInput
from enet_ros.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from enet_ros.evaluation.evaluate import Evaluation, require_same_classes
from enet_ros.evaluation.metrics import mean
from enet_ros.labels import CAMVID
from enet_ros.segmenter import Segmenter

HEIGHTS = 0.2, 0.4, 0.7, 1.0, 1.4  # meters
PITCHES = -6, 8, 12, 16, 20  # degrees; positive looks down


class Score(NamedTuple):
    """The scores of one model on some frames."""

    mean_iou: float
    calibration_error: float


Scores = dict[str, Score]  # by model


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('models', nargs='+', metavar='MODEL')
    parser.add_argument('--data', default='camvid', help='as in enet evaluate')
    parser.add_argument('--root', default='', help='folder of the data set')
    parser.add_argument('--split', default='val')
    parser.add_argument('--engine', default='auto', choices=ENGINES)
    parser.add_argument('--frames', type=int, default=0,
                        help='number of frames, evenly spaced (default: all)')
    parser.add_argument('--streets', type=int, default=80,
                        help='number of synthetic frames for each camera position; 0: none')
    options = parser.parse_args()
    try:
        measure(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure(options: argparse.Namespace) -> None:
    """Print the tables."""
    segmenters = {model: Segmenter.load(model, engine=options.engine) for model in options.models}
    dataset = open_dataset(options.data, options.root)
    split = dataset.splits[options.split]
    for model, segmenter in segmenters.items():
        require_same_classes(segmenter.labels, dataset.labels)
        if options.streets:
            require_same_classes(segmenter.labels, CAMVID)
        print(f'{model} on {segmenter.engine.name}, {"x".join(map(str, segmenter.size))}')
    split.check(progress=True)
    count = min(len(split), options.frames or len(split))
    frames = [split[index] for index in np.arange(count) * len(split) // count]
    rows = [[score(segmenters, corrupted(frames, name, strength)) for strength in STRENGTHS]
            for name in tqdm(CORRUPTIONS, 'corruptions', leave=False, disable=None)]
    print_tables(f'{dataset.name} {options.split}, {count} frames, with corruptions of strength '
                 f'{STRENGTHS[0]} to {STRENGTHS[-1]}', STRENGTHS, score(segmenters, frames),
                 dict(zip(CORRUPTIONS, rows)))
    if not options.streets:
        return
    clean = score(segmenters, streets(options.streets))
    by_height = [score(segmenters, streets(options.streets, height, None))
                 for height in tqdm(HEIGHTS, 'heights', leave=False, disable=None)]
    by_pitch = [score(segmenters, streets(options.streets, None, math.radians(pitch)))
                for pitch in tqdm(PITCHES, 'pitches', leave=False, disable=None)]
    title = f'{options.streets} frames of synthetic streets; clean: 1.2 to 1.7 m, 0 to 5 degrees'
    print_tables(f'{title}; camera at other heights in meters', HEIGHTS, clean,
                 {'height': by_height})
    print_tables(f'{title}; camera at other pitches in degrees (positive looks down)', PITCHES,
                 clean, {'pitch': by_pitch})


def score(segmenters: Mapping[str, Segmenter], frames: Iterable[LabeledImage]) -> Scores:
    """Return the scores of each model; every frame is made once."""
    evaluations = {model: Evaluation(segmenter) for model, segmenter in segmenters.items()}
    for image, truth in frames:
        for evaluation in evaluations.values():
            evaluation.add(image, truth)
    return {model: Score(evaluation.matrix.mean_iou(),
                         evaluation.confidence.expected_calibration_error())
            for model, evaluation in evaluations.items()}


def corrupted(frames: Sequence[LabeledImage], name: str, strength: int) -> Iterator[LabeledImage]:
    """Yield the frames with a corruption; the seed is the index of the frame."""
    for index, (image, truth) in enumerate(frames):
        yield corrupt(image, name, strength, index), truth


def streets(count: int, height: float | None = None, pitch: float | None = None
            ) -> Iterator[LabeledImage]:
    """Yield frames of streets that no network was trained on, from a camera position."""
    frames = SyntheticFrames(*SIZE, FIRST_UNSEEN_SEED, count, height, pitch)
    return (frames[index] for index in range(count))


def print_tables(title: str, headings: Sequence[float], clean: Scores,
                 rows: Mapping[str, Sequence[Scores]]) -> None:
    """Print a Markdown table for each kind of score, with a line for each row and model.

    With several rows, the last ones are the means over them.
    """
    for kind, name in enumerate(('mean IoU', 'expected calibration error')):
        print(f'\n{name}, {title}:\n\n| | model | clean |', ' | '.join(map(str, headings)), '|')
        print('|---|---|---:|', '---:|' * len(headings), sep='')
        for model in clean:
            lines = {row: [scores[model][kind] for scores in values]
                     for row, values in rows.items()}
            if len(lines) > 1:
                lines['mean'] = [mean(column) for column in zip(*lines.values())]
            for row, values in lines.items():
                cells = ' | '.join(f'{value:.3f}' for value in (clean[model][kind], *values))
                print(f'| {row} | {model} | {cells} |', flush=True)


if __name__ == '__main__':
    sys.exit(main())
