"""The pose of the camera in the base frame: from parameters or from TF."""

import os
from typing import Protocol

from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from enet_ros.errors import BadInput
from enet_ros.freespace.config import CameraConfig
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.pose_tracking import PoseTracker


class HasPose(Protocol):
    """The part of a node's config that says where the camera is."""

    @property
    def camera(self) -> CameraConfig: ...

    @property
    def base_frame(self) -> str: ...


class PoseSource(Protocol):
    """Returns the pose of a camera."""

    def __call__(self, header: Header, config: HasPose) -> Pose:
        """Return the pose for an image; the same object as long as the pose does not change.

        Raise BadInput if there is no reliable pose.
        """

    def forget(self) -> None:
        """Forget earlier poses; the next image may be from another time."""

    def close(self) -> None:
        """Release all resources."""


def make_pose_source(node: Node, config: HasPose) -> PoseSource:
    """Return the source that `camera.pose` selects."""
    return TransformPose(node) if config.camera.pose == 'tf' else ParameterPose()


class ParameterPose:
    """Takes the pose from the parameters camera.*."""

    def __init__(self) -> None:
        self._camera: CameraConfig | None = None
        self._pose: Pose | None = None

    def __call__(self, header: Header, config: HasPose) -> Pose:
        camera = config.camera
        if self._pose is None or camera != self._camera:
            self._pose = Pose.from_angles(camera.x, camera.y, camera.z,
                                          camera.roll, camera.pitch, camera.yaw)
            self._camera = camera
        return self._pose

    def forget(self) -> None:
        """Forget nothing: the pose does not depend on earlier ones."""

    def close(self) -> None:
        """Release nothing."""


class TransformPose:
    """Takes the pose from TF at the stamp of the image, or shortly before."""

    def __init__(self, node: Node) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            distro = os.environ.get('ROS_DISTRO', '<distro>')
            raise BadInput('camera.pose is tf, which needs the package tf2_ros; install '
                           f'ros-{distro}-tf2-ros-py, or set camera.pose to parameters'
                           ) from error
        self._transform_exception = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._tracker = PoseTracker()

    def __call__(self, header: Header, config: HasPose) -> Pose:
        base, camera = config.base_frame, header.frame_id
        stamp = Time.from_msg(header.stamp)
        try:
            is_current = self._buffer.can_transform(base, camera, stamp)
            stamped = self._buffer.lookup_transform(base, camera, stamp if is_current else Time())
        except self._transform_exception as error:
            self._tracker = PoseTracker()
            raise BadInput(f'no transform from {base} to {camera} '
                           f'({" ".join(str(error).split())}); publish it, or set camera.pose to '
                           'parameters') from error
        age = abs(1e-6 * (stamp - Time.from_msg(stamped.header.stamp)).nanoseconds)
        if not is_current and age > config.camera.max_pose_age_ms:
            raise BadInput(f'the transform from {base} to {camera} is {age:.0f} ms away from the '
                           f'image, more than {config.camera.max_pose_age_ms:g}; check that it '
                           'is published, or set camera.max_pose_age_ms')
        position, rotation = stamped.transform.translation, stamped.transform.rotation
        return self._tracker.update(
            Pose.from_quaternion((position.x, position.y, position.z),
                                 (rotation.x, rotation.y, rotation.z, rotation.w)),
            config.camera.max_jump)

    def forget(self) -> None:
        """Empty the buffer, which ignores transforms that are older than its newest by 10 s."""
        self._buffer.clear()
        self._tracker = PoseTracker()

    def close(self) -> None:
        """Destroy the TF subscriptions."""
        self._listener.unregister()
