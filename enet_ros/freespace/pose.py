"""The pose of a camera in the base frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enet_ros.errors import BadInput

# Columns: the axes of the optical frame (right, down, forward) in x forward, y left, z up.
FORWARD_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Pose:
    """The pose of a camera in the base frame: x forward, y left, z up, the ground at z = 0.

    Raise BadInput if a value is not finite or the camera is not above the ground.

    position: (3,) meters.
    rotation: (3, 3) from the optical frame (z forward, x right, y down).
    """

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.position).all() and np.isfinite(self.rotation).all()):
            raise BadInput("the camera's pose has values that are not finite; correct the "
                           'parameters or TF')
        if self.position[2] <= 0:
            raise BadInput(f'the camera is {self.position[2]:g} m above the ground (z in the base '
                           'frame); correct z, it must be more than 0')

    @classmethod
    def from_angles(cls, x: float, y: float, z: float, roll: float = 0.0, pitch: float = 0.0,
                    yaw: float = 0.0) -> 'Pose':
        """Return the pose at x, y, z (meters).

        roll, pitch, yaw: in rad; positive leans to the right, looks down, looks to the left.
        """
        (sr, sp, sy), (cr, cp, cy) = (f([roll, pitch, yaw]) for f in (np.sin, np.cos))
        about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
        about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        return cls(np.array([x, y, z], float),
                   about_z @ about_y @ about_x @ FORWARD_FROM_OPTICAL)

    @classmethod
    def from_up(cls, position: ArrayLike, up: ArrayLike, yaw: float = 0.0) -> 'Pose':
        """Return the pose with a given upward direction, such as an IMU at rest measures.

        position: (3,) meters. up: (3,) in the optical frame, of any length. yaw: in rad.
        """
        z_axis = np.asarray(up, float)
        with np.errstate(invalid='ignore'):
            z_axis = z_axis / np.linalg.norm(z_axis)
        ahead = np.array([0.0, 0.0, 1.0]) - z_axis[2] * z_axis
        if not np.linalg.norm(ahead) > 0.01:
            raise BadInput(f'up is {z_axis.tolist()} in the optical frame; a camera that looks '
                           'straight up or down has no yaw, and up must be finite and not zero')
        ahead /= np.linalg.norm(ahead)
        about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0],
                            [0, 0, 1]])
        return cls(np.asarray(position, float),
                   about_z @ np.array([ahead, np.cross(z_axis, ahead), z_axis]))

    @classmethod
    def from_quaternion(cls, position: Sequence[float], quaternion: Sequence[float]) -> 'Pose':
        """Return the pose of a TF transform.

        position: (3,) meters. quaternion: (x, y, z, w), from the optical frame.
        """
        values = np.asarray(quaternion, float)
        norm = np.linalg.norm(values)
        if not abs(norm - 1) < 1e-2:
            raise BadInput(f"the camera's rotation {values.tolist()} is no unit quaternion; "
                           'correct TF')
        x, y, z, w = values / norm
        return cls(np.asarray(position, float), np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]]))

    @property
    def pitch(self) -> float:
        """Return the pitch in rad; positive looks down."""
        return float(np.arcsin(np.clip(-self.rotation[2, 2], -1.0, 1.0)))

    def distance_to(self, other: 'Pose') -> tuple[float, float]:
        """Return how far away (meters) and how far rotated (rad) another pose is."""
        turn = self.rotation.T @ other.rotation
        # The sine is precise for small angles, the cosine for large ones.
        sine = np.linalg.norm([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0],
                               turn[1, 0] - turn[0, 1]]) / 2
        return (float(np.linalg.norm(self.position - other.position)),
                float(np.arctan2(sine, (np.trace(turn) - 1) / 2)))
