"""What a training run shows of itself: CSV and TensorBoard logs, curves, a sheet of answers."""

import csv
import os

from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize, scale_labels

LOSS_STEPS = 20     # one logged loss is the mean over this many steps
SHOWN_FRAMES = 2    # of each kind


class Progress:
    """The history of a run, and the files that show it.

    In `folder`: metrics.csv, tensorboard/, curves.png and answers.png. Files are written where
    `write` is called, so that processes that share a run leave it to one of them.
    """

    def __init__(self, folder, labels):
        self.folder, self.labels = folder, labels
        self.rows, self.losses = [], []
        self.written = 0   # rows that TensorBoard has
        self.writer = None

    def add_loss(self, step, loss):
        """Take note of the loss of a step."""
        self.losses.append(loss)
        if len(self.losses) == LOSS_STEPS:
            self.rows.append({'step': step, 'loss': sum(self.losses) / LOSS_STEPS})
            self.losses = []

    def add_scores(self, step, rate, scores):
        """Take note of the learning rate and of Scores by the name of the frames."""
        row = {'step': step, 'rate': rate}
        for name, values in scores.items():
            row[f'{name}_mean_iou'] = values.mean_iou
            row[f'{name}_pixel_accuracy'] = values.pixel_accuracy
            row.update({f'{name}_iou_{label}': iou for label, iou in values.iou.items()})
        self.rows.append(row)

    def write(self, segmenter, frames):
        """Write all files; the answers are the segmenter's on the first of `frames` by name."""
        self._write_csv()
        self._write_tensorboard()
        self._write_curves()
        rows = []
        for name, kind in frames.items():
            count = min(SHOWN_FRAMES, len(kind))
            for index in range(count):
                rows.append(self._pictures(segmenter, name, *kind[index * len(kind) // count]))
        write_sheet(self.folder / 'answers.png', contact_sheet(
            f'Step {self.rows[-1]["step"]}', rows, self.labels))

    def _pictures(self, segmenter, name, image, truth):
        answer = segmenter(image, confidence=False).labels
        answer = scale_labels(answer, truth.shape[1], truth.shape[0])
        palette = self.labels.palette()
        return [(name, image), ('truth', colorize(truth, palette)),
                ('answer', colorize(answer, palette))]

    def _write_csv(self):
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        part = self.folder / 'metrics.csv.part'
        with part.open('w', newline='') as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(part, self.folder / 'metrics.csv')

    def _write_tensorboard(self):
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # What a killed process logged after the state that this one went on from is void.
            first = self.rows[self.written]['step'] if self.written else None
            self.writer = SummaryWriter(self.folder / 'tensorboard', purge_step=first)
        for row in self.rows[self.written:]:
            for key, value in row.items():
                if key != 'step':
                    self.writer.add_scalar(key, value, row['step'])
        self.writer.flush()
        self.written = len(self.rows)

    def _write_curves(self):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.5), layout='constrained')
        axes = figure.add_subplot(xlabel='step', ylabel='loss')
        losses = [row for row in self.rows if 'loss' in row]
        axes.plot([row['step'] for row in losses], [row['loss'] for row in losses],
                  color='0.6', label='loss')
        scores = [row for row in self.rows if 'rate' in row]
        iou = axes.twinx()
        iou.set(ylabel='mean IoU', ylim=(0, 1))
        for key in (key for key in scores[-1] if key.endswith('_mean_iou')):
            iou.plot([row['step'] for row in scores], [row[key] for row in scores], marker='.',
                     label=key.removesuffix('_mean_iou'))
        iou.legend(loc='lower right')
        figure.savefig(self.folder / 'curves.png', dpi=100)

    def state_dict(self):
        """Return the history as plain data."""
        return {'rows': self.rows, 'losses': self.losses, 'written': self.written}

    def load_state_dict(self, state):
        """Go on from a history."""
        self.rows, self.losses = state['rows'], state['losses']
        self.written = state['written']
