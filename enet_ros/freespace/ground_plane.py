"""The flat ground in front of a camera: the point that each pixel shows."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Camera
from enet_ros.freespace.pose import Pose

Distance = TypeVar('Distance', float, NDArray[np.float64])


class GroundPlane:
    """The ground z = 0 as a camera sees it.

    The foot is the point of the ground below the camera. The ground is usable up to `reach`, the
    distance from the foot (meters) where a pixel covers `pixel_length` meters of ground. Raise
    BadInput if no pixel shows usable ground, or too few do.

    Attributes:
        points: float32 (H, W, 2), the x and y in the base frame (meters) that each pixel shows;
            NaN above the horizon and beyond the reach.
        dips, bearings: (N,) angles below the horizon and in the base frame of the pixels that show
            usable ground, rad.
        dip_step, fine_dip_step: largest and smallest change of the dip between pixels, rad.
        bearing_step: smallest change of the bearing between pixels, rad.
    """

    def __init__(self, camera: Camera, pose: Pose, pixel_length: float) -> None:
        self.camera, self.pose = camera, pose
        self.foot, self.height = pose.position[:2], float(pose.position[2])
        rays = camera.rays() @ pose.rotation.T
        with np.errstate(invalid='ignore', divide='ignore'):
            down = np.where(rays[..., 2] < -1e-9, -rays[..., 2], np.nan)
            dip = np.arcsin(np.minimum(down, 1.0))
            across = rays[..., :2] / np.linalg.norm(rays[..., :2], axis=-1, keepdims=True)
            self.dip_step = _largest(_pixel_change(dip))
            reach = self.reach_of(pixel_length)
            self._offsets = (rays[..., :2] * (self.height / down)[..., None]).astype(np.float32)
            usable = np.linalg.norm(self._offsets, axis=-1) <= reach
        if not usable.any():
            limit = (f' within the {reach:.2f} m where a pixel covers at most {pixel_length:g} m '
                     'of it' if np.isfinite(down).any() else '')
            raise BadInput(f'the camera sees no ground{limit}; check its height, roll and pitch '
                           '(positive looks down)')
        self.reach = reach
        self.points = self.points_within(reach)
        self.dips: NDArray[np.float64] = dip[usable]
        self.bearings = np.arctan2(rays[usable][:, 1], rays[usable][:, 0])
        self.fine_dip_step = _smallest(_pixel_change(dip)[usable])
        self.bearing_step = _smallest(np.hypot(_pixel_change(across[..., 0]),
                                               _pixel_change(across[..., 1]))[usable])
        if not np.isfinite([self.dip_step, self.fine_dip_step, self.bearing_step]).all():
            raise BadInput('the camera sees usable ground in too few pixels, or all of them show '
                           'the same direction; check its calibration, height, roll and pitch')

    def points_within(self, distance: float) -> NDArray[np.float32]:
        """Return `points` up to another distance from the foot, meters."""
        with np.errstate(invalid='ignore'):
            near = np.linalg.norm(self._offsets, axis=-1) <= distance
        points = np.where(near[..., None], self._offsets + self.foot, np.nan)
        return points.astype(np.float32)

    def pixel_length(self, distance: Distance) -> Distance:
        """Return the length of ground in one pixel at a distance from the foot, meters."""
        return self.dip_step * (self.height ** 2 + distance ** 2) / self.height

    def reach_of(self, pixel_length: float) -> float:
        """Return the distance from the foot at which a pixel covers `pixel_length`, meters."""
        square = pixel_length * self.height / self.dip_step - self.height ** 2
        return float(np.sqrt(np.maximum(square, 0.0)))

    def pixels(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the indices into the flat image of the pixels that show points of the ground.

        x, y: (...) in the base frame, meters. The index is -1 outside the image or the reach.
        """
        offset = np.stack([x - self.foot[0], y - self.foot[1], np.full(np.shape(x), -self.height)],
                          -1)
        pixels = self.camera.project(offset @ self.pose.rotation)
        with np.errstate(invalid='ignore'):
            column, row = np.round(pixels[..., 0]), np.round(pixels[..., 1])
            visible = ((column >= 0) & (column < self.camera.width)
                       & (row >= 0) & (row < self.camera.height)
                       & (np.hypot(offset[..., 0], offset[..., 1]) <= self.reach))
        return np.where(visible, row * self.camera.width + column, -1).astype(np.intp)


def _pixel_change(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much an image of values changes from one pixel to the next."""
    down, right = np.gradient(values)
    return np.hypot(down, right)


def _largest(values: NDArray[np.float64]) -> np.float64:
    values = values[np.isfinite(values)]
    return np.float64(np.percentile(values, 99.9) if values.size else np.nan)


def _smallest(values: NDArray[np.float64]) -> np.float64:
    values = values[np.isfinite(values) & (values > 0)]
    return np.float64(np.percentile(values, 1) if values.size else np.nan)
