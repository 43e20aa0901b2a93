"""The data sets by name."""

from functools import partial
from pathlib import Path

import numpy as np

from enet_ros.data.cityscapes import open_cityscapes
from enet_ros.data.folder import open_folder
from enet_ros.data.frames import Dataset, FolderFrames, Splits, find_splits
from enet_ros.data.streets import open_streets
from enet_ros.data.sunrgbd import open_sunrgbd
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.paths import user_path


def open_dataset(data, root=''):
    """Return the Dataset that `data` names, its frames not yet read.

    data is one of DATASETS, `streets`, which are drawn, or the path of a YAML file that describes
    folders of images and labels. root is the data set's folder; a YAML file may do without. Raise
    BadInput where there is no such data set.
    """
    data = str(data)
    if data.endswith(('.yaml', '.yml')):
        return open_folder(data, root)
    if data == 'streets':
        return open_streets()
    if data not in DATASETS:
        raise BadInput(f'data set {data!r} is not known; take {", ".join(DATASETS)}, streets or '
                       'the path of a .yaml file that describes your own')
    if not root:
        raise BadInput(f'data set {data} needs its folder; name it with --root')
    return DATASETS[data](user_path(root))


def open_camvid(root, held_out=''):
    """Return CamVid in its SegNet layout: train, trainannot and so on.

    With `held_out`, the start of the names of one drive, val is that drive out of train, and
    train the rest of it.
    """
    root = Path(root)
    splits = find_splits('camvid', root, {split: root / split for split in
                                          ('train', 'val', 'test')},
                         lambda _, folder: FolderFrames(folder, CAMVID))
    name = 'camvid'
    if held_out:
        name = f'camvid-{held_out}'
        train = splits['train']
        held = np.array([frame.startswith(held_out) for frame in train.names], bool)
        splits = Splits(name, {
            'train': train.subset(f'{train.place} without {held_out}*', np.flatnonzero(~held)),
            'val': train.subset(f'{train.place}/{held_out}*', np.flatnonzero(held)),
        }, {'test': 'it only divides train'})
    return Dataset(name, CAMVID, (480, 360), splits)


DATASETS = {
    'camvid': open_camvid,
    'camvid-0001TP': partial(open_camvid, held_out='0001TP'),
    'cityscapes': open_cityscapes,
    'sunrgbd': open_sunrgbd,
    'sunrgbd-heldout': partial(open_sunrgbd, held_out=True),
}
