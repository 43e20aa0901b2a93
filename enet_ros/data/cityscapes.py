"""Cityscapes with fine annotations: 19 classes, and instances."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enet_ros.data.frames import Dataset, FileFrames, FrameFiles, open_splits
from enet_ros.errors import BadInput
from enet_ros.images.files import LabelReader, read_pixels
from enet_ros.labels import CITYSCAPES

# Ids of the 19 classes in label files, in the classes' order. The other ids up to 33 are void.
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def open_cityscapes(root: Path) -> Dataset:
    """Return Cityscapes: leftImg8bit/<split>/<city> and gtFine/<split>/<city> under `root`.

    Frames keep their 2048x1024 pixels, the size at which the benchmark scores; the network runs
    at half of that.
    """
    paths = {split: root / 'leftImg8bit' / split for split in ('train', 'val', 'test')}
    return Dataset('cityscapes', CITYSCAPES, (1024, 512), open_splits(
        'cityscapes', root, paths,
        lambda split, images: CityscapesFrames(images, root / 'gtFine' / split)))


class CityscapesFrames(FileFrames):
    """The frames of one split, city by city."""

    SUFFIX = '_leftImg8bit.png'

    def __init__(self, images: Path, annotations: Path) -> None:
        files = []
        for image in sorted(images.glob(f'*/*{self.SUFFIX}')):
            name = image.name.removesuffix(self.SUFFIX)
            labels = annotations / image.parent.name / f'{name}_gtFine_labelIds.png'
            files.append(FrameFiles(name, image, labels))
        super().__init__(f'{images}/*/*{self.SUFFIX}', files,
                         LabelReader(CITYSCAPES, LABEL_IDS, range(34)))

    def check_instances(self) -> None:
        """Raise BadInput if a frame has no instance file."""
        for index in range(len(self)):
            if not (file := self._instance_file(index)).is_file():
                raise BadInput(f'instance file {file} is missing; unpack all of '
                               'gtFine_trainvaltest')

    def instances(self, index: int, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """Return the instance ids of a frame whose labels have `shape` (H, W), (H, W).

        A pixel of an individually annotated object has 1000 x label id + number, any other pixel
        its label id.
        """
        file = self._instance_file(index)
        instances = read_pixels(file)
        if instances.dtype != np.uint16 or instances.shape != shape:
            raise BadInput(f'instance file {file} is {instances.dtype} of shape '
                           f'{instances.shape}; it must be uint16 of shape {shape}, like its '
                           'labels; unpack gtFine_trainvaltest again')
        return instances.astype(np.int32)

    def _instance_file(self, index: int) -> Path:
        labels = self.files[index].labels
        return labels.with_name(labels.name.replace('labelIds', 'instanceIds'))
