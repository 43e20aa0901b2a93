"""How the bytes of an RGB image become the input of a network of other programs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageInput:
    """The input of a network for one image.

    channels: their order, 'rgb' or 'bgr'. range: value of white, 1 or 255. mean, std: of the
    channels in [0, range], in the network's order. layout: 'NCHW' or 'NHWC'. dtype: 'float32', or
    'uint8' for bytes, which have the range 255, mean 0 and std 1.
    """

    channels: str = 'rgb'
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    range: int = 1
    layout: str = 'NCHW'
    dtype: str = 'float32'

    def array(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the network's input for an RGB image, uint8 (H, W, 3).

        (1, 3, H, W) or, with the layout NHWC, (1, H, W, 3), of the network's dtype.
        """
        if self.channels == 'bgr':
            image = image[..., ::-1]
        axes = (2, 0, 1) if self.layout == 'NCHW' else (0, 1, 2)
        if self.dtype == 'uint8':
            return np.ascontiguousarray(image.transpose(axes)[None])
        x = (image / 255 * self.range - np.array(self.mean)) / np.array(self.std)
        return np.ascontiguousarray(x.transpose(axes)[None], np.float32)

    def shape(self, width: int, height: int) -> list[int]:
        """Return the shape of the network's input for images of width x height pixels."""
        return [1, 3, height, width] if self.layout == 'NCHW' else [1, height, width, 3]
