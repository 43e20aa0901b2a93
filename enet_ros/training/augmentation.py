"""Random changes to training frames."""

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.labels import UNLABELED


def random_crop(image: NDArray[np.uint8], labels: NDArray[np.uint8], size: tuple[int, int],
                rng: np.random.Generator, largest_scale: float = 2.0,
                flips: bool = True) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Scale, flip and crop a frame in one resampling.

    image (H, W, 3), labels (H, W) and size (height, width) in pixels -> image and labels of that
    size. The scale is log-uniform between 1 / `largest_scale` and `largest_scale`. Where the
    scaled frame is smaller than the crop, the rest is gray and unlabeled. With a largest scale of
    1 the crop consists of the frame's own pixels.
    """
    height, width = size
    scale = largest_scale ** rng.uniform(-1.0, 1.0)
    flip = flips and rng.random() < 0.5
    scaled_width, scaled_height = image.shape[1] * scale, image.shape[0] * scale
    left = rng.uniform(min(0.0, scaled_width - width), max(0.0, scaled_width - width))
    top = rng.uniform(min(0.0, scaled_height - height), max(0.0, scaled_height - height))
    if largest_scale == 1.0:  # whole pixels, because resampling would blur
        left, top = round(left), round(top)
    # Both maps take pixel centers to pixel centers: x -> scale * (x + 0.5) - 0.5 - left.
    matrix = np.array([[scale, 0.0, 0.5 * scale - 0.5 - left],
                       [0.0, scale, 0.5 * scale - 0.5 - top]])
    if flip:
        matrix[0] = [-scale, 0.0, width - 1 - matrix[0, 2]]
    if scale < 1.0:
        # Without a blur, downsampling would alias.
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    return (
        cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR,
                       borderValue=(128, 128, 128)),
        cv2.warpAffine(labels, matrix, (width, height), flags=cv2.INTER_NEAREST,
                       borderValue=UNLABELED),
    )


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
