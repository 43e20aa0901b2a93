"""Light and haze of the synthetic street, and the exposure of the camera."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

NOISE_SIZE = 192  # pixels after which the noise of the sensor repeats


class Haze(NamedTuple):
    """Haze of a gray level (0-255); objects fade to 1/e of their contrast at `range` meters."""

    gray: float
    range: float


class Light:
    """The light in one street, drawn from `rng`.

    left, right: brightness of the faces along the street on each side, 0-1.
    shadow: brightness of the ground below objects, 0-1.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.haze = Haze(float(rng.uniform(170, 225)), float(rng.uniform(60, 250)))
        self.left, self.right = rng.uniform(0.6, 1.0, 2)
        self.shadow = rng.uniform(0.35, 0.75)

    def side(self, y: float) -> float:
        """Return the brightness of faces along the street at y."""
        return self.left if y > 0 else self.right


class Sensor:
    """The tone curve and the noise of a camera, drawn from `rng`."""

    def __init__(self, rng: np.random.Generator, seed: int, width: int, height: int) -> None:
        self.seed = seed
        level = np.linspace(0, 1, 256)[:, None]
        cast = rng.uniform(0.7, 1.1) * rng.uniform(0.92, 1.08, 3)
        curve = level ** rng.uniform(0.75, 1.4) * cast                        # (256, 3)
        curve = np.clip(curve + rng.uniform(0, 0.06), 0, 1)
        self.curve = (255 * curve).astype(np.uint8)[None]                     # (1, 256, 3)
        noise = rng.normal(128, rng.uniform(1, 6), (NOISE_SIZE, NOISE_SIZE, 3))
        repeats = height // NOISE_SIZE + 2, width // NOISE_SIZE + 2, 1
        self.noise = np.tile(np.clip(noise, 0, 255).astype(np.uint8), repeats)

    def expose(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Return the image (H, W, 3) that the sensor records of a scene in frame `index`."""
        rng = np.random.default_rng((self.seed, 3, index))
        row, column = rng.integers(0, NOISE_SIZE, 2)
        height, width = image.shape[:2]
        noise = self.noise[row:row + height, column:column + width]
        image = cv2.GaussianBlur(cv2.LUT(image, self.curve), (3, 3), 0.6)
        return cv2.addWeighted(image, 1.0, noise, 1.0, -128.0)
