"""Contact points: where obstacles and flat ground meet the drivable ground, and their classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.ray_casting import CastRays


@dataclass(frozen=True)
class ContactPoints:
    """Points on the ground in the base frame.

    xy: (N, 2) meters.
    class_id: (N,).
    confidence: (N,) 255 times the probability, or None if unknown.
    """

    xy: NDArray[np.float32]
    class_id: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None


def contact_points(ray_count: int, rays: CastRays, labels: NDArray[np.uint8],
                   confidence: NDArray[np.uint8] | None = None) -> ContactPoints:
    """Return the borders of the drivable ground, and the obstacles behind them.

    ray_count: number of rays. labels, confidence: of the frame, (H, W).
    """
    borders, obstacles = rays.borders, rays.obstacles
    border_range = np.full(ray_count, np.nan)
    border_range[borders.ray] = borders.range
    behind = border_range[obstacles.ray] != obstacles.range
    xy = np.r_[borders.xy, obstacles.xy[behind]]
    pixel = np.r_[borders.pixel, obstacles.pixel[behind]]
    return ContactPoints(xy.astype(np.float32), labels.ravel()[pixel],
                         None if confidence is None else confidence.ravel()[pixel])
