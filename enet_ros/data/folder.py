"""Users' own data: folders of images and labels that a YAML file describes."""

from enet_ros.data.frames import Dataset, FolderFrames, find_splits
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader
from enet_ros.labels import file_ids, label_set, read_yaml, refuse_unknown
from enet_ros.paths import user_path

SPLITS = ('train', 'val', 'test')
ENTRIES = ('name', 'size', 'classes', 'void_id', 'root', *SPLITS)


def open_folder(file, root=''):
    """Return the Dataset that a YAML file describes.

    Its entries: name; size [width, height]; classes, each with name, color and, if need be,
    drivable and id (in label files; by default its place); void_id; root; and for train, val and
    test their folders of images and labels. Folders are relative to `root`, else to the entry
    root, else to the file's folder. Label files are PNGs of ids or of the classes' colours.
    """
    file = user_path(file)
    data = read_yaml(file)
    refuse_unknown(data, ENTRIES, file)
    labels = label_set(data, file)
    ids, void = file_ids(data, file)
    root = user_path(root) if root else file.parent / _folder(data, 'root', file, '')
    folders = {split: _folders(data[split], f'{file}, {split}') for split in SPLITS
               if split in data}
    if not folders:
        raise BadInput(f'{file} names no frames; add train and val, each with images and labels')
    reader = LabelReader(labels, ids, [void], colors=True)
    splits = find_splits(
        labels.name, root, {split: root / images for split, (images, _) in folders.items()},
        lambda split, images: FolderFrames(images, labels, root / folders[split][1], reader))
    splits.absent.update((split, f'{file} has no entry {split}') for split in SPLITS
                         if split not in folders)
    return Dataset(labels.name, labels, _size(data, file), splits)


def _folders(entry, where):
    if not isinstance(entry, dict):
        raise BadInput(f'{where} is {entry!r}; it must hold images and labels, a folder each')
    refuse_unknown(entry, ('images', 'labels'), where)
    images, labels = (_folder(entry, key, where) for key in ('images', 'labels'))
    if images == labels:
        raise BadInput(f'{where}: images and labels are in one folder, {images}; move the labels '
                       'to another')
    return images, labels


def _folder(entries, key, where, default=None):
    folder = entries.get(key, default)
    if not isinstance(folder, str):
        raise BadInput(f'{where}: {key} is {folder!r}; it must name a folder')
    return user_path(folder)


def _size(data, file):
    size = data.get('size')
    if not (isinstance(size, list) and len(size) == 2
            and all(type(length) is int and length >= 32 for length in size)):
        raise BadInput(f'{file}: size is {size!r}; it must be [width, height] in pixels, '
                       'at least 32 each, such as [640, 480]')
    return tuple(size)
