"""The sequence of augmented frames of a training run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from enet_ros.config import Recipe
from enet_ros.data.frames import LabeledImages
from enet_ros.errors import BadInput
from enet_ros.training.augmentation import random_crop, random_degradation, random_light
from enet_ros.training.teacher_predictions import TeacherPredictions


@dataclass(frozen=True)
class TeacherData:
    """What a teacher adds to the samples: its predictions, and frames without labels.

    real, unlabeled: the predictions for the real and for the unlabeled frames; without those for
    the real ones, these are learned from their labels alone.
    """

    real: TeacherPredictions | None
    unlabeled_frames: LabeledImages
    unlabeled: TeacherPredictions


class TrainingSamples(Dataset[tuple[NDArray, ...]]):
    """The samples of a run in order, batch by batch.

    Sample n depends only on the seed and n, so a resumed run sees the samples that it would have
    seen without the interruption. The first `synthetic_per_batch` samples of a batch are drawn
    from `synthetic`, the next `unlabeled_per_batch` iterate over the unlabeled frames and the
    others over `real`, each in a new order in each epoch. Items are an RGB image (H, W, 3) and
    labels (H, W), where H and W are the recipe's crop or, if smaller, the frame's own size. With
    a teacher they also have its probabilities (classes, H, W): 0 where it predicts nothing, as
    for synthetic frames. Raise BadInput if a batch has no place for a real frame.
    """

    def __init__(self, real: LabeledImages, synthetic: LabeledImages, recipe: Recipe,
                 seed: int, teacher_data: TeacherData | None = None) -> None:
        self.real, self.synthetic, self.recipe, self.seed = real, synthetic, recipe, seed
        self.teacher_data = teacher_data
        self.synthetic_per_batch = recipe.synthetic_per_batch if len(synthetic) else 0
        self.unlabeled_per_batch = 0
        if teacher_data is not None and len(teacher_data.unlabeled_frames):
            self.unlabeled_per_batch = recipe.unlabeled_per_batch
        self.real_per_batch = (recipe.batch_size - self.synthetic_per_batch
                               - self.unlabeled_per_batch)
        if self.real_per_batch < 1:
            raise BadInput(f'a batch of {recipe.batch_size} has {self.synthetic_per_batch} '
                           f'synthetic and {self.unlabeled_per_batch} unlabeled frames and no '
                           'place for a real one; lower synthetic_share or unlabeled_share, or '
                           'raise batch_size')
        # With few frames the whole network still gets at least one step.
        self.steps = max(self.steps_of(recipe.encoder_epochs + recipe.epochs),
                         self.steps_of(recipe.encoder_epochs) + 1)

    def steps_of(self, epochs: int) -> int:
        """Return the number of steps in `epochs` passes over the real frames."""
        return max(1, epochs * len(self.real) // self.real_per_batch) if epochs else 0

    def epoch_of(self, step: int) -> float:
        """Return the number of passes over the real frames before a step."""
        return step * self.real_per_batch / len(self.real)

    def indices(self, first_step: int, rank: int, processes: int) -> list[int]:
        """Return the indices of the samples of one process from a step on."""
        size = self.recipe.batch_size
        return [step * size + position for step in range(first_step, self.steps)
                for position in range(rank, size, processes)]

    def __len__(self) -> int:
        return self.steps * self.recipe.batch_size

    def __getitem__(self, index: int) -> tuple[NDArray, ...]:
        rng = np.random.default_rng((self.seed, 1, index))
        step, position = divmod(index, self.recipe.batch_size)
        augment = self.recipe.augment
        prediction: NDArray[np.float16] | None = None
        if position < self.synthetic_per_batch:
            augment = augment and self.recipe.augment_synthetic
            image, labels = self.synthetic[int(rng.integers(len(self.synthetic)))]
        elif (position := position - self.synthetic_per_batch) < self.unlabeled_per_batch:
            assert self.teacher_data is not None  # nothing else has unlabeled frames
            number = self._shuffled(step * self.unlabeled_per_batch + position,
                                    len(self.teacher_data.unlabeled_frames), order=3)
            image, labels = self.teacher_data.unlabeled_frames[number]
            prediction = self.teacher_data.unlabeled[number]
        else:
            number = self._shuffled(
                step * self.real_per_batch + position - self.unlabeled_per_batch,
                len(self.real), order=2)
            image, labels = self.real[number]
            if self.teacher_data is not None and self.teacher_data.real is not None:
                prediction = self.teacher_data.real[number]
        height, width = labels.shape
        crop = self.recipe.crop
        size = (min(crop, height), min(crop, width)) if crop else (height, width)
        if augment or crop:
            part = random_crop(labels.shape, size, rng,
                               self.recipe.largest_scale if augment else 1.0, flips=augment)
            image, labels = part.image(image), part.labels(labels)
            prediction = None if prediction is None else part.probabilities(prediction)
        if augment:
            image = random_light(image, rng)
            if rng.random() < self.recipe.degraded_share:
                image = random_degradation(image, rng)
        if self.teacher_data is None:
            return image, labels.astype(np.int64)
        if prediction is None:
            prediction = np.zeros((*labels.shape, self.teacher_data.unlabeled.classes), np.float16)
        probabilities = prediction.transpose(2, 0, 1)  # (classes, H, W)
        return image, labels.astype(np.int64), np.ascontiguousarray(probabilities)

    def _shuffled(self, number: int, count: int, order: int) -> int:
        """Return the index of a frame in an endless sequence of shuffled epochs of `count` frames.

        order distinguishes the sequences of a run.
        """
        epoch, position = divmod(number, count)
        return int(np.random.default_rng((self.seed, order, epoch)).permutation(count)[position])
