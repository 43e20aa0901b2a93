"""Which augmented frame stands where in a training run."""

import numpy as np
from torch.utils.data import Dataset

from enet_ros.training.augmentation import random_crop, random_light


class TrainingSamples(Dataset):
    """The run's samples, one after the other, batch by batch.

    Sample n depends on the seed and n alone, so a run that resumes at any step sees what it would
    have seen. The first `synthetic_per_batch` samples of a batch come from `synthetic`, the
    others go through `real` in a new order each epoch. Items are (image uint8 (H, W, 3) RGB,
    labels int64 (H, W)), H and W the recipe's crop or, where that is less, the frames' own.
    """

    def __init__(self, real, synthetic, recipe, seed):
        self.real, self.synthetic, self.recipe, self.seed = real, synthetic, recipe, seed
        self.synthetic_per_batch = recipe.synthetic_per_batch if len(synthetic) else 0
        self.real_per_batch = recipe.batch_size - self.synthetic_per_batch
        # However few the frames, the whole network is trained too.
        self.steps = max(self.steps_of(recipe.encoder_epochs + recipe.epochs),
                         self.steps_of(recipe.encoder_epochs) + 1)

    def steps_of(self, epochs):
        """Return how many steps `epochs` passes over the real frames take."""
        return max(1, epochs * len(self.real) // self.real_per_batch) if epochs else 0

    def numbers(self, first_step, rank, ranks):
        """Return the numbers of the samples that one of `ranks` processes takes from a step on."""
        size = self.recipe.batch_size
        return [step * size + place for step in range(first_step, self.steps)
                for place in range(rank, size, ranks)]

    def __len__(self):
        return self.steps * self.recipe.batch_size

    def __getitem__(self, number):
        rng = np.random.default_rng((self.seed, 1, number))
        step, place = divmod(number, self.recipe.batch_size)
        augment = self.recipe.augment
        if place < self.synthetic_per_batch:
            augment = augment and self.recipe.augment_synthetic
            image, labels = self.synthetic[rng.integers(len(self.synthetic))]
        else:
            nth = step * self.real_per_batch + place - self.synthetic_per_batch
            epoch, nth = divmod(nth, len(self.real))
            order = np.random.default_rng((self.seed, 2, epoch)).permutation(len(self.real))
            image, labels = self.real[order[nth]]
        crop = self.recipe.crop
        size = tuple(min(crop, side) for side in labels.shape) if crop else labels.shape
        if augment:
            image, labels = random_crop(image, labels, size, rng, self.recipe.largest_scale)
            image = random_light(image, rng)
        elif crop:
            image, labels = random_crop(image, labels, size, rng, largest_scale=1.0, flips=False)
        return image, labels.astype(np.int64)
