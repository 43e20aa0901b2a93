"""SUN RGB-D: indoor images with 37 classes."""

import re
from pathlib import Path

import numpy as np

from enet_ros.data.frames import Dataset, Frames, Splits, find_splits
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, list_images
from enet_ros.labels import SUN_RGBD

# Label files are numbered through both splits, test first; images within their split.
FIRST_LABEL = {'train': 5051, 'test': 1}
# Held out are 53 frames in a row out of 530: neighbours often show one room.
BLOCK, BLOCKS_PER_HELD_OUT = 53, 10


def open_sunrgbd(root, held_out=False):
    """Return SUN RGB-D with the labels of the archive sunrgbd_train_test_labels.

    Images are those of SUNRGBD-train_images and SUNRGBD-test_images, also as train and test; or
    those of the original tree SUNRGBD that the lists sunrgbd_training_images.txt and
    sunrgbd_testing_images.txt name. Labels may also be sorted into labels/<split> or
    annotations/<split>. Frames have many sizes. With `held_out`, val is a tenth of train and
    train the rest: the data set itself has no val.
    """
    root = Path(root)
    splits = find_splits(
        'sunrgbd', root, {split: _images(root, split) for split in FIRST_LABEL},
        lambda split, images: SunFrames(root, split, images))
    splits.absent['val'] = 'none is published; sunrgbd-heldout takes a tenth of train for it'
    name = 'sunrgbd'
    if held_out:
        name = 'sunrgbd-heldout'
        train = splits['train']
        block = np.arange(len(train)) // BLOCK
        held = block % BLOCKS_PER_HELD_OUT == BLOCKS_PER_HELD_OUT - 1
        splits = Splits(name, {
            **splits,
            'train': train.subset(f'{train.place} without those held out', np.flatnonzero(~held)),
            'val': train.subset(f'{train.place}, those held out', np.flatnonzero(held)),
        }, splits.absent)
    return Dataset(name, SUN_RGBD, (256, 200), splits)


class SunFrames(Frames):
    """The frames of one split, out of a folder of numbered images or a list of images."""

    def __init__(self, root, split, images):
        if images.suffix == '.txt':
            lines = filter(None, map(str.strip, images.read_text().splitlines()))
            numbered = enumerate((root / line for line in lines), start=1)
        else:
            numbered = ((_number(file), file) for file in list_images(images))
        labels = _first(root / 'sunrgbd_train_test_labels',
                        root / 'sunrgbd-meta-data' / 'sunrgbd_train_test_labels',
                        root / 'labels' / split, root / 'annotations' / split)
        names = ((f'img-{number + FIRST_LABEL[split] - 1:06d}', file) for number, file in numbered)
        super().__init__(images, [(name, file, labels / f'{name}.png') for name, file in names],
                         LabelReader(SUN_RGBD, ids=range(1, len(SUN_RGBD) + 1), void=[0]))


def _images(root, split):
    listed = f'sunrgbd_{split}ing_images.txt'
    return _first(root / f'SUNRGBD-{split}_images', root / split, root / listed,
                  root / 'sunrgbd-meta-data' / listed)


def _first(*paths):
    """Return the first path that exists, else the first."""
    return next((path for path in paths if path.exists()), paths[0])


def _number(file):
    if not (digits := re.search(r'\d+$', file.stem)):
        raise BadInput(f'image {file} has no number, by which its labels are found; name it as '
                       'in the archive, img-000001.jpg')
    return int(digits[0])
