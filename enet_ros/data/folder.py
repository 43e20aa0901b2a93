"""Users' own data: folders of images and labels that a YAML file describes."""

from pathlib import Path
from typing import NamedTuple

from enet_ros.data.frames import Dataset, FolderFrames, open_splits
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader
from enet_ros.label_yaml import label_file_ids, label_set_of
from enet_ros.paths import user_path
from enet_ros.yaml_data import image_size, read_yaml, refuse_unknown

SPLITS = ('train', 'val', 'test')
ENTRIES = ('name', 'size', 'classes', 'void_id', 'root', *SPLITS)


class SplitFolders(NamedTuple):
    """The folders of a split's images and labels, relative to the data set's root."""

    images: Path
    labels: Path


def open_folder(path: str | Path, root: str | Path = '') -> Dataset:
    """Return the Dataset that a YAML file describes.

    Its entries are: name; size [width, height]; classes, each with name, color and optionally
    drivable and id (the id in label files, by default the class's position); void_id; root; and
    for train, val and test their folders of images and labels. Folders are relative to `root`,
    or else to the entry root, or else to the file's folder. Label files are PNGs of ids or of
    the classes' colors. Raise BadInput, which names the entry, for mistakes.
    """
    file = user_path(path)
    data = read_yaml(file)
    refuse_unknown(data, ENTRIES, str(file))
    labels = label_set_of(data, file)
    ids, void = label_file_ids(data, file)
    if root:
        base = user_path(root)
    else:
        base = file.parent / _folder(data.get('root', ''), f'{file}: root')
    folders = {split: _split_folders(data[split], f'{file}, {split}')
               for split in SPLITS if split in data}
    if not folders:
        raise BadInput(f'{file} names no frames; add train and val, each with images and labels')
    reader = LabelReader(labels, ids, [void], colors=True)
    splits = open_splits(
        labels.name, base, {split: base / folders[split].images for split in folders},
        lambda split, images: FolderFrames(images, labels, base / folders[split].labels, reader))
    for split in SPLITS:
        if split not in folders:
            splits.missing[split] = f'{file} has no entry {split}'
    return Dataset(labels.name, labels, image_size(data.get('size'), file), splits)


def _split_folders(entry: object, where: str) -> SplitFolders:
    if not isinstance(entry, dict):
        raise BadInput(f'{where} is {entry!r}; it must hold images and labels, a folder each')
    refuse_unknown(entry, SplitFolders._fields, where)
    folders = SplitFolders(*(_folder(entry.get(key), f'{where}: {key}')
                             for key in SplitFolders._fields))
    if folders.images == folders.labels:
        raise BadInput(f'{where}: images and labels are in the same folder, {folders.images}; '
                       'move the labels to another')
    return folders


def _folder(value: object, where: str) -> Path:
    if not isinstance(value, str):
        raise BadInput(f'{where} is {value!r}; it must name a folder')
    return user_path(value)
