"""The training steps: optimizer, learning rate schedule and averaged weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from enet_ros.errors import BadInput
from enet_ros.models.network import Network
from enet_ros.training.loss import class_weights
from enet_ros.training.objective import (
    EncoderNetwork,
    Objective,
    TrainingModel,
    disable_dropout,
)
from enet_ros.training.run_setup import RunSetup
from enet_ros.training.samples import TrainingSamples
from enet_ros.training.schedule import learning_rate_factor
from enet_ros.training.training_log import Row

OPTIMIZERS = {'adamw': torch.optim.AdamW, 'adam': torch.optim.Adam}


class Trainer:
    """Trains the network of a RunSetup on batches of TrainingSamples.

    class_pixels are the labeled pixels of each class in all real frames, (classes,). `step` is
    the number of steps so far.
    """

    def __init__(self, setup: RunSetup, samples: TrainingSamples,
                 class_pixels: NDArray[np.int64]) -> None:
        fabric, config, recipe, spec = setup.fabric, setup.config, setup.recipe, setup.spec
        self.fabric, self.recipe, self.samples = fabric, recipe, samples
        self.seed = config.seed
        self.step = 0
        self.encoder_steps = samples.steps_of(recipe.encoder_epochs)  # of the first stage

        if not recipe.dropout:
            disable_dropout(setup.network)
        self.model = TrainingModel(setup.network)
        weights = class_weights(class_pixels, recipe.class_weight_offset)
        taught_classes = setup.teacher.mapping.covered if setup.teacher else ()
        objective = Objective(self.model, spec.mean, spec.std, weights, recipe, taught_classes)
        convert_conv2d_weight_memory_format(objective, torch.channels_last)
        self.average = AveragedModel(
            self.model, multi_avg_fn=_moving_average(recipe.average_decay), use_buffers=True)
        self.average.to(fabric.device)
        optimizer = OPTIMIZERS[recipe.optimizer](
            objective.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay,
            fused=True)
        self.schedule = LambdaLR(optimizer, self._learning_rate_factor)
        if config.compile:
            objective.compile()
        self.objective, self.optimizer = fabric.setup(objective, optimizer)

    @property
    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    @property
    def whole_network(self) -> bool:
        """Return whether the decoder has been trained, that is, the second stage has begun."""
        return self.step > self.encoder_steps

    def train_step(self, images: Tensor, labels: Tensor, probabilities: Tensor | None = None
                   ) -> Row:
        """Take one step on this process's part of a batch and return its losses.

        images uint8 (N, H, W, 3), labels int64 (N, H, W); probabilities (N, classes, H, W) of the
        teacher if there is one. The losses are `loss` and, with a teacher, `teacher_loss`, the
        weighted part of it that comes from the teacher. Raise BadInput if the loss is not finite.
        """
        # Seeded by the step, so that dropout in a resumed run is the same.
        torch.manual_seed((self.seed * 1_000_003 + self.step) * 1_009 + self.fabric.global_rank)
        self.objective.train()
        loss, teacher_loss = self.objective(images, labels, self.step >= self.encoder_steps,
                                            probabilities)
        if not torch.isfinite(loss):
            raise BadInput(f'the loss is {loss.item()} at step {self.step}; lower the learning '
                           'rate and choose another --out')
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        self.step += 1
        row = {'loss': float(loss.item())}
        return row if probabilities is None else {**row, 'teacher_loss': float(teacher_loss)}

    def averaged_network(self) -> Network:
        """Return the network with the averaged weights, the same in every process.

        In the first stage it is the encoder with its head, as an EncoderNetwork.
        """
        if self.fabric.world_size > 1:
            # The running statistics differ, because each process normalizes its own samples.
            state = self.fabric.broadcast(self.average.module.state_dict())
            self.average.module.load_state_dict(state)
        model = self.average.module
        assert isinstance(model, TrainingModel)
        if self.whole_network:
            return model.network
        assert model.head is not None  # without a head there is no first stage
        return EncoderNetwork(model.network, model.head)

    def state_dict(self) -> dict[str, Any]:
        """Return all that resuming needs."""
        return {'step': self.step, 'model': self.model.state_dict(),
                'average': self.average.state_dict(), 'optimizer': self.optimizer.state_dict(),
                'schedule': self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.step = state['step']
        self.model.load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.schedule.load_state_dict(state['schedule'])

    def _learning_rate_factor(self, step: int) -> float:
        recipe, epoch = self.recipe, self.samples.epoch_of(step)
        if step < self.encoder_steps:
            return learning_rate_factor(recipe.schedule, epoch, recipe.encoder_epochs)
        return learning_rate_factor(recipe.schedule, epoch - recipe.encoder_epochs, recipe.epochs)


def _moving_average(decay: float) -> Callable[..., None]:
    """Return an update for AveragedModel that follows the weights faster in the first steps."""
    def update(averaged: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
        count = float(updates)
        get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averaged, current, updates)

    return update
