"""An ideal pinhole camera above flat ground."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PinholeCamera:
    """A pinhole camera without distortion; its optical frame is as in REP-103.

    width, height: size of the image in pixels.
    fx, fy, cx, cy: focal lengths and principal point in pixels.
    height_m: height above the ground in meters.
    pitch: rotation in rad; positive looks down.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    height_m: float
    pitch: float

    @property
    def horizon(self) -> float:
        """Return the image row of the horizon in pixels, possibly outside the image."""
        return self.cy - self.fy * np.tan(self.pitch)

    def matrix(self) -> NDArray[np.float64]:
        """Return the projection matrix (3, 4) from the base frame.

        The base frame has its origin on the ground below the camera, x forward, y left, z up.
        """
        sine, cosine = np.sin(self.pitch), np.cos(self.pitch)
        rotation = np.array([[0, -1, 0], [-sine, 0, -cosine], [cosine, 0, -sine]])
        intrinsics = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
        return intrinsics @ np.c_[rotation, rotation @ [0, 0, -self.height_m]]
