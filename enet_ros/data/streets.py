"""Frames from the synthetic street."""

from torch.utils.data import ConcatDataset

from enet_ros.data.frames import Dataset, Splits
from enet_ros.labels import CAMVID
from enet_ros.synthetic.street import SyntheticStreet

# Seeds: streets to score on start far above those to train on.
TRAIN_STREETS, UNSEEN_STREETS = 1_000, 1_000_000
SIZE = 640, 360
COUNT = 200


def open_streets():
    """Return streets that nothing was trained on, as the data set's val."""
    frames = SyntheticFrames(*SIZE, UNSEEN_STREETS, COUNT)
    return Dataset('streets', CAMVID, SIZE, Splits(
        'streets', {'val': frames},
        {'train': 'a recipe mixes them into other data by its synthetic_share'}))


def training_streets(size, count):
    """Return frames to train a network of a (width, height) on, as (image, labels).

    Half of them are of SIZE: a wide camera's frames are squeezed into the network's shape, and
    it must know them so.
    """
    wide = count // 2
    return ConcatDataset([SyntheticFrames(*size, TRAIN_STREETS, count - wide),
                          SyntheticFrames(*SIZE, TRAIN_STREETS + count, wide)])


class SyntheticFrames:
    """Frames of synthetic streets: a few, far apart, of each seed.

    Items are (image uint8 (H, W, 3) RGB, labels uint8 (H, W)) with CamVid's ids.
    """

    FRAMES_PER_STREET = 8
    FRAMES_APART = 37

    def __init__(self, width, height, first_seed, count):
        self.size = width, height
        self.first_seed = first_seed
        self.count = count
        self.street = self.seed = None

    @property
    def names(self):
        """Return the frames' short names in order."""
        return ['street{}_frame{}'.format(*self._place(index)) for index in range(self.count)]

    def check(self, progress=False):
        """Do nothing: nothing that is drawn can be missing."""

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        seed, number = self._place(index)
        if seed != self.seed:
            self.street, self.seed = SyntheticStreet(*self.size, seed=seed), seed
        frame = self.street.render(number)
        return frame.image, frame.labels

    def _place(self, index):
        """Return the seed of a frame's street and its number on it."""
        street, frame = divmod(index, self.FRAMES_PER_STREET)
        return self.first_seed + street, frame * self.FRAMES_APART
