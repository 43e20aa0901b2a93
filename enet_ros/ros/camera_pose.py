"""Where the camera is: by parameters, or by TF."""

import os

from enet_ros.errors import BadInput
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.pose_tracking import PoseTracker


def make_pose_source(node, config):
    """Return the function (header, config) -> Pose that a FreeSpaceNodeConfig asks for.

    The Pose is the same object as long as it has not changed. It raises BadInput where there is
    none to rely on.
    """
    return TransformPose(node) if config.camera.pose == 'tf' else ParameterPose()


class ParameterPose:
    """Takes the pose from the parameters camera.*."""

    def __init__(self):
        self._camera = self._pose = None

    def __call__(self, header, config):
        camera = config.camera
        if camera != self._camera:
            self._pose = Pose.from_angles(camera.x, camera.y, camera.z,
                                          camera.roll, camera.pitch, camera.yaw)
            self._camera = camera
        return self._pose

    def close(self):
        """Nothing is to be undone."""


class TransformPose:
    """Takes the pose from TF, at the image's time or shortly before."""

    def __init__(self, node):
        try:
            import tf2_ros
        except ImportError as error:
            distro = os.environ.get('ROS_DISTRO', '<distro>')
            raise BadInput('camera.pose is tf, which needs the package tf2_ros; install '
                           f'ros-{distro}-tf2-ros-py, or give the pose as parameters') from error
        self._failure = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._watch = PoseTracker()

    def __call__(self, header, config):
        from rclpy.time import Time

        frames, stamp = (config.base_frame, header.frame_id), Time.from_msg(header.stamp)
        try:
            there = self._buffer.can_transform(*frames, stamp)
            found = self._buffer.lookup_transform(*frames, stamp if there else Time())
        except self._failure as error:
            self._watch = PoseTracker()
            raise BadInput(f'no transform from {frames[0]} to {frames[1]} '
                           f'({" ".join(str(error).split())}); publish it, or give the pose as '
                           'parameters') from error
        age = abs(1e-6 * (stamp - Time.from_msg(found.header.stamp)).nanoseconds)
        if not there and age > config.camera.max_pose_age_ms:
            raise BadInput(f'the transform from {frames[0]} to {frames[1]} is {age:.0f} ms away '
                           f'from the image, more than {config.camera.max_pose_age_ms:g}; check '
                           'that it is published, or set camera.max_pose_age_ms')
        shift, turn = found.transform.translation, found.transform.rotation
        return self._watch.update(
            Pose.from_quaternion((shift.x, shift.y, shift.z), (turn.x, turn.y, turn.z, turn.w)),
            config.camera.max_jump)

    def close(self):
        """Listen to TF no more."""
        self._listener.unregister()
