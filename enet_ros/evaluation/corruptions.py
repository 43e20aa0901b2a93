"""Weather, light and camera faults, computed on images to measure how much accuracy they cost.

Each corruption has a strength from 0, the image as it is, to 5. What is random in it depends on
the seed alone: a stronger corruption has the same streaks, directions and noise.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput

STRENGTHS = 1, 2, 3, 4, 5
HORIZON = 0.45  # of a street, as a share of the image's height
GAMMA = 2.2  # of the tone curve between light and bytes
REFERENCE_WIDTH = 480  # pixels; lengths are scaled with the width of the image

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Values = NDArray[np.floating]  # the same, 0-255


def corrupt(image: Image, name: str, strength: float, seed: int = 0) -> Image:
    """Return an RGB image, uint8 (H, W, 3), with a corruption.

    name: one of CORRUPTIONS. strength: 0 to 5. seed: selects what is random.
    """
    if name not in CORRUPTIONS:
        raise BadInput(f'unknown corruption {name!r}; choose one of {", ".join(CORRUPTIONS)}')
    if not 0 <= strength <= STRENGTHS[-1]:
        raise BadInput(f'strength is {strength}; it must be from 0 to {STRENGTHS[-1]}')
    values = CORRUPTIONS[name](image, strength, np.random.default_rng(seed))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _parameter(strength: float, *values: float) -> float:
    """Return a parameter whose values at the strengths 0, 1, ... 5 are given."""
    return float(np.interp(strength, np.arange(len(values)), values))


def _fog(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Fade the contrast with the distance that a flat street has in each row, in drifting fog."""
    density = _parameter(strength, 0, 0.5, 0.9, 1.4, 2.0, 3.0)  # at the horizon
    height, width = image.shape[:2]
    below = (np.arange(height) / height - HORIZON) / (1 - HORIZON)
    distance = 1 / (1 + 6 * np.clip(below, 0, 1))[:, None]
    drift = cv2.resize(rng.uniform(0.6, 1.4, (4, 6)), (width, height),
                       interpolation=cv2.INTER_CUBIC)
    transmission = np.exp(-density * distance * drift)[..., None]  # (H, W, 1)
    return image * transmission + rng.uniform(190, 225) * (1 - transmission)


def _rain(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Draw bright streaks before the scene, and fade its contrast."""
    drops = _parameter(strength, 0, 0.002, 0.004, 0.007, 0.011, 0.016)  # share of pixels
    veil = _parameter(strength, 0, 0.08, 0.14, 0.2, 0.28, 0.36)
    height, width = image.shape[:2]
    angle = rng.uniform(-15, 15)
    starts = (rng.random((height, width)) < drops).astype(np.float32)
    length = 24 * width / REFERENCE_WIDTH
    streaks = cv2.filter2D(starts, -1, _line_kernel(length, 90 + angle))
    streaks = np.minimum(length * 0.5 * streaks, 0.6)[..., None]
    hazy = image * (1 - veil) + 170 * veil
    return hazy + streaks * (235 - hazy)


def _night(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Darken all but what headlights reach, shift the colors to blue, and add noise."""
    gain = _parameter(strength, 1, 0.4, 0.2, 0.1, 0.05, 0.025)
    noise = _parameter(strength, 0, 3, 5, 8, 11, 15)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    distance = ((x / width - 0.5) / 0.4) ** 2 + ((y / height - 0.8) / 0.3) ** 2
    lamps = 0.35 * (1 - gain) * np.exp(-distance)[..., None]
    tint = 1 - (1 - np.array([0.75, 0.85, 1.0])) * (1 - gain)
    light = (image / 255) ** GAMMA * (gain * tint + lamps)
    return 255 * light ** (1 / GAMMA) + noise * rng.normal(size=image.shape)


def _noise(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Add normally distributed noise."""
    return image + _parameter(strength, 0, 6, 12, 20, 30, 42) * rng.normal(size=image.shape)


def _motion_blur(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Average along a line, mostly sideways, as a turning camera does."""
    length = _parameter(strength, 1, 4, 7, 11, 16, 22) * image.shape[1] / REFERENCE_WIDTH
    kernel = _line_kernel(length, rng.uniform(-20, 20))
    return cv2.filter2D(image.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REPLICATE)


def _jpeg(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Compress as JPEG, with quality 30 at strength 3."""
    quality = round(_parameter(strength, 100, 80, 50, 30, 15, 8))
    _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32)


def _exposure(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Expose too long; bright areas saturate."""
    stops = _parameter(strength, 0, 0.5, 1.0, 1.5, 2.0, 2.5)
    return 255 * np.minimum((image / 255) ** GAMMA * 2 ** stops, 1) ** (1 / GAMMA)


def _hue(image: Image, strength: float, rng: np.random.Generator) -> Values:
    """Rotate the hue of all colors."""
    degrees = _parameter(strength, 0, 15, 30, 50, 75, 110) * rng.choice([-1, 1])
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)  # hue in degrees
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    return 255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _line_kernel(length: float, degrees: float) -> NDArray[np.float32]:
    """Return a kernel that averages along a line; 0 degrees is horizontal.

    length: in pixels; 1 or less averages nothing.
    """
    half = max(length - 1, 0) / 2
    radius = int(np.ceil(half)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    positions = np.linspace(-half, half, 8 * radius + 1)
    along = radius + positions * np.cos(np.radians(degrees))
    down = radius + positions * np.sin(np.radians(degrees))
    for x, y in zip(along, down):  # shared among the four pixels around
        left, top = int(x), int(y)
        right, bottom = x - left, y - top
        kernel[top:top + 2, left:left + 2] += np.outer((1 - bottom, bottom), (1 - right, right))
    return kernel / kernel.sum()


CORRUPTIONS: dict[str, Callable[[Image, float, np.random.Generator], Values]] = {
    'fog': _fog, 'rain': _rain, 'night': _night, 'noise': _noise, 'motion blur': _motion_blur,
    'JPEG': _jpeg, 'exposure': _exposure, 'hue': _hue}
