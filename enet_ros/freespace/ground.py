"""The flat ground before a camera: which point of it each pixel shows."""

from dataclasses import dataclass

import numpy as np

from enet_ros.errors import BadInput

# Columns: the optical frame's axes (right, down, forward) in a frame with x forward, y left, z up.
FORWARD_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a camera is in the base frame (x forward, y left, z up; the ground is z = 0).

    position float (3,) in metres; rotation float (3, 3) from its optical frame.
    """

    position: np.ndarray
    rotation: np.ndarray

    def __post_init__(self):
        if not (np.isfinite(self.position).all() and np.isfinite(self.rotation).all()):
            raise BadInput("the camera's pose has values that are not finite numbers; correct the "
                           'parameters or TF')
        if self.position[2] <= 0:
            raise BadInput(f'the camera is {self.position[2]:g} m above the ground (z of the base '
                           'frame); it must be more than 0')

    @classmethod
    def from_angles(cls, x, y, z, roll=0.0, pitch=0.0, yaw=0.0):
        """Make a Pose from metres and rad; pitch > 0 looks down, yaw > 0 to the left."""
        (sr, sp, sy), (cr, cp, cy) = (f([roll, pitch, yaw]) for f in (np.sin, np.cos))
        turn = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        nod = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        lean = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
        return cls(np.array([x, y, z], float), turn @ nod @ lean @ FORWARD_FROM_OPTICAL)

    @classmethod
    def from_up(cls, position, up, yaw=0.0):
        """Make a Pose from the way up in the optical frame (3,), as an IMU measures it at rest.

        yaw in rad is where the camera looks, more than 0 to the left.
        """
        with np.errstate(invalid='ignore'):
            up = np.asarray(up, float) / np.linalg.norm(up)
        ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
        if not np.linalg.norm(ahead) > 0.01:
            raise BadInput(f'up is {up.tolist()} in the optical frame; a camera that looks '
                           'straight up or down has no yaw, and up must be finite and not zero')
        ahead /= np.linalg.norm(ahead)
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        return cls(np.asarray(position, float), turn @ np.array([ahead, np.cross(up, ahead), up]))

    @classmethod
    def from_quaternion(cls, position, quaternion):
        """Make a Pose from TF's translation and rotation (x, y, z, w) of the optical frame."""
        quaternion = np.asarray(quaternion, float)
        length = np.linalg.norm(quaternion)
        if not abs(length - 1) < 1e-2:
            raise BadInput(f"the camera's rotation {quaternion.tolist()} is no unit quaternion; "
                           'correct TF')
        x, y, z, w = quaternion / length
        return cls(np.asarray(position, float), np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]]))

    @property
    def pitch(self):
        """Return by how much the camera looks down, rad."""
        return float(np.arcsin(np.clip(-self.rotation[2, 2], -1.0, 1.0)))

    def change(self, other):
        """Return by how much another Pose differs: metres and rad."""
        turn = self.rotation.T @ other.rotation
        # The sine tells small angles, the cosine large ones.
        sine = np.linalg.norm([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0],
                               turn[1, 0] - turn[0, 1]]) / 2
        return (float(np.linalg.norm(self.position - other.position)),
                float(np.arctan2(sine, (np.trace(turn) - 1) / 2)))


class Ground:
    """What a camera at a Pose sees of the ground.

    points float32 (H, W, 2): x and y in the base frame, metres, that each pixel shows; NaN from
    the horizon up and beyond `reach`, the distance from the camera's foot (the point of the
    ground below it) where a pixel covers more than `pixel_length` metres of ground.
    """

    def __init__(self, camera, pose, pixel_length):
        self.camera, self.pose = camera, pose
        self.foot, self.height = pose.position[:2], pose.position[2]
        rays = camera.rays() @ pose.rotation.T
        with np.errstate(invalid='ignore', divide='ignore'):
            down = np.where(rays[..., 2] < -1e-9, -rays[..., 2], np.nan)
            dip = np.arcsin(np.minimum(down, 1.0))
            across = rays[..., :2] / np.linalg.norm(rays[..., :2], axis=-1, keepdims=True)
            # The angles that a pixel spans, downwards and to the side.
            self.dip_step = _largest(_change(dip))
            reach = self.reach_of(pixel_length)
            self._offsets = (rays[..., :2] * (self.height / down)[..., None]).astype(np.float32)
            near = np.linalg.norm(self._offsets, axis=-1) <= reach
        if not near.any():
            raise BadInput('the camera sees no ground'
                           + (f' within the {reach:.2f} m where a pixel covers at most '
                              f'{pixel_length:g} m of it' if np.isfinite(down).any() else '')
                           + '; check its height, roll and pitch (more than 0 looks down)')
        self.reach = float(reach)
        self.points = self.points_within(self.reach)
        self.dips = dip[near]
        self.bearings = np.arctan2(rays[near][:, 1], rays[near][:, 0])
        self.fine_dip_step = _smallest(_change(dip)[near])
        self.bearing_step = _smallest(np.hypot(_change(across[..., 0]),
                                               _change(across[..., 1]))[near])

    def points_within(self, distance):
        """Return what `points` are, up to another distance from the foot, metres."""
        with np.errstate(invalid='ignore'):
            near = np.linalg.norm(self._offsets, axis=-1) <= distance
        points = np.where(near[..., None], self._offsets + self.foot, np.nan)
        return points.astype(np.float32)

    def pixel_length(self, distance):
        """Return how much ground one pixel covers, metres, `distance` metres from the foot."""
        return self.dip_step * (self.height ** 2 + distance ** 2) / self.height

    def reach_of(self, pixel_length):
        """Return the distance from the foot at which one pixel covers so much ground, metres."""
        square = pixel_length * self.height / self.dip_step - self.height ** 2
        return np.sqrt(np.maximum(square, 0.0))

    def pixels(self, x, y):
        """Return the index into a flat image of the pixel that shows each point of the ground.

        x and y (...) in the base frame, metres -> intp (...), -1 outside the image or the reach.
        """
        offset = np.stack([x - self.foot[0], y - self.foot[1], np.full(np.shape(x), -self.height)],
                          -1)
        pixels = self.camera.project(offset @ self.pose.rotation)
        with np.errstate(invalid='ignore'):
            column, row = np.round(pixels[..., 0]), np.round(pixels[..., 1])
            seen = ((column >= 0) & (column < self.camera.width)
                    & (row >= 0) & (row < self.camera.height)
                    & (np.hypot(offset[..., 0], offset[..., 1]) <= self.reach))
        return np.where(seen, row * self.camera.width + column, -1).astype(np.intp)


def _change(values):
    """Return by how much an image of values changes from a pixel to the next."""
    return np.hypot(*np.gradient(values))


def _largest(values):
    values = values[np.isfinite(values)]
    return np.percentile(values, 99.9) if values.size else np.nan


def _smallest(values):
    values = values[np.isfinite(values) & (values > 0)]
    return np.percentile(values, 1) if values.size else np.nan
