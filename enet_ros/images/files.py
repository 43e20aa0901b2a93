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


def read_pixels(path):
    """Read an image file as it is stored, its channels in BGR order; BadInput where it is none."""
    return _read(path, cv2.IMREAD_UNCHANGED)


def read_labels(path, labels):
    """Read a label file of class ids, uint8 (H, W), void made UNLABELLED.

    Raise BadInput where the file is no image of one channel or holds ids that `labels` has not.
    """
    return LabelReader(labels)(path)


class LabelReader:
    """Reads the label files of a data set: path -> class ids, uint8 (H, W), UNLABELLED for void.

    ids are the classes' ids in the files, by default their places in the label set; void are
    the ids that mean no class, beside 255. With `colors`, files of three channels are read by
    the classes' colours, black being void unless a class has it; an indexed PNG counts as one.
    Raise BadInput for all that is neither class nor void.
    """

    def __init__(self, labels, ids=None, void=None, colors=False):
        self.labels, self.colors = labels, colors
        self.table = np.full(256, -1, np.int16)
        self.table[[UNLABELLED, *([labels.void_id] if void is None else void)]] = UNLABELLED
        self.table[range(len(labels)) if ids is None else list(ids)] = range(len(labels))

    def __call__(self, path):
        image = read_pixels(path)
        if image.dtype == np.uint8 and image.ndim == 2:
            return self._from_ids(image, path)
        if image.dtype == np.uint8 and image.shape[2] == 3 and self.colors:
            return self._from_colors(image, path)
        raise BadInput(f'label file {path} is {image.dtype} of shape {image.shape}; labels are '
                       '8-bit images of one channel that hold class ids'
                       + ", or of three in the classes' colours" * self.colors)

    def _from_ids(self, ids, path):
        if _is_scaled(path):
            raise BadInput(f'label file {path} has fewer than 8 bits a pixel, which leaves open '
                           'what ids are meant; save it as an 8-bit PNG')
        classes = self.table[ids]
        if (strange := ids[classes < 0]).size:
            raise BadInput(f'label file {path} holds id {strange.min()}; {self.labels.name} has '
                           f'the ids {_ranges(np.flatnonzero(self.table >= 0))}')
        return classes.astype(np.uint8)

    def _from_colors(self, image, path):
        known = {(0, 0, 0): UNLABELLED}
        known.update((label.color, i) for i, label in enumerate(self.labels.classes))
        codes = _color_codes(np.array(list(known)))
        order = np.argsort(codes)
        pixels = _color_codes(image[..., ::-1])                               # (H, W)
        places = order[np.searchsorted(codes, pixels, sorter=order).clip(max=len(codes) - 1)]
        strange = codes[places] != pixels
        if strange.any():
            y, x = np.argwhere(strange)[0]
            raise BadInput(f'label file {path} has colour {image[y, x, ::-1].tolist()} at x {x}, '
                           f'y {y}, which is no class of {self.labels.name}; add the class, or '
                           'make the pixels black (void); ids belong in a grey PNG, neither RGB '
                           'nor indexed')
        return np.array(list(known.values()), np.uint8)[places]


def image_files(folder):
    """Return the image files of a folder in order of their names; raise BadInput without any."""
    files = list_images(folder)
    if not files:
        raise BadInput(f'folder {folder} holds no images; files ending in '
                       f'{", ".join(IMAGE_SUFFIXES)} are read')
    return files


def list_images(folder):
    """Return the image files of a folder, maybe none; raise BadInput where there is no folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f'folder {folder} does not exist; name one that holds images')
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)


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


def _is_scaled(path):
    """Return whether a file is a grey PNG of 1, 2 or 4 bits; decoding stretches those to 0-255."""
    with open(path, 'rb') as file:
        head = file.read(26)
    return head.startswith(b'\x89PNG') and head[24] < 8 and head[25] == 0


def _color_codes(colors):
    """Return one number for each colour: (..., 3) RGB -> int32 (...)."""
    return colors.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _ranges(numbers):
    """Return ascending numbers as text: 0 to 3, 7."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ', '.join(f'{run[0]} to {run[-1]}' if len(run) > 1 else str(run[0]) for run in runs)
