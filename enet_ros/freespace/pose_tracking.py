"""The tracking of a camera pose that TF delivers: small noise is ignored, jumps are refused."""

from enet_ros.errors import BadInput
from enet_ros.freespace.pose import Pose

MAX_NOISE = 0.002, 0.0005  # meters and rad


class PoseTracker:
    """Returns the same Pose object until the pose changes, and refuses jumps."""

    def __init__(self) -> None:
        self.pose: Pose | None = None

    def update(self, pose: Pose, max_jump: float) -> Pose:
        """Return the pose to use: the previous one if the new one differs only by noise.

        Raise BadInput if it differs by more than max_jump (meters and rad); the next pose is
        compared with the new one.
        """
        previous, self.pose = self.pose, pose
        if previous is None:
            return pose
        distance, angle = previous.distance_to(pose)
        if max(distance, angle) > max_jump:
            raise BadInput(f"the camera's pose jumps by {distance:.2f} m and {angle:.2f} rad "
                           f'between frames, more than {max_jump:g}; correct the transform, or '
                           'set camera.max_jump')
        if distance <= MAX_NOISE[0] and angle <= MAX_NOISE[1]:
            self.pose = previous
        return self.pose
