"""Labeled images of synthetic streets."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.data.frames import Dataset, JoinedImages, LabeledImage, LabeledImages, Splits
from enet_ros.labels import CAMVID
from enet_ros.synthetic.street import SyntheticStreet

# Seeds of streets. Those to score on are never trained on.
FIRST_TRAINING_SEED, FIRST_UNSEEN_SEED = 1_000, 1_000_000
SIZE = 640, 360  # pixels, width and height
FRAMES = 200


def open_streets() -> Dataset:
    """Return streets that no network was trained on, as the split val."""
    frames = SyntheticFrames(*SIZE, FIRST_UNSEEN_SEED, FRAMES)
    return Dataset('streets', CAMVID, SIZE, Splits(
        'streets', {'val': frames},
        {'train': "a recipe's synthetic_share mixes streets into other data"}))


def training_streets(size: tuple[int, int], count: int) -> LabeledImages:
    """Return `count` frames to train a network of `size` (width, height) on.

    Half of them have SIZE: resizing them squeezes a wide camera's view into the network's aspect
    ratio, and the network must learn that view too.
    """
    wide = count // 2
    return JoinedImages([
        SyntheticFrames(*size, FIRST_TRAINING_SEED, count - wide),
        SyntheticFrames(*SIZE, FIRST_TRAINING_SEED + count, wide)])


class SyntheticFrames:
    """Rendered frames of synthetic streets with CamVid's classes: a few of each seed.

    width and height are in pixels; first_seed is the seed of the first street. camera_height and
    camera_pitch are those of SyntheticStreet.
    """

    FRAMES_PER_STREET = 8
    FRAME_STEP = 37  # frames of the drive between two that are rendered

    def __init__(self, width: int, height: int, first_seed: int, count: int,
                 camera_height: float | None = None, camera_pitch: float | None = None) -> None:
        self.size = width, height
        self.camera_position = camera_height, camera_pitch
        self.first_seed = first_seed
        self.count = count
        self._street: SyntheticStreet | None = None
        self._street_seed = -1

    @property
    def names(self) -> list[str]:
        """Return the frames' short names in order."""
        places = map(self._seed_and_number, range(self.count))
        return [f'street{seed}_frame{number}' for seed, number in places]

    def check(self, progress: bool = False) -> None:
        """Do nothing: rendered frames cannot be missing or damaged."""

    def count_pixels(self, progress: bool = False) -> NDArray[np.int64]:
        """Render every frame and return the pixels of each class, (classes,)."""
        counts = np.zeros(256, np.int64)
        for index in range(len(self)):
            _, labels = self[index]
            counts += np.bincount(labels.ravel(), minlength=256)
        return counts[:len(CAMVID)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> LabeledImage:
        if not 0 <= index < self.count:
            raise IndexError(index)
        seed, number = self._seed_and_number(index)
        if self._street is None or seed != self._street_seed:
            self._street = SyntheticStreet(*self.size, seed, *self.camera_position)
            self._street_seed = seed
        frame = self._street.render(number)
        return frame.image, frame.labels

    def _seed_and_number(self, index: int) -> tuple[int, int]:
        """Return the seed of a frame's street and the frame's number in the drive along it."""
        street, frame = divmod(index, self.FRAMES_PER_STREET)
        return self.first_seed + street, frame * self.FRAME_STEP
