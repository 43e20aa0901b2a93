"""Cityscapes with fine annotations: 19 classes, and the instances behind them."""

from pathlib import Path

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.image_files import LabelReader, read_pixels
from enet_ros.labels import CITYSCAPES
from enet_ros.training.frames import Dataset, Frames, find_splits

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

    def instances(self, index):
        """Return the instance ids of a frame, int32 (H, W).

        A thing that is counted has its label id x 1000 and a number; all else its label id.
        """
        labels = self.files[index][2]
        file = labels.with_name(labels.name.replace('labelIds', 'instanceIds'))
        if not file.is_file():
            raise BadInput(f'instance file {file} is missing; unpack all of gtFine_trainvaltest')
        instances = read_pixels(file)
        if instances.ndim != 2:
            raise BadInput(f'instance file {file} has {instances.shape[2]} channels; it must '
                           'have one, of 16 bits')
        return instances.astype(np.int32)
