"""A training run: its evaluations, checkpoints and state."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.data.frames import LabeledImages
from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import evaluate
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.scores import Scores
from enet_ros.models import checkpoint
from enet_ros.models.network import Network
from enet_ros.segmenter import Segmenter
from enet_ros.training.run_setup import RunSetup
from enet_ros.training.run_state import FORMAT_VERSION, RunState, write_state
from enet_ros.training.samples import TrainingSamples
from enet_ros.training.trainer import Trainer
from enet_ros.training.training_log import Row, TrainingLog


class Run:
    """Trains, evaluates and saves; continues from the state of the RunSetup if there is one.

    class_pixels are the labeled pixels of each class in all real frames, (classes,). Raise
    BadInput if the processes of the run would continue from different states.
    """

    def __init__(self, setup: RunSetup, samples: TrainingSamples,
                 class_pixels: NDArray[np.int64]) -> None:
        self.setup, self.fabric = setup, setup.fabric
        self.best_file = setup.folder / 'best.safetensors'
        self.best_score = 0.0
        self.trainer = Trainer(setup, samples, class_pixels)
        self.log = TrainingLog(setup.folder, setup.dataset.labels)
        if setup.state is not None:
            self.best_score = setup.state['best_score']
            self.trainer.load_state_dict(setup.state['trainer'])
            self.log.load_state_dict(setup.state['log'])
            setup.state = None  # frees its memory
        self._require_same_step()

    def train_step(self, images: torch.Tensor, labels: torch.Tensor,
                   probabilities: torch.Tensor | None = None) -> Row:
        """Take one step on this process's part of a batch; log and return its losses by name."""
        losses = self.trainer.train_step(images, labels, probabilities)
        self.log.add_losses(self.trainer.step, losses)
        return losses

    def evaluate(self, frames: Mapping[str, LabeledImages]) -> str:
        """Score the averaged weights on frames by name, save them, and return a line of text.

        The mean IoU on the frames named val decides which weights are the best.
        """
        network = self.trainer.averaged_network()
        segmenter = self.segmenter(network)
        scores = {name: Scores.of(self.confusion_matrix(segmenter, images), segmenter.labels)
                  for name, images in frames.items()}
        score = scores['val'].mean_iou
        if self.fabric.is_global_zero:
            if self.trainer.whole_network:
                self._save_checkpoints(network, scores, is_best=score >= self.best_score)
            self.log.add_scores(self.trainer.step, self.trainer.learning_rate, scores)
            self.log.write(segmenter, frames)
        if self.trainer.whole_network:
            self.best_score = max(self.best_score, score)
        stage = 'whole network' if self.trainer.whole_network else 'encoder'
        means = ', '.join(f'{values.mean_iou:.4f} on {name}' for name, values in scores.items())
        return f'step {self.trainer.step}, {stage}: mIoU {means}'

    def segmenter(self, network: Network) -> Segmenter:
        """Return a Segmenter that runs a network of this run."""
        return Segmenter(network, self.setup.spec, engine='torch',
                         device=self.fabric.device.type, precision='float32')

    def confusion_matrix(self, segmenter: Segmenter, frames: LabeledImages) -> ConfusionMatrix:
        """Return the confusion matrix on frames, of which each process segments its share."""
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        matrix = evaluate(segmenter, (frames[i] for i in range(rank, len(frames), processes)))
        counts = self.fabric.to_device(torch.from_numpy(matrix.counts))
        total = self.fabric.all_reduce(counts, reduce_op='sum')
        assert isinstance(total, torch.Tensor)
        matrix.counts = total.cpu().numpy()
        return matrix

    def save_state(self) -> None:
        """Write all that resuming needs, in one step."""
        if self.fabric.is_global_zero:
            write_state(self.setup.state_file, RunState(
                format_version=FORMAT_VERSION, settings=self.setup.settings,
                best_score=self.best_score, trainer=self.trainer.state_dict(),
                log=self.log.state_dict()))

    def _save_checkpoints(self, network: Network, scores: Mapping[str, Scores],
                          is_best: bool) -> None:
        spec = replace(
            self.setup.spec, training=self.setup.settings,
            metrics={name: values.to_dict() for name, values in scores.items()},
            license=self._license())
        checkpoint.save(self.setup.folder / 'last.safetensors', network, spec)
        if is_best:
            checkpoint.save(self.best_file, network, spec)

    def _license(self) -> str:
        """Return the terms of the weights: those of the data, the teacher and initial weights."""
        name, teacher = self.setup.dataset.name, self.setup.teacher
        if teacher is None:
            terms = f'Trained on {name}; its terms of use apply.'
        else:
            terms = (f'Trained on {name} and taught by {Path(teacher.name).name}; the terms of '
                     'use of both apply.')
        initial = self.setup.spec.license  # of the checkpoint to start from
        if initial.startswith(terms):
            return initial
        return f'{terms} Initial weights: {initial}' if initial else terms

    def _require_same_step(self) -> None:
        gathered = self.fabric.all_gather(torch.tensor(self.trainer.step))
        assert isinstance(gathered, torch.Tensor)
        steps = gathered.flatten().tolist()
        if len(set(steps)) > 1:
            raise BadInput(f'the processes found {self.setup.state_file} at the steps {steps}; '
                           'give them the same --out, a folder that all machines share')
