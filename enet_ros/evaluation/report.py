"""An evaluation as people and programs read it: tables, JSON and pictures."""

import math

from enet_ros.evaluation.confusion_picture import confusion_picture
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize
from enet_ros.json_data import json_text
from enet_ros.paths import OutputFolder

# What each mean is called in the papers.
MEANS = {
    'mean_iou': 'mIoU',
    'mean_accuracy': 'class average accuracy',
    'pixel_accuracy': 'global accuracy',
    'mean_iiou': 'class iIoU',
    'mean_category_iou': 'category IoU',
    'mean_category_iiou': 'category iIoU',
}
CLASS_COLUMNS = {'iou': 'IoU', 'iiou': 'iIoU', 'accuracy': 'accuracy'}
CATEGORY_COLUMNS = {'category_iou': 'IoU', 'category_iiou': 'iIoU'}
SHEET_WIDTH = 1488  # pixels; three pictures of 480


def summary(scores):
    """Return the means in one line, from what `describe` returns."""
    return ', '.join(f'{name} {scores[key]:.4f}' for key, name in MEANS.items() if key in scores)


def tables(scores):
    """Return the scores by class, and by category where there are any, as lines of text."""
    lines = _table('class', CLASS_COLUMNS, scores)
    if 'category_iou' in scores:
        lines += ['', *_table('category', CATEGORY_COLUMNS, scores)]
    return lines


def _table(title, columns, scores):
    columns = {key: heading for key, heading in columns.items() if key in scores}
    names = [*scores[next(iter(columns))], 'mean']
    width = max(map(len, [title, *names]))
    lines = [f'{title:{width}}' + ''.join(f'{heading:>10}' for heading in columns.values())]
    for name in names:
        values = (scores[f'mean_{key}'] if name == 'mean' else scores[key].get(name, math.nan)
                  for key in columns)
        lines.append(f'{name:{width}}' + ''.join(
            f'{"-" if math.isnan(value) else format(value, ".4f"):>10}' for value in values))
    return lines


class ReportFolder(OutputFolder):
    """The folder that an evaluation is written to."""

    def write(self, evaluation, frames, facts, worst):
        """Write report.json, confusion.png and worst_01.png to worst_<worst>.png.

        frames are those that were evaluated. facts is plain data that goes into report.json as
        it is; of it, `model`, `data` and `split` are in the title of confusion.png.
        """
        labels, scores = evaluation.segmenter.labels, evaluation.scores()
        title = f'{facts["model"]} on {facts["data"]} {facts["split"]}, {len(frames)} frames'
        write_sheet(self.path / 'confusion.png', confusion_picture(
            f'{title}: mIoU {scores["mean_iou"]:.4f}', evaluation.matrix, labels))
        pictures = {}
        for place, index in enumerate(evaluation.worst(worst), 1):
            file, name = f'worst_{place:02}.png', frames.names[index]
            pictures[file] = name
            write_sheet(self.path / file, frame_picture(
                f'{name}: mIoU {evaluation.frame_iou[index]:.4f}', evaluation, *frames[index]))
        report = {**facts, 'frames': len(frames), 'scores': scores, 'classes': labels.names,
                  'confusion': evaluation.matrix.counts.tolist(), 'worst': pictures,
                  'frame_iou': dict(zip(frames.names, evaluation.frame_iou))}
        try:
            (self.path / 'report.json').write_text(
                json_text(report, indent=1) + '\n')
        except OSError as error:
            raise self.not_writable(error) from error


def frame_picture(title, evaluation, image, truth):
    """Draw a frame's image, truth and answer side by side, uint8 (H, W, 3) RGB."""
    labels = evaluation.segmenter.labels
    answer = evaluation.answer(image, truth.shape)
    row = [('image', image), ('truth; black is not labelled', colorize(truth, labels.palette())),
           ('answer', colorize(answer, labels.palette()))]
    return contact_sheet(title, [row], labels, SHEET_WIDTH)
