"""Image and label files on disk."""

from pathlib import Path

import cv2
import numpy as np

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELLED

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp')


def read_image(path):
    """Read an image file as RGB, uint8 (H, W, 3); raise BadInput where it is none."""
    image = _read(path, cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_labels(path, labels):
    """Read a label file of class ids, uint8 (H, W), void made UNLABELLED.

    Raise BadInput where the file is no image of one channel or holds ids that `labels` has not.
    """
    ids = _read(path, cv2.IMREAD_UNCHANGED)
    if ids.ndim != 2 or ids.dtype != np.uint8:
        raise BadInput(f'label file {path} is {ids.dtype} of shape {ids.shape}; '
                       'labels are 8-bit images of one channel that hold class ids')
    known = ids < len(labels)
    strange = np.unique(ids[~known & (ids != labels.void_id) & (ids != UNLABELLED)])
    if strange.size:
        raise BadInput(f'label file {path} holds id {strange[0]}; {labels.name} has ids 0 to '
                       f'{len(labels) - 1} and {labels.void_id} for void')
    return np.where(known, ids, np.uint8(UNLABELLED))


def image_files(folder):
    """Return the image files of a folder in order of their names; raise BadInput without any."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f'folder {folder} does not exist; name one that holds images')
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise BadInput(f'folder {folder} holds no images; files ending in '
                       f'{", ".join(IMAGE_SUFFIXES)} are read')
    return files


def label_folder(folder):
    """Return the folder of labels beside a folder of images (`val` -> `valannot`), or None."""
    folder = Path(folder).resolve()
    beside = folder.with_name(folder.name + 'annot')
    return beside if beside.is_dir() else None


def _read(path, flags):
    # imdecode, because imread says nothing of why it failed and warns on the terminal.
    try:
        data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError as error:
        raise BadInput(f'cannot read {path}: {error.strerror}') from error
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # a header that claims an absurd size
        image = None
    if image is None:
        raise BadInput(f'{path} is not an image that can be decoded; replace or remove it')
    return image
