"""The base's way over the ground, as odometry tells it."""

from math import atan2

from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy

from enet_ros.errors import BadInput
from enet_ros.freespace.odometry_buffer import OdometryBuffer

QOS = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)


class OdometryTrack:
    """Listens to the topic odom for where the base frame was."""

    def __init__(self, node, base_frame):
        self.node, self.base_frame = node, base_frame
        self.track = OdometryBuffer()
        self._fault = ''
        self._subscription = node.create_subscription(Odometry, 'odom', self._keep, QOS)

    def at(self, stamp, longest_gap):
        """Return x, y and yaw at a stamp; raise BadInput where they cannot be told."""
        if self._fault:
            raise BadInput(self._fault)
        return self.track.interpolate(_seconds(stamp), longest_gap)

    def close(self):
        self.node.destroy_subscription(self._subscription)

    def _keep(self, message):
        frame = message.child_frame_id
        if frame not in ('', self.base_frame):
            self._fault = (f'the odometry is that of {frame!r}, but base_frame is '
                           f'{self.base_frame!r}; set base_frame, or remap the topic odom')
            return
        self._fault = ''
        at, turn = message.pose.pose.position, message.pose.pose.orientation
        yaw = atan2(2 * (turn.w * turn.z + turn.x * turn.y),
                    1 - 2 * (turn.y * turn.y + turn.z * turn.z))
        self.track.add(_seconds(message.header.stamp), at.x, at.y, yaw)


def _seconds(stamp):
    return stamp.sec + 1e-9 * stamp.nanosec
