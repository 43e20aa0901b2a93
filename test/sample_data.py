"""Small data sets in their layouts on disk, for tests."""

import cv2
import numpy as np

from enet_ros.data.streets import SyntheticFrames
from enet_ros.labels import UNLABELED


def write(path, image):
    """Write an image (BGR if it has three channels) and the folders above it; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def make_camvid(root, train=4, val=2, size=(64, 48)):
    """Write a tree in CamVid's layout from synthetic frames; return its path."""
    frames = SyntheticFrames(*size, 7, train + val)
    for index in range(train + val):
        split = 'train' if index < train else 'val'
        image, labels = frames[index]
        write(root / split / f'frame{index}.png', image[:, :, ::-1])
        write(root / f'{split}annot' / f'frame{index}.png',
              np.where(labels == UNLABELED, 11, labels).astype(np.uint8))
    return root


def make_cityscapes(root, size=(64, 32), splits=('train', 'val'), cities=('aachen', 'bremen')):
    """Write a tree in Cityscapes' layout with two cars, one frame per city; return its path."""
    width, height = size
    labels = np.full((height, width), 7, np.uint8)  # road
    labels[:4] = 3  # outside the region of interest
    labels[8:16, 4:12] = labels[8:24, 20:40] = 26  # cars
    instances = labels.astype(np.uint16)
    instances[8:16, 4:12], instances[8:24, 20:40] = 26000, 26001
    for split in splits:
        for number, city in enumerate(cities):
            frame = f'{city}_000000_{number:06d}'
            image = np.full((height, width, 3), (10, 20, 30 + number), np.uint8)
            write(root / 'leftImg8bit' / split / city / f'{frame}_leftImg8bit.png', image)
            truth = root / 'gtFine' / split / city / f'{frame}_gtFine'
            write(truth.with_name(f'{truth.name}_labelIds.png'), labels)
            write(truth.with_name(f'{truth.name}_instanceIds.png'), instances)
    return root


def make_sunrgbd(root, train=3, test=2):
    """Write a tree like the unpacked archives of SUN RGB-D; return its path.

    Each frame has its own size and a single class: in train its number, at most 37; in test 37.
    """
    for split, count, first in (('train', train, 5051), ('test', test, 1)):
        for number in range(1, count + 1):
            shape = 40 + number, 50 + number
            labels = np.full(shape, min(number, 37) if split == 'train' else 37, np.uint8)
            labels[0] = 0
            write(root / f'SUNRGBD-{split}_images' / f'img-{number:06d}.jpg',
                  np.full((*shape, 3), 99, np.uint8))
            write(root / 'sunrgbd_train_test_labels' / f'img-{first + number - 1:06d}.png', labels)
    return root


FOLDER_YAML = """\
name: warehouse
size: [64, 48]
classes:
- {name: floor, color: [128, 64, 128], drivable: true}
- {name: rack, color: [70, 70, 70]}
- {name: person, color: [220, 20, 60]}
void_id: 9
train: {images: images/train, labels: labels/train}
val: {images: images/val, labels: labels/val}
"""


def make_folder(root, text=FOLDER_YAML, colors=False):
    """Write two frames per split and the YAML file that describes them; return its path."""
    labels = np.zeros((48, 64), np.uint8)
    labels[10:20], labels[20:30], labels[30:40] = 1, 2, 9
    bgr = np.zeros((256, 3), np.uint8)
    bgr[:3] = (128, 64, 128), (70, 70, 70), (60, 20, 220)
    for split in ('train', 'val'):
        for name in ('a', 'b'):
            write(root / 'images' / split / f'{name}.jpg', np.full((48, 64, 3), 80, np.uint8))
            write(root / 'labels' / split / f'{name}.png', bgr[labels] if colors else labels)
    file = root / 'warehouse.yaml'
    file.write_text(text)
    return file
