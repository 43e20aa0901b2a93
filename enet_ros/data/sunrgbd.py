"""SUN RGB-D: indoor images with 37 classes."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from enet_ros.data.frames import Dataset, FileFrames, FrameFiles, Splits, open_splits
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, list_images
from enet_ros.labels import SUN_RGBD

SIZE = 256, 200  # pixels, width and height
# Label files are numbered through both splits, test first; images within their split.
FIRST_LABEL = {'train': 5051, 'test': 1}
# Frames are held out in blocks, because consecutive frames often show the same room: the last of
# every ten blocks.
BLOCK_FRAMES, BLOCKS_PER_HELD_OUT = 53, 10


def open_sunrgbd(root: Path) -> Dataset:
    """Return SUN RGB-D with the labels of the archive sunrgbd_train_test_labels.

    Images are those of SUNRGBD-train_images and SUNRGBD-test_images, also under the names train
    and test; or those of the original tree SUNRGBD that the lists sunrgbd_training_images.txt
    and sunrgbd_testing_images.txt name. Labels may also be sorted into labels/<split> or
    annotations/<split>. Frames have many sizes. The data set has no val.
    """
    return Dataset('sunrgbd', SUN_RGBD, SIZE, _splits(root))


def open_sunrgbd_held_out(root: Path) -> Dataset:
    """Return SUN RGB-D, as open_sunrgbd, with a tenth of train held out as val."""
    name = 'sunrgbd-heldout'
    splits = _splits(root)
    train = splits['train']
    block = np.arange(len(train)) // BLOCK_FRAMES
    held_out = block % BLOCKS_PER_HELD_OUT == BLOCKS_PER_HELD_OUT - 1
    return Dataset(name, SUN_RGBD, SIZE, Splits(name, {
        **splits,
        'train': train.subset(f'{train.location} without those held out',
                              np.flatnonzero(~held_out)),
        'val': train.subset(f'{train.location}, those held out', np.flatnonzero(held_out)),
    }, splits.missing))


class SunRgbdFrames(FileFrames):
    """The frames of one split.

    images is a folder of numbered images, or a text file that lists images relative to `root`,
    one a line.
    """

    def __init__(self, root: Path, split: str, images: Path) -> None:
        labels = _first_existing(root / 'sunrgbd_train_test_labels',
                                 root / 'sunrgbd-meta-data' / 'sunrgbd_train_test_labels',
                                 root / 'labels' / split, root / 'annotations' / split)
        files = []
        for number, image in _numbered_images(root, images):
            name = f'img-{number + FIRST_LABEL[split] - 1:06d}'
            files.append(FrameFiles(name, image, labels / f'{name}.png'))
        super().__init__(str(images), files,
                         LabelReader(SUN_RGBD, ids=range(1, len(SUN_RGBD) + 1), void=[0]))


def _splits(root: Path) -> Splits[SunRgbdFrames]:
    splits = open_splits('sunrgbd', root, {split: _images(root, split) for split in FIRST_LABEL},
                         lambda split, images: SunRgbdFrames(root, split, images))
    splits.missing['val'] = 'none is published; sunrgbd-heldout holds out a tenth of train for it'
    return splits


def _images(root: Path, split: str) -> Path:
    """Return the folder or list of a split's images."""
    listed = f'sunrgbd_{split}ing_images.txt'
    return _first_existing(root / f'SUNRGBD-{split}_images', root / split, root / listed,
                           root / 'sunrgbd-meta-data' / listed)


def _first_existing(*paths: Path) -> Path:
    """Return the first path that exists, or else the first."""
    return next((path for path in paths if path.exists()), paths[0])


def _numbered_images(root: Path, images: Path) -> Iterable[tuple[int, Path]]:
    """Return the images of a folder or list with their numbers, which count from 1."""
    if images.suffix == '.txt':
        lines = filter(None, map(str.strip, images.read_text().splitlines()))
        return enumerate((root / line for line in lines), start=1)
    return ((_number(image), image) for image in list_images(images))


def _number(image: Path) -> int:
    if not (digits := re.search(r'\d+$', image.stem)):
        raise BadInput(f'image {image} has no number, which is needed to find its labels; name it '
                       'as in the archive, img-000001.jpg')
    return int(digits[0])
