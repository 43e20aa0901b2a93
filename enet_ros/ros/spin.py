"""Run one node as a process."""

import rclpy
from rclpy.executors import ExternalShutdownException


def spin(make_node):
    """Spin the node that `make_node` returns until the process is told to end; return 0.

    The node's `close` is called before it is destroyed.
    """
    rclpy.init()
    node = None
    try:
        node = make_node()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # Ctrl-C and SIGTERM are how nodes end.
    except Exception:
        if rclpy.ok():
            raise
        # The signal took the middleware away under a callback that was publishing.
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
