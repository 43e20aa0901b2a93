"""Folders of images without labels."""

from collections.abc import Sequence

import numpy as np

from enet_ros.data.frames import LabeledImage
from enet_ros.errors import BadInput
from enet_ros.images.files import image_files, read_image
from enet_ros.labels import UNLABELED
from enet_ros.paths import user_path


class UnlabeledFrames:
    """The images of folders, all of their pixels void.

    Every image is decoded once: `skipped` has one line for each that cannot be. Raise BadInput if
    a folder does not exist or holds no images, or if no image at all can be decoded.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        files = [file for folder in folders for file in image_files(user_path(folder))]
        self.skipped: list[str] = []
        self.files = []
        for file in files:
            try:
                read_image(file)
            except BadInput as error:
                self.skipped.append(f'skipping an unlabeled frame: {error}')
            else:
                self.files.append(file)
        if files and not self.files:
            raise BadInput(f'no image in {", ".join(folders)} can be decoded; choose another '
                           'folder for --unlabeled')

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> LabeledImage:
        image = read_image(self.files[index])
        return image, np.full(image.shape[:2], UNLABELED, np.uint8)
