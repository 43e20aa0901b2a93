"""Run one node as a process."""

import rclpy
from rclpy.executors import ExternalShutdownException


def spin(make_node):
    """Spin the node that `make_node` returns until the process is told to end; return 0.

    A node that has a `close` method is closed before it is destroyed.
    """
    rclpy.init()
    node = make_node()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # Ctrl-C and SIGTERM are how nodes end.
    finally:
        node.close()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
