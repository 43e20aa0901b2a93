"""The motion of the base frame, from odometry."""

from math import atan2

from builtin_interfaces.msg import Time
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from enet_ros.errors import BadInput
from enet_ros.freespace.odometry_buffer import OdometryBuffer
from enet_ros.ros.messages import seconds

QOS = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)


class OdometryTrack:
    """Subscribes to the topic odom and keeps the poses of the base frame."""

    def __init__(self, node: Node, base_frame: str) -> None:
        self._node, self._base_frame = node, base_frame
        self._track = OdometryBuffer()
        self._wrong_frame = ''  # error text
        self._subscription = node.create_subscription(Odometry, 'odom', self._receive, QOS)

    def at(self, stamp: Time, max_gap: float) -> tuple[float, float, float]:
        """Return x, y (m) and yaw (rad) of the base in the odometry's frame at a stamp.

        Raise BadInput if no poses at most `max_gap` seconds away from the stamp are known.
        """
        if self._wrong_frame:
            raise BadInput(self._wrong_frame)
        return self._track.interpolate(seconds(stamp), max_gap)

    def close(self) -> None:
        """Destroy the subscription."""
        self._node.destroy_subscription(self._subscription)

    def _receive(self, message: Odometry) -> None:
        frame = message.child_frame_id
        if frame not in ('', self._base_frame):
            self._wrong_frame = (
                f'the odometry is that of {frame!r}, but base_frame is {self._base_frame!r}; set '
                'base_frame, or remap the topic odom')
            return
        self._wrong_frame = ''
        position, rotation = message.pose.pose.position, message.pose.pose.orientation
        yaw = atan2(2 * (rotation.w * rotation.z + rotation.x * rotation.y),
                    1 - 2 * (rotation.y * rotation.y + rotation.z * rotation.z))
        self._track.add(seconds(message.header.stamp), position.x, position.y, yaw)
