"""An evaluation as text, JSON and pictures."""

import math
import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from enet_ros.data.frames import Frames
from enet_ros.evaluation.confidence_figure import confidence_figure
from enet_ros.evaluation.confusion_figure import confusion_figure, require_matplotlib
from enet_ros.evaluation.evaluate import Evaluation
from enet_ros.evaluation.metrics import mean
from enet_ros.evaluation.png import png
from enet_ros.evaluation.scores import ScoreByName, Scores
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize
from enet_ros.json_data import json_text
from enet_ros.paths import OutputFolder

SHEET_WIDTH = 1488  # pixels; three pictures of 480


def summary(scores: Scores) -> str:
    """Return the means in one line, by the names that they have in the papers."""
    means = {
        'mIoU': scores.mean_iou,
        'class average accuracy': mean(scores.accuracy.values()),
        'global accuracy': scores.pixel_accuracy,
    }
    if scores.iiou:
        means['class iIoU'] = mean(scores.iiou.values())
    if scores.category_iou:
        means['category IoU'] = mean(scores.category_iou.values())
    if scores.category_iiou:
        means['category iIoU'] = mean(scores.category_iiou.values())
    return ', '.join(f'{name} {value:.4f}' for name, value in means.items())


def tables(scores: Scores) -> list[str]:
    """Return the scores by class, and by category if there are any, as lines of text."""
    lines = _table('class', {'IoU': scores.iou, 'iIoU': scores.iiou, 'accuracy': scores.accuracy})
    if scores.category_iou:
        lines += ['', *_table('category', {'IoU': scores.category_iou,
                                           'iIoU': scores.category_iiou})]
    return lines


def _table(title: str, columns: Mapping[str, ScoreByName]) -> list[str]:
    """Return a row for each name in the first column and one for the means."""
    columns = {heading: scores for heading, scores in columns.items() if scores}
    names = list(next(iter(columns.values())))
    width = max(map(len, [title, *names]))

    def row(name: str, values: list[float]) -> str:
        return f'{name:{width}}' + ''.join(
            f'{"-" if math.isnan(value) else format(value, ".4f"):>10}' for value in values)

    return [
        f'{title:{width}}' + ''.join(f'{heading:>10}' for heading in columns),
        *(row(name, [scores.get(name, math.nan) for scores in columns.values()])
          for name in names),
        row('mean', [mean(scores.values()) for scores in columns.values()]),
    ]


class ReportFolder(OutputFolder):
    """The folder that an evaluation is written to.

    out: path as the user wrote it. Raise BadInput if the folder cannot be created or if
    matplotlib is missing.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        require_matplotlib()
        super().__init__(out)

    def write(self, evaluation: Evaluation, frames: Frames, facts: Mapping[str, object],
              worst: int) -> None:
        """Write report.json, confusion.png, confidence.png and worst_01.png and so on.

        frames are those that were evaluated. facts is plain data that report.json repeats; its
        entries `model`, `data` and `split` are in the titles of the figures. worst: number of
        frames.
        """
        labels, scores = evaluation.segmenter.labels, evaluation.scores()
        title = f'{facts["model"]} on {facts["data"]} {facts["split"]}, {len(frames)} frames'
        figures = {
            'confusion.png': confusion_figure(f'{title}: mIoU {scores.mean_iou:.4f}',
                                              evaluation.matrix, labels),
            'confidence.png': confidence_figure(title, {'confidence': evaluation.confidence})}
        pictures = {}
        for rank, index in enumerate(evaluation.worst(worst), 1):
            file, name = f'worst_{rank:02}.png', frames.names[index]
            pictures[file] = name
            write_sheet(self.path / file, frame_picture(
                f'{name}: mIoU {evaluation.frame_iou[index]:.4f}', evaluation, *frames[index]))
        report = {**facts, 'frames': len(frames), 'scores': scores.to_dict(),
                  'classes': labels.names, 'confusion': evaluation.matrix.counts.tolist(),
                  'expected_calibration_error':
                      evaluation.confidence.expected_calibration_error(),
                  'confidence': evaluation.confidence.counts.tolist(),
                  'worst': pictures, 'frame_iou': dict(zip(frames.names, evaluation.frame_iou))}
        for file, figure in figures.items():
            self.write_bytes(file, png(figure, bbox_inches='tight'))
        self.write_text('report.json', json_text(report, indent=1) + '\n')


def frame_picture(title: str, evaluation: Evaluation, image: NDArray[np.uint8],
                  truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a frame's image, ground truth and prediction side by side, RGB (H, W, 3)."""
    labels = evaluation.segmenter.labels
    prediction, _ = evaluation.predict(image, truth.shape)
    row = [('image', image),
           ('ground truth; black is unlabeled', colorize(truth, labels.palette())),
           ('prediction', colorize(prediction, labels.palette()))]
    return contact_sheet(title, [row], labels, SHEET_WIDTH)
