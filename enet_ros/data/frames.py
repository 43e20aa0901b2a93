"""Labeled images of data sets: the data set, its splits, and the images of a split."""

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, NoReturn, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, list_images, read_image
from enet_ros.images.postprocess import scale_labels
from enet_ros.images.preprocess import network_input
from enet_ros.labels import LabelSet

# Image (H, W, 3) RGB; class ids (H, W), UNLABELED for void.
LabeledImage: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class LabeledImages(Protocol):
    """Labeled images by index, such as a list of them or Frames."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> LabeledImage: ...


class Frames(LabeledImages, Protocol):
    """The labeled images of a split, each at its own size."""

    @property
    def names(self) -> list[str]:
        """Return the frames' short names in order."""

    def check(self, progress: bool = False) -> None:
        """Raise BadInput if any frame cannot be used; show a progress bar if `progress`."""

    def count_pixels(self, progress: bool = False) -> NDArray[np.int64]:
        """Check every frame and return the pixels of each class, (classes,)."""


FramesT = TypeVar('FramesT', bound=Frames)


class Splits(dict[str, FramesT], Generic[FramesT]):
    """Frames by the name of their split. Indexing with a missing name raises BadInput.

    dataset is the data set's name; missing maps the name of an absent split to the reason.
    """

    def __init__(self, dataset: str, frames: Mapping[str, FramesT],
                 missing: Mapping[str, str]) -> None:
        super().__init__(frames)
        self.dataset = dataset
        self.missing = dict(missing)

    def __missing__(self, split: str) -> NoReturn:
        reason = f': {self.missing[split]}' if split in self.missing else ''
        raise BadInput(f'{self.dataset} has no split {split!r}{reason}; it has {", ".join(self)}')


@dataclass(frozen=True)
class Dataset:
    """A data set: its classes, the (width, height) at which networks run on it, and its splits."""

    name: str
    labels: LabelSet
    size: tuple[int, int]
    splits: Mapping[str, Frames]


def open_splits(dataset: str, root: Path, paths: Mapping[str, Path],
                open_split: Callable[[str, Path], FramesT]) -> Splits[FramesT]:
    """Return the Splits whose path exists, each opened by open_split(split, path).

    Raise BadInput if none exists.
    """
    existing = {split: path for split, path in paths.items() if path.exists()}
    missing = {split: f'{path} does not exist' for split, path in paths.items()
               if split not in existing}
    if not existing:
        raise BadInput(f'{root} does not hold {dataset}: {", ".join(missing.values())}; give the '
                       'folder that holds one of them')
    frames = {split: open_split(split, path) for split, path in existing.items()}
    return Splits(dataset, frames, missing)


class FrameFiles(NamedTuple):
    """The files of one frame and its short name."""

    name: str
    image: Path
    labels: Path


class FileFrames(Frames):
    """Frames read from disk when they are indexed.

    location describes in error messages where the files are; read_labels decodes label files.
    """

    def __init__(self, location: str, files: Iterable[FrameFiles],
                 read_labels: LabelReader) -> None:
        self.location = location
        self.files = list(files)
        self.read_labels = read_labels

    @property
    def names(self) -> list[str]:
        """Return the frames' short names in order."""
        return [file.name for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> LabeledImage:
        _, image_file, label_file = self.files[index]
        image, labels = read_image(image_file), self.read_labels(label_file)
        if image.shape[:2] != labels.shape:
            raise BadInput(f'{image_file} is {image.shape[1]}x{image.shape[0]} but its labels '
                           f'{label_file} are {labels.shape[1]}x{labels.shape[0]}; '
                           'make them one size')
        return image, labels

    def subset(self, location: str, indices: Iterable[int]) -> 'FileFrames':
        """Return the frames at `indices`."""
        chosen = copy.copy(self)
        chosen.location = location
        chosen.files = [self.files[index] for index in indices]
        return chosen

    def check(self, progress: bool = False) -> None:
        """Read every frame once; raise BadInput, which names the file, if one cannot be used."""
        self.count_pixels(progress)

    def count_pixels(self, progress: bool = False) -> NDArray[np.int64]:
        """Read every frame once and return the pixels of each class, (classes,).

        Missing files are found before any file is read. Raise BadInput, which names the file, if
        one is missing or cannot be used, and if no pixel has a class.
        """
        self._check_files()
        threads = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        try:  # decoding releases the GIL
            counts = sum(tqdm(
                threads.map(self._count_frame, range(len(self))), f'check {self.location}',
                len(self), unit='frame', leave=False, disable=None if progress else True),
                start=np.zeros(len(self.read_labels.labels), np.int64))
        finally:
            threads.shutdown(cancel_futures=True)
        if not counts.any():
            raise BadInput(f'no pixel of the labels for {self.location} has a class; choose '
                           'another split (test labels are often withheld)')
        return counts

    def _check_files(self) -> None:
        """Raise BadInput for no files, missing files and images of the same name."""
        if not self.files:
            raise BadInput(f'there are no images at {self.location}; put them there, or choose '
                           'another split')
        image_by_name: dict[str, Path] = {}
        for name, image, labels in self.files:
            if (other := image_by_name.setdefault(name, image)) is not image:
                raise BadInput(f'{other} and {image.name} have the same name except for the '
                               'suffix; rename one')
            if not image.is_file():
                raise BadInput(f'image {image} is missing; add it or remove its labels')
            if not labels.is_file():
                raise BadInput(f'label file {labels} is missing; add it or remove its image '
                               f'{image}')

    def _count_frame(self, index: int) -> NDArray[np.int64]:
        _, labels = self[index]
        return np.bincount(labels.ravel(), minlength=256)[:len(self.read_labels.labels)]


class FolderFrames(FileFrames):
    """Images of one folder with the label PNGs of another, matched by file stem.

    annotations is the folder of the labels, by default `<folder>annot` beside the images.
    read_labels decodes them, by default as ids of `labels`.
    """

    def __init__(self, folder: Path, labels: LabelSet, annotations: Path | None = None,
                 read_labels: LabelReader | None = None) -> None:
        if annotations is None:
            annotations = folder.with_name(f'{folder.name}annot')
        super().__init__(
            str(folder),
            [FrameFiles(image.stem, image, annotations / f'{image.stem}.png')
             for image in list_images(folder)],
            read_labels or LabelReader(labels))


class ResizedFrames:
    """Labeled images resized to (width, height): images by area, labels by nearest pixel."""

    def __init__(self, frames: LabeledImages, size: tuple[int, int]) -> None:
        self.frames, self.size = frames, size

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> LabeledImage:
        image, labels = self.frames[index]
        return network_input(image, *self.size), scale_labels(labels, *self.size)


class JoinedImages:
    """The labeled images of several sequences, one sequence after another."""

    def __init__(self, parts: Sequence[LabeledImages]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, index: int, /) -> LabeledImage:
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)
