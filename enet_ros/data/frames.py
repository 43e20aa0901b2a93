"""Labelled frames on disk: a data set, its splits, and the frames of a split."""

import copy
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, list_images, read_image
from enet_ros.images.postprocess import scale_labels
from enet_ros.images.preprocess import network_input
from enet_ros.labels import LabelSet


@dataclass(frozen=True)
class Dataset:
    """A data set: its classes, the (width, height) at which it is used, Frames by split name."""

    name: str
    labels: LabelSet
    size: tuple
    splits: dict


class Splits(dict):
    """Frames by the name of their split; asking for one that is absent says why it is."""

    def __init__(self, data, frames, absent):
        super().__init__(frames)
        self.data, self.absent = data, absent  # absent: split name -> reason

    def __missing__(self, split):
        reason = f': {self.absent[split]}' if split in self.absent else ''
        raise BadInput(f'{self.data} has no split {split!r}{reason}; it has {", ".join(self)}')


def find_splits(data, root, places, frames_of):
    """Return the Splits whose place, a file or folder, exists: frames_of(split, place) of each.

    Raise BadInput where there are none.
    """
    there = {split: place for split, place in places.items() if place.exists()}
    absent = {split: f'{place} does not exist' for split, place in places.items()
              if split not in there}
    if not there:
        raise BadInput(f'{root} does not hold {data}: {", ".join(absent.values())}; give the '
                       'folder that holds one of them')
    return Splits(data, {split: frames_of(split, place) for split, place in there.items()}, absent)


class Frames:
    """Labelled images on disk, read when they are asked for.

    Items are (image uint8 (H, W, 3) RGB, labels uint8 (H, W) class ids, UNLABELLED for void), at
    the size that they have on disk. place says where they lie, files has (name, image path,
    label path) of each, read_labels is a LabelReader.
    """

    def __init__(self, place, files, read_labels):
        self.place, self.files, self.read_labels = place, list(files), read_labels

    @property
    def names(self):
        """Return the frames' short names in order."""
        return [name for name, _, _ in self.files]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        _, image_file, label_file = self.files[index]
        image, labels = read_image(image_file), self.read_labels(label_file)
        if image.shape[:2] != labels.shape:
            raise BadInput(f'{image_file} is {image.shape[1]}x{image.shape[0]} but its labels '
                           f'{label_file} are {labels.shape[1]}x{labels.shape[0]}; '
                           'make them one size')
        return image, labels

    def subset(self, place, indices):
        """Return Frames of the same kind with the frames at `indices` alone."""
        chosen = copy.copy(self)
        chosen.place, chosen.files = place, [self.files[i] for i in indices]
        return chosen

    def check(self, progress=False):
        """Read every frame once and return the pixels of each class, int64 (classes,).

        Missing files are found before anything is read. Raise BadInput, which names the file and
        the remedy, for those, for what cannot be used, and where no pixel has a class.
        """
        if not self.files:
            raise BadInput(f'there are no images at {self.place}; put them there, or take '
                           'another split')
        by_name = {}
        for name, image_file, label_file in self.files:
            if (other := by_name.setdefault(name, image_file)) is not image_file:
                raise BadInput(f'{other} and {image_file.name} have one name but for their '
                               'endings; rename one')
            if not image_file.is_file():
                raise BadInput(f'image {image_file} is missing; add it or remove its labels')
            if not label_file.is_file():
                raise BadInput(f'label file {label_file} is missing; add it or remove its image '
                               f'{image_file}')
        pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        try:  # decoding lets other threads run
            counts = sum(tqdm(
                pool.map(self._count, range(len(self))), f'check {self.place}', len(self),
                unit='frame', leave=False, disable=None if progress else True))
        finally:
            pool.shutdown(cancel_futures=True)
        if not counts.any():
            raise BadInput(f'no pixel of the labels for {self.place} has a class; take another '
                           'split (test labels are often withheld)')
        return counts

    def _count(self, index):
        classes = len(self.read_labels.labels)
        return np.bincount(self[index][1].ravel(), minlength=256)[:classes]


class FolderFrames(Frames):
    """Images of one folder with the label PNGs of another, matched by file stem.

    The labels are in `<folder>annot` beside the images, unless `annotations` names their folder.
    """

    def __init__(self, folder, labels, annotations=None, read_labels=None):
        folder = Path(folder)
        annotations = Path(annotations or folder.with_name(folder.name + 'annot'))
        super().__init__(folder, [(file.stem, file, annotations / f'{file.stem}.png')
                                  for file in list_images(folder)],
                         read_labels or LabelReader(labels))


class ResizedFrames:
    """Frames brought to one size, (width, height): images averaged, labels by nearest pixel."""

    def __init__(self, frames, size):
        self.frames, self.size = frames, size

    @property
    def names(self):
        """Return the frames' short names in order."""
        return self.frames.names

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        image, labels = self.frames[index]
        return network_input(image, *self.size), scale_labels(labels, *self.size)
