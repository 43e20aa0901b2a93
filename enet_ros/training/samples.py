"""Which augmented frame stands where in a training run."""

import numpy as np
from torch.utils.data import Dataset

from enet_ros.training.augment import random_crop, random_light


class TrainingSamples(Dataset):
    """The run's samples, one after the other, batch by batch.

    Sample n depends on the seed and n alone, so a run that resumes at any step sees what it would
    have seen. The first `synthetic_per_batch` samples of a batch come from `synthetic`, the
    others go through `real` in a new order each epoch. Items are (image uint8 (crop, crop, 3)
    RGB, labels int64 (crop, crop)).
    """

    def __init__(self, real, synthetic, config):
        self.real, self.synthetic, self.config = real, synthetic, config
        self.real_per_batch = config.batch_size - config.synthetic_per_batch
        self.steps = self.steps_of(config.encoder_epochs + config.epochs)

    def steps_of(self, epochs):
        """Return how many steps `epochs` passes over the real frames take."""
        return epochs * len(self.real) // self.real_per_batch

    def __len__(self):
        return self.steps * self.config.batch_size

    def __getitem__(self, number):
        rng = np.random.default_rng((self.config.seed, 1, number))
        step, place = divmod(number, self.config.batch_size)
        if place < self.config.synthetic_per_batch:
            image, labels = self.synthetic[rng.integers(len(self.synthetic))]
        else:
            nth = step * self.real_per_batch + place - self.config.synthetic_per_batch
            epoch, nth = divmod(nth, len(self.real))
            order = np.random.default_rng((self.config.seed, 2, epoch)).permutation(len(self.real))
            image, labels = self.real[order[nth]]
        image, labels = random_crop(image, labels, (self.config.crop, self.config.crop), rng)
        return random_light(image, rng), labels.astype(np.int64)
