"""A node that spins only while it waits, for programs that go through steps."""

import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import ListParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

CAMERA, SEGMENTER = '/replay_node', '/segmentation_node'
QOS = QoSProfile(depth=20, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)
SERVICE_TIMEOUT = 5.0    # seconds until a service must have responded
START_TIMEOUT = 60.0     # seconds until all nodes must have discovered each other
RETRY_INTERVAL = 0.3     # seconds between requests to a node that may not know the client yet


class DemoFailure(Exception):
    """The nodes failed to do what the demo expects; one line for the user."""


class WaitingNode(Node):
    """A node that is spun while it waits for a condition, and only then."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.clients_by_name: dict[str, Any] = {}
        self.waiting_executor = SingleThreadedExecutor()
        self.waiting_executor.add_node(self)

    def check_alive(self) -> None:
        """Raise DemoFailure if waiting has become pointless."""

    def wait(self, condition: Callable[[], object], seconds: float) -> bool:
        """Spin until condition() holds, at most for a time; return whether it holds."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.check_alive()
            self.waiting_executor.spin_once(timeout_sec=0.1)
        return bool(condition())

    def call(self, service_type: type, name: str, request: object,
             timeout: float = SERVICE_TIMEOUT, discovery_timeout: float = START_TIMEOUT) -> Any:
        """Return a service's response; raise DemoFailure after a timeout in seconds."""
        future = self._client(service_type, name, discovery_timeout).call_async(request)
        if not self.wait(future.done, timeout):
            raise DemoFailure(f'{name} did not respond within {timeout:.0f} s')
        return future.result()

    def _client(self, service_type: type, name: str, timeout: float) -> Any:
        """Return the client of a service, created at the first call."""
        if name not in self.clients_by_name:
            client = self.create_client(service_type, name)
            if not self.wait(client.service_is_ready, timeout):
                raise DemoFailure(f'there is no service {name} after {timeout:.0f} s')
            self.wait_for_discovery(name.rpartition('/')[0], timeout)
            self.clients_by_name[name] = client
        return self.clients_by_name[name]

    def wait_for_discovery(self, node: str, timeout: float) -> None:
        """Wait until a node has discovered all clients; its response to an unknown one is lost.

        It discovers clients in the order of their creation, so a response to a new client means
        that it knows the others.
        """
        client = self.create_client(ListParameters, f'{node}/list_parameters')
        futures: list[Any] = []
        end = time.monotonic() + timeout
        while not any(future.done() for future in futures):
            if time.monotonic() > end:
                raise DemoFailure(f'{node} did not respond within {timeout:.0f} s')
            futures.append(client.call_async(ListParameters.Request()))
            self.wait(lambda: any(future.done() for future in futures), RETRY_INTERVAL)
        self.destroy_client(client)
