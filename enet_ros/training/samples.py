"""The sequence of augmented frames of a training run."""

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from enet_ros.config import Recipe
from enet_ros.data.frames import LabeledImages
from enet_ros.training.augmentation import random_crop, random_light


class TrainingSamples(Dataset[tuple[NDArray[np.uint8], NDArray[np.int64]]]):
    """The samples of a run in order, batch by batch.

    Sample n depends only on the seed and n, so a resumed run sees the samples that it would have
    seen without the interruption. The first `synthetic_per_batch` samples of a batch are drawn
    from `synthetic`; the others iterate over `real` in a new order each epoch. Items are an RGB
    image (H, W, 3) and labels (H, W), where H and W are the recipe's crop or, if smaller, the
    frame's own size.
    """

    def __init__(self, real: LabeledImages, synthetic: LabeledImages, recipe: Recipe,
                 seed: int) -> None:
        self.real, self.synthetic, self.recipe, self.seed = real, synthetic, recipe, seed
        self.synthetic_per_batch = recipe.synthetic_per_batch if len(synthetic) else 0
        self.real_per_batch = recipe.batch_size - self.synthetic_per_batch
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

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        rng = np.random.default_rng((self.seed, 1, index))
        step, position = divmod(index, self.recipe.batch_size)
        augment = self.recipe.augment
        if position < self.synthetic_per_batch:
            augment = augment and self.recipe.augment_synthetic
            image, labels = self.synthetic[int(rng.integers(len(self.synthetic)))]
        else:
            image, labels = self._real_frame(
                step * self.real_per_batch + position - self.synthetic_per_batch)
        height, width = labels.shape
        crop = self.recipe.crop
        size = (min(crop, height), min(crop, width)) if crop else (height, width)
        if augment:
            image, labels = random_crop(image, labels, size, rng, self.recipe.largest_scale)
            image = random_light(image, rng)
        elif crop:
            image, labels = random_crop(image, labels, size, rng, largest_scale=1.0, flips=False)
        return image, labels.astype(np.int64)

    def _real_frame(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return a frame of the endless sequence of shuffled epochs."""
        epoch, position = divmod(number, len(self.real))
        order = np.random.default_rng((self.seed, 2, epoch)).permutation(len(self.real))
        return self.real[int(order[position])]
