"""Participants of a DDS domain that come and go, with other types on the topics of the node.

The parameter count is the number of participants beside that of this node.
"""

import os
import random
from contextlib import suppress

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import String

# Those of the node under test, each with another type here.
TOPICS = ('/image', '/image/compressed', '/camera_info', '/segmentation_node/label',
          '/segmentation_node/timing')
STAY = 0.1  # seconds between two changes, each of a participant that leaves or joins


def join() -> Node:
    """Return a node in a participant of its own."""
    context = Context()
    rclpy.init(context=context)
    node = Node('foreign', context=context, enable_rosout=False, start_parameter_services=False,
                use_global_arguments=False)
    for topic in TOPICS:
        node.create_subscription(String, topic, print, 1)
        node.create_publisher(String, topic, 1).publish(String(data='no image'))
    return node


def leave(node: Node) -> None:
    context = node.context
    node.destroy_node()
    context.try_shutdown()


def main() -> None:
    # A participant of another program does not have the profile with large segments either.
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
        os.environ.pop(name, None)
    rclpy.init()
    clock = Node('foreign_participants')
    count, nodes = clock.declare_parameter('count', 30).value, list[Node]()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        while True:
            if len(nodes) < count:
                nodes.append(join())
            else:
                leave(nodes.pop(random.randrange(len(nodes))))
            rclpy.spin_once(clock, timeout_sec=STAY)


if __name__ == '__main__':
    main()
