"""Cityscapes with fine annotations: 19 classes, and the instances behind them."""

from pathlib import Path

import numpy as np

from enet_ros.data.frames import Dataset, Frames, find_splits
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, read_pixels
from enet_ros.labels import CITYSCAPES

# The ids in label files that the 19 classes have, in the classes' order; the other ids up to 33
# do not count.
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def open_cityscapes(root):
    """Return Cityscapes: leftImg8bit/<split>/<city> and gtFine/<split>/<city> under `root`.

    Frames are whole, 2048x1024, since that is the size at which results are counted; the network
    runs at half of it.
    """
    root = Path(root)
    return Dataset('cityscapes', CITYSCAPES, (1024, 512), find_splits(
        'cityscapes', root,
        {split: root / 'leftImg8bit' / split for split in ('train', 'val', 'test')},
        lambda split, images: CityscapesFrames(images, root / 'gtFine' / split)))


class CityscapesFrames(Frames):
    """The frames of one split, city by city."""

    def __init__(self, images, annotations):
        suffix = '_leftImg8bit.png'
        names = [(file.parent.name, file.name[:-len(suffix)], file)
                 for file in sorted(images.glob(f'*/*{suffix}'))]
        super().__init__(f'{images}/*/*{suffix}', [
            (name, file, annotations / city / f'{name}_gtFine_labelIds.png')
            for city, name, file in names], LabelReader(CITYSCAPES, LABEL_IDS, range(34)))

    def check_instances(self):
        """Raise BadInput where a frame has no file of instances."""
        for index in range(len(self)):
            if not (file := self._instance_file(index)).is_file():
                raise BadInput(f'instance file {file} is missing; unpack all of '
                               'gtFine_trainvaltest')

    def instances(self, index, shape):
        """Return the instance ids of a frame whose labels are of `shape` (H, W), int32 (H, W).

        A thing that is counted has its label id x 1000 and a number; all else its label id.
        """
        file = self._instance_file(index)
        instances = read_pixels(file)
        if instances.dtype != np.uint16 or instances.shape != shape:
            raise BadInput(f'instance file {file} is {instances.dtype} of shape '
                           f'{instances.shape}; it must be uint16 of shape {shape}, as its '
                           'labels are; unpack gtFine_trainvaltest again')
        return instances.astype(np.int32)

    def _instance_file(self, index):
        labels = self.files[index][2]
        return labels.with_name(labels.name.replace('labelIds', 'instanceIds'))
