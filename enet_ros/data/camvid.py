"""CamVid in the layout of SegNet's authors: 11 classes."""

from pathlib import Path

import numpy as np

from enet_ros.data.frames import Dataset, FolderFrames, Splits, open_splits
from enet_ros.labels import CAMVID

SIZE = 480, 360  # pixels, width and height
DRIVES = '0001TP', '0006R0', '0016E5'  # of train


def open_camvid(root: Path) -> Dataset:
    """Return CamVid: the folders train, trainannot and so on under `root`."""
    return Dataset('camvid', CAMVID, SIZE, _splits(root))


def open_camvid_drive(root: Path, drive: str) -> Dataset:
    """Return CamVid's train with one drive held out as val.

    The names of the drive's frames start with `drive`.
    """
    name = f'camvid-{drive}'
    train = _splits(root)['train']
    held_out = np.array([frame.startswith(drive) for frame in train.names], bool)
    return Dataset(name, CAMVID, SIZE, Splits(name, {
        'train': train.subset(f'{train.location} without {drive}*', np.flatnonzero(~held_out)),
        'val': train.subset(f'{train.location}/{drive}*', np.flatnonzero(held_out)),
    }, {'test': 'it only divides train'}))


def _splits(root: Path) -> Splits[FolderFrames]:
    paths = {split: root / split for split in ('train', 'val', 'test')}
    return open_splits('camvid', root, paths, lambda _, folder: FolderFrames(folder, CAMVID))
