"""The main function of a process with nodes."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol, cast

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from enet_ros.ros.participant_id import own_participant_id


class ClosableNode(Protocol):
    """A node with a method that releases all its resources, whatever its state is."""

    def close(self) -> None:
        """Release all resources."""

    def destroy_node(self) -> None:
        """Destroy the node."""


def run_nodes(*make_nodes: Callable[[], ClosableNode]) -> int:
    """Create nodes and spin them until SIGINT or SIGTERM; return the exit code, 0."""
    interrupted = threading.Event()
    # rclpy calls this handler and then shuts the context down. With Python's own handler, Ctrl-C
    # would raise KeyboardInterrupt in the middle of whatever runs.
    signal.signal(signal.SIGINT, lambda number, stack: interrupted.set())
    rclpy.init()
    nodes: list[ClosableNode] = []
    try:
        executor = SingleThreadedExecutor()
        with own_participant_id():
            for make_node in make_nodes:
                nodes.append(make_node())
                executor.add_node(cast(Node, nodes[-1]))
        if not interrupted.is_set():  # between the handler above and rclpy's
            executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # the context was shut down while a callback was waiting
    except Exception:
        if rclpy.ok():
            raise
        # The context was shut down while a callback was using it.
    finally:
        for node in nodes:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    _exit_if_threads_are_busy()
    return 0


def _exit_if_threads_are_busy() -> None:
    """End the process at once if a thread is still in a native call, such as loading a model.

    The interpreter would take the thread's interpreter state away before the call returns.
    """
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
