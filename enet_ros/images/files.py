"""Image and label files on disk."""

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.images.image_header import check_size, stated_size
from enet_ros.input_file import read_input
from enet_ros.labels import UNLABELED, LabelSet

MAX_IMAGE_BYTES = 400_000_000  # 50 million pixels of 8 bytes
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp')


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an image file as RGB, uint8 (H, W, 3); raise BadInput if it cannot be decoded.

    An orientation in EXIF is applied, as in the viewers and annotation tools in which label files
    are made. Images of cameras are decoded without it, see `encodings`.
    """
    image = _read(path, cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_pixels(path: str | os.PathLike[str]) -> NDArray[np.uint8 | np.uint16]:
    """Read an image file as it is stored, its channels in BGR order.

    Raise BadInput if it cannot be decoded.
    """
    return _read(path, cv2.IMREAD_UNCHANGED)


def read_labels(path: str | os.PathLike[str], labels: LabelSet) -> NDArray[np.uint8]:
    """Read a label file of class ids, uint8 (H, W), with UNLABELED for void.

    Raise BadInput if the file is not an image of one channel or holds ids that `labels` lacks.
    """
    return LabelReader(labels)(path)


class LabelReader:
    """Reads the label files of a data set: path -> class ids, uint8 (H, W), UNLABELED for void.

    labels: the classes.
    ids: their ids in the files; None: 0, 1, 2 ... in the order of the label set.
    void: the ids without a class; None: the label set's void_id. 255 is always void.
    colors: whether files of three channels may encode the classes by color. Black is void unless
        it is the color of a class. An indexed PNG counts as three channels.

    Reading raises BadInput for pixels that are neither a class nor void.
    """

    def __init__(self, labels: LabelSet, ids: Iterable[int] | None = None,
                 void: Iterable[int] | None = None, colors: bool = False) -> None:
        self.labels, self.colors = labels, colors
        self.table = np.full(256, -1, np.int16)
        self.table[[UNLABELED, *([labels.void_id] if void is None else void)]] = UNLABELED
        self.table[list(range(len(labels)) if ids is None else ids)] = range(len(labels))

    def __call__(self, path: str | os.PathLike[str]) -> NDArray[np.uint8]:
        image = read_pixels(path)
        if image.dtype == np.uint8 and image.ndim == 2:
            return self._from_ids(image, path)
        if image.dtype == np.uint8 and image.shape[2] == 3 and self.colors:
            return self._from_colors(image, path)
        supported = '8-bit images of one channel that hold class ids'
        if self.colors:
            supported += ', or of three channels in the colors of the classes'
        raise BadInput(f'label file {path} is {image.dtype} of shape {image.shape}; labels are '
                       f'{supported}')

    def _from_ids(self, ids: NDArray, path: str | os.PathLike[str]) -> NDArray[np.uint8]:
        """Convert an image of ids, uint8 (H, W)."""
        if _is_packed_gray_png(path):
            raise BadInput(f'label file {path} has fewer than 8 bits per pixel, so its ids are '
                           'ambiguous; save it as an 8-bit PNG')
        classes = self.table[ids]
        if (unknown := ids[classes < 0]).size:
            raise BadInput(f'label file {path} holds id {unknown.min()}; {self.labels.name} has '
                           f'the ids {_ranges(np.flatnonzero(self.table >= 0))}')
        return classes.astype(np.uint8)

    def _from_colors(self, image: NDArray, path: str | os.PathLike[str]) -> NDArray[np.uint8]:
        """Convert an image of colors, uint8 (H, W, 3) BGR."""
        id_of = {(0, 0, 0): UNLABELED}
        id_of.update((label.color, i) for i, label in enumerate(self.labels.classes))
        codes = _color_codes(np.array(list(id_of)))                           # (K,)
        ids, order = np.array(list(id_of.values()), np.uint8), np.argsort(codes)
        classes = np.empty(image.shape[:2], np.uint8)
        for y, row in enumerate(image):  # at once they take 20 bytes for a pixel
            pixels = _color_codes(row[:, ::-1])                               # (W,)
            index = order[np.searchsorted(codes, pixels, sorter=order).clip(max=len(codes) - 1)]
            if (unknown := np.flatnonzero(codes[index] != pixels)).size:
                x = unknown[0]
                raise BadInput(f'label file {path} has color {row[x, ::-1].tolist()} at x {x}, y '
                               f'{y}, which is no class of {self.labels.name}; add the class, or '
                               'make the pixels black (void); class ids need a gray PNG, not RGB '
                               'or indexed')
            classes[y] = ids[index]
        return classes


def image_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files of a folder in order of their names; raise BadInput without any."""
    files = list_images(folder)
    if not files:
        raise BadInput(f'folder {folder} holds no images; supported are '
                       f'{", ".join(IMAGE_SUFFIXES)}')
    return files


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files of a folder in order of their names, possibly none.

    Raise BadInput if the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f'folder {folder} does not exist; name one that holds images')
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)


def label_folder(folder: str | os.PathLike[str]) -> Path | None:
    """Return the folder of labels beside a folder of images (`val` -> `valannot`), or None."""
    folder = Path(folder).resolve()
    labels = folder.with_name(folder.name + 'annot')
    return labels if labels.is_dir() else None


def _read(path: str | os.PathLike[str], flags: int) -> NDArray:
    data = read_input(path, MAX_IMAGE_BYTES, 'an image')
    try:
        size = stated_size(data)
        if size:
            check_size(*size, 'make it smaller')
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error
    # imdecode, because imread does not return the reason for a failure and logs to the terminal.
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if size else None
    except cv2.error:
        image = None
    if image is None:
        raise BadInput(f'{path} is not an image that can be decoded; replace or remove it')
    return image


def _is_packed_gray_png(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is a gray PNG of 1, 2 or 4 bits, which OpenCV scales to 0-255."""
    with open(path, 'rb') as file:
        header = file.read(26)
    return header.startswith(b'\x89PNG') and header[24] < 8 and header[25] == 0


def _color_codes(colors: NDArray) -> NDArray[np.int32]:
    """Return one number for each color: (..., 3) RGB -> int32 (...)."""
    return colors.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _ranges(numbers: NDArray[np.intp]) -> str:
    """Return ascending numbers as text: 0 to 3, 7."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ', '.join(f'{run[0]} to {run[-1]}' if len(run) > 1 else str(run[0]) for run in runs)
