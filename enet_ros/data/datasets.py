"""The data sets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from enet_ros.data.camvid import DRIVES, open_camvid, open_camvid_drive
from enet_ros.data.cityscapes import open_cityscapes
from enet_ros.data.folder import open_folder
from enet_ros.data.frames import Dataset
from enet_ros.data.streets import open_streets
from enet_ros.data.sunrgbd import open_sunrgbd, open_sunrgbd_held_out
from enet_ros.errors import BadInput
from enet_ros.paths import user_path


@dataclass(frozen=True)
class Entry:
    """How a data set is opened from the folder that holds it; rendered ones need no folder."""

    open: Callable[[Path], Dataset]
    needs_folder: bool = True


DATASETS = {
    'camvid': Entry(open_camvid),
    **{f'camvid-{drive}': Entry(partial(open_camvid_drive, drive=drive)) for drive in DRIVES},
    'cityscapes': Entry(open_cityscapes),
    'sunrgbd': Entry(open_sunrgbd),
    'sunrgbd-heldout': Entry(open_sunrgbd_held_out),
    'streets': Entry(lambda _: open_streets(), needs_folder=False),
}


def open_dataset(data: str | Path, root: str | Path = '') -> Dataset:
    """Open the data set that `data` names; its frames are not read yet.

    data is one of DATASETS or the path of a YAML file that describes folders of images and
    labels. root is the data set's folder; a YAML file can do without. Raise BadInput if there is
    no such data set.
    """
    data = str(data)
    if data.endswith(('.yaml', '.yml')):
        return open_folder(data, root)
    if data not in DATASETS:
        raise BadInput(f'data set {data!r} is not known; choose one of {", ".join(DATASETS)}, or '
                       'give the path of a .yaml file that describes your own')
    entry = DATASETS[data]
    if entry.needs_folder and not root:
        raise BadInput(f'data set {data} needs its folder; give it with --root')
    return entry.open(user_path(root))
