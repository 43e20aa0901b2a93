"""The history of a training run: CSV and TensorBoard logs, curves, and a sheet of predictions."""

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from enet_ros.data.frames import LabeledImages
from enet_ros.errors import BadInput
from enet_ros.evaluation.png import png
from enet_ros.evaluation.scores import Scores
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize, scale_labels
from enet_ros.labels import LabelSet
from enet_ros.paths import write_atomically
from enet_ros.segmenter import Segmenter

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOSS_STEPS = 20     # steps over which a logged loss is averaged
SHOWN_FRAMES = 2    # frames of each kind on the sheet of predictions

Row = dict[str, float]


class LogState(TypedDict):
    """The history as plain data."""

    rows: list[Row]
    losses: list[Row]
    tensorboard_rows: int


class TrainingLog:
    """Collects losses and scores, and writes them into the run's folder.

    The files are metrics.csv, tensorboard/, curves.png and predictions.png. They are written by
    `write`, so that of several processes only one needs to write.
    """

    def __init__(self, folder: Path, labels: LabelSet) -> None:
        self.folder, self.labels = folder, labels
        self.rows: list[Row] = []
        self.losses: list[Row] = []  # since the last row with a loss
        self.tensorboard_rows = 0      # rows that TensorBoard has
        self.tensorboard: SummaryWriter | None = None

    def add_losses(self, step: int, losses: Row) -> None:
        """Add the losses of a step by name, one of them `loss`."""
        self.losses.append(losses)
        if len(self.losses) == LOSS_STEPS:
            means = {name: sum(row[name] for row in self.losses) / LOSS_STEPS for name in losses}
            self.rows.append({'step': step, **means})
            self.losses = []

    def add_scores(self, step: int, learning_rate: float, scores: Mapping[str, Scores]) -> None:
        """Add an evaluation: the Scores by the name of the evaluated frames."""
        row: Row = {'step': step, 'learning_rate': learning_rate}
        for name, values in scores.items():
            row[f'{name}_mean_iou'] = values.mean_iou
            row[f'{name}_pixel_accuracy'] = values.pixel_accuracy
            row.update({f'{name}_iou_{label}': iou for label, iou in values.iou.items()})
        self.rows.append(row)

    def write(self, segmenter: Segmenter, frames: Mapping[str, LabeledImages]) -> None:
        """Write all files; the segmenter predicts a few of the frames for predictions.png.

        Needs at least one evaluation in the log. Raise BadInput if a file cannot be written.
        """
        try:
            self._write_csv()
            self._write_tensorboard()
            self._write_curves()
        except OSError as error:
            raise BadInput(f'cannot write the logs in {self.folder}: {error.strerror}; free disk '
                           'space and rerun the command to resume') from error
        self._write_predictions(segmenter, frames)

    def _write_csv(self) -> None:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        text = StringIO(newline='')
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.folder / 'metrics.csv', text.getvalue().encode())

    def _write_tensorboard(self) -> None:
        new_rows = self.rows[self.tensorboard_rows:]
        if self.tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter

            # Discard what a killed process logged after the state from which this one resumed.
            first_step = int(new_rows[0]['step']) if self.tensorboard_rows else None
            self.tensorboard = SummaryWriter(self.folder / 'tensorboard', purge_step=first_step)
        for row in new_rows:
            for key, value in row.items():
                if key != 'step':
                    self.tensorboard.add_scalar(key, value, row['step'])
        self.tensorboard.flush()
        self.tensorboard_rows = len(self.rows)

    def _write_curves(self) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.5), layout='constrained')
        axes = figure.add_subplot(xlabel='step', ylabel='loss')
        losses = [row for row in self.rows if 'loss' in row]
        axes.plot([row['step'] for row in losses], [row['loss'] for row in losses],
                  color='0.6', label='loss')
        evaluations = [row for row in self.rows if 'learning_rate' in row]
        iou_axes = axes.twinx()
        iou_axes.set(ylabel='mean IoU', ylim=(0, 1))
        for key in (key for key in evaluations[-1] if key.endswith('_mean_iou')):
            iou_axes.plot([row['step'] for row in evaluations], [row[key] for row in evaluations],
                          marker='.', label=key.removesuffix('_mean_iou'))
        iou_axes.legend(loc='lower right')
        write_atomically(self.folder / 'curves.png', png(figure, dpi=100))

    def _write_predictions(self, segmenter: Segmenter,
                           frames: Mapping[str, LabeledImages]) -> None:
        rows = []
        for name, kind in frames.items():
            count = min(SHOWN_FRAMES, len(kind))
            for index in range(count):
                image, truth = kind[index * len(kind) // count]
                rows.append(self._pictures(segmenter, name, image, truth))
        title = f'Step {self.rows[-1]["step"]}'
        write_sheet(self.folder / 'predictions.png', contact_sheet(title, rows, self.labels))

    def _pictures(self, segmenter: Segmenter, name: str, image: NDArray[np.uint8],
                  truth: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
        """Return an image (H, W, 3), its ground truth (H, W) and the prediction, with captions."""
        height, width = truth.shape
        prediction = scale_labels(segmenter(image, confidence=False).labels, width, height)
        palette = self.labels.palette()
        return [(name, image), ('ground truth', colorize(truth, palette)),
                ('prediction', colorize(prediction, palette))]

    def state_dict(self) -> LogState:
        """Return the history as plain data."""
        return {'rows': self.rows, 'losses': self.losses,
                'tensorboard_rows': self.tensorboard_rows}

    def load_state_dict(self, state: LogState) -> None:
        """Continue from a history."""
        self.rows, self.losses = state['rows'], state['losses']
        self.tensorboard_rows = state['tensorboard_rows']
