"""The sizes of the images that an engine takes and of the predictions that it returns."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.config import FILTERS
from enet_ros.errors import BadInput


@dataclass(frozen=True)
class InferenceSpec:
    """Input and output size of an engine, in pixels.

    width, height: size of the input images.
    output_width, output_height: size of labels and confidence; 0 means the input's.
    filter: how predictions get the output size: 'nearest' takes the label of the nearest pixel,
        'linear' interpolates the logits before the arg max.
    """

    width: int
    height: int
    output_width: int = 0
    output_height: int = 0
    filter: str = 'nearest'

    def __post_init__(self) -> None:
        if self.filter not in FILTERS:
            raise BadInput(f'unknown filter {self.filter!r}; choose one of {", ".join(FILTERS)}')
        if self.width < 1 or self.height < 1:
            raise BadInput(f'network size {self.width}x{self.height} is empty; give a width and a '
                           'height of at least 1 pixel')

    @property
    def output_size(self) -> tuple[int, int]:
        """Return (width, height) of labels and confidence."""
        return self.output_width or self.width, self.output_height or self.height

    @property
    def resizes(self) -> bool:
        """Return whether the output size differs from the input size."""
        return self.output_size != (self.width, self.height)

    def nearest_columns_and_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Return the column and row of the input for those of the output.

        None if the filter is not 'nearest', or if the sizes are equal.
        """
        if not self.resizes or self.filter != 'nearest':
            return None
        width, height = self.output_size
        return nearest_indices(self.width, width), nearest_indices(self.height, height)

    def check_image(self, image: NDArray[Any]) -> None:
        """Raise BadInput if an image is not uint8 (height, width, 3)."""
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise BadInput(f'image is {image.dtype} of shape {image.shape}, but the engine was '
                           f'built for uint8 {self.width}x{self.height}; resize the image or '
                           'build another engine')


def nearest_indices(size: int, output_size: int) -> NDArray[np.int64]:
    """Return the index of the input pixel for each output pixel along one axis.

    OpenCV computes them, so that results are equal to those of cv2.resize.
    """
    indices = np.arange(size, dtype=np.float32)[None]
    resized = cv2.resize(indices, (output_size, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    return resized[0].astype(np.int64)
