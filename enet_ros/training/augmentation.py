"""Random changes to training frames."""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.labels import UNLABELED

AnyArray = TypeVar('AnyArray', bound=NDArray)


@dataclass(frozen=True)
class Crop:
    """A part of a frame, scaled and possibly flipped, which all layers of the frame share.

    size: (height, width) in pixels. scale: that of the frame. matrix: affine (2, 3), from pixels
    of the frame to pixels of the crop.
    """

    size: tuple[int, int]
    scale: float
    matrix: NDArray[np.float64]

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the crop of an image (H, W, 3); it is gray outside the frame."""
        if self.scale < 1.0:
            # Without a blur, downsampling would alias.
            image = cv2.GaussianBlur(image, (0, 0), 0.4 / self.scale)
        return self._warp(image, cv2.INTER_LINEAR, (128, 128, 128))

    def labels(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the crop of labels (H, W); they are UNLABELED outside the frame."""
        return self._warp(labels, cv2.INTER_NEAREST, UNLABELED)

    def probabilities(self, probabilities: NDArray[np.float16]) -> NDArray[np.float16]:
        """Return the crop of probabilities (H, W, classes); they are 0 outside the frame."""
        # torch converts float16 several times as fast as NumPy.
        values = torch.from_numpy(probabilities).float().numpy()
        # OpenCV warps at most four channels at once.
        parts = [self._warp(values[..., first:first + 4], cv2.INTER_LINEAR, 0)
                 for first in range(0, values.shape[2], 4)]
        parts = [part.reshape(*self.size, -1) for part in parts]
        return torch.from_numpy(np.concatenate(parts, 2)).half().numpy()

    def _warp(self, layer: AnyArray, interpolation: int, border: int | tuple[int, int, int]
              ) -> AnyArray:
        height, width = self.size
        return cv2.warpAffine(layer, self.matrix, (width, height), flags=interpolation,
                              borderValue=border)


def random_crop(shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator,
                largest_scale: float = 2.0, flips: bool = True) -> Crop:
    """Return a random Crop of `size` (height, width) of a frame of `shape` (H, W).

    The scale is log-uniform between 1 / `largest_scale` and `largest_scale`. Where the scaled
    frame is smaller than the crop, the crop shows what is outside the frame. With a largest scale
    of 1 the crop consists of the frame's own pixels.
    """
    height, width = size
    scale = largest_scale ** rng.uniform(-1.0, 1.0)
    flip = flips and rng.random() < 0.5
    scaled_width, scaled_height = shape[1] * scale, shape[0] * scale
    left = rng.uniform(min(0.0, scaled_width - width), max(0.0, scaled_width - width))
    top = rng.uniform(min(0.0, scaled_height - height), max(0.0, scaled_height - height))
    if largest_scale == 1.0:  # whole pixels, because resampling would blur
        left, top = round(left), round(top)
    # Both maps take pixel centers to pixel centers: x -> scale * (x + 0.5) - 0.5 - left.
    matrix = np.array([[scale, 0.0, 0.5 * scale - 0.5 - left],
                       [0.0, scale, 0.5 * scale - 0.5 - top]])
    if flip:
        matrix[0] = [-scale, 0.0, width - 1 - matrix[0, 2]]
    return Crop(size, scale, matrix)


def random_light(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change exposure, contrast, gamma, color cast and saturation of an RGB image (H, W, 3).

    One look-up table per channel, then a blend with the gray image.
    """
    level = np.linspace(0.0, 1.0, 256)[:, None]
    gain = np.exp(rng.uniform(-0.3, 0.3)) * np.exp(rng.uniform(-0.08, 0.08, 3))
    table = np.clip(level * gain, 0.0, 1.0) ** np.exp(rng.uniform(-0.3, 0.3))
    table = (table - 0.5) * np.exp(rng.uniform(-0.25, 0.25)) + 0.5 + rng.uniform(-0.06, 0.06)
    table = (255 * np.clip(table, 0.0, 1.0)).astype(np.uint8)  # (256, 3)
    image = cv2.LUT(image, table[None])
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    saturation = rng.uniform(0.6, 1.4)
    return cv2.addWeighted(image, saturation, gray, 1.0 - saturation, 0.0)


def random_degradation(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make an RGB image (H, W, 3) look like that of a poor camera.

    One to three of: blur by motion or defocus, noise of the sensor, JPEG artifacts.
    """
    kinds = rng.permutation(3)[:rng.integers(1, 4)]
    if 0 in kinds:
        image = cv2.filter2D(image, -1, _blur_kernel(rng))
    if 1 in kinds:
        # Noise of neighboring pixels is similar after demosaicing.
        noise = rng.normal(0.0, rng.uniform(2.0, 30.0), image.shape).astype(np.float32)
        if rng.random() < 0.5:
            noise = cv2.GaussianBlur(noise, (0, 0), 0.7)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if 2 in kinds:
        quality = int(rng.integers(10, 70))
        _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image


def _blur_kernel(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a Gaussian kernel, or that of a motion in a random direction."""
    size = 2 * int(rng.integers(1, 8)) + 1
    if rng.random() < 0.5:
        column = cv2.getGaussianKernel(size, size / 8).astype(np.float32)
        return column @ column.T
    kernel = np.zeros((size, size), np.float32)
    angle = rng.uniform(0.0, np.pi)
    end = (size // 2) * np.array([np.cos(angle), np.sin(angle)])
    first, last = (tuple(np.rint(size // 2 + sign * end).astype(int).tolist())
                   for sign in (-1, 1))
    cv2.line(kernel, first, last, 1.0)
    return kernel / kernel.sum()
