"""Run nodes as a process."""

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor


def spin(*make_nodes):
    """Spin the nodes that functions return until the process is told to end; return 0.

    The nodes' `close` is called before they are destroyed.
    """
    rclpy.init()
    executor, nodes = SingleThreadedExecutor(), []
    try:
        for make_node in make_nodes:
            nodes.append(make_node())
            executor.add_node(nodes[-1])
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # Ctrl-C and SIGTERM are how nodes end.
    except Exception:
        if rclpy.ok():
            raise
        # The signal took the middleware away under a callback that was publishing.
    finally:
        for node in nodes:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
