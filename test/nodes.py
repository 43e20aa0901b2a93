"""Nodes as processes, and a probe that communicates with them over DDS. All waits are bounded."""

import os
import signal
import subprocess
import time
from contextlib import contextmanager

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from enet_ros.ros.demo.domain import claim_domain

DOMAIN = claim_domain()  # no other worker, run of the tests or benchmark in a test has it
TIMEOUT = 60.0  # seconds; far more than anything takes on a busy machine
RETRY_INTERVAL = 0.2  # seconds
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL,
                     reliability=ReliabilityPolicy.RELIABLE)
CAMERA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class NodeProcess:
    """An executable of the package that runs as a process of its own."""

    def __init__(self, executable, log, parameters=None, remaps=None, params_file=None):
        arguments = ['--ros-args', *(['--params-file', params_file] if params_file else [])]
        for name, value in (parameters or {}).items():
            arguments += ['-p', f'{name}:={value}']
        for name, target in (remaps or {}).items():
            arguments += ['-r', f'{name}:={target}']
        self.log = log
        with open(log, 'w') as output:
            self.process = subprocess.Popen(
                [executable, *arguments], stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, 'ROS_DOMAIN_ID': str(DOMAIN), 'OMP_NUM_THREADS': '1'})

    @property
    def alive(self):
        return self.process.poll() is None

    def output(self):
        """Return all that the process has printed."""
        return self.log.read_text()

    def stop(self, sign=signal.SIGINT):
        """End the process as Ctrl-C does and return its exit code."""
        if self.alive:
            self.process.send_signal(sign)
        try:
            return self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(TIMEOUT)
            raise


@contextmanager
def node_process(*args, **kwargs):
    """Run an executable for the body of a with statement."""
    process = NodeProcess(*args, **kwargs)
    try:
        yield process
    finally:
        process.stop()


class Probe:
    """A node that keeps the messages that it receives."""

    def __init__(self):
        self.context = rclpy.Context()
        self.context.init(domain_id=DOMAIN)
        self.node = rclpy.create_node('probe', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.received = {}
        self.subscribe(DiagnosticArray, '/diagnostics', 10)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def subscribe(self, kind, topic, qos=10):
        """Keep the messages of a topic in `received[topic]`."""
        messages = self.received[topic] = []
        return self.node.create_subscription(kind, topic, messages.append, qos)

    def poll(self, condition, seconds):
        """Spin until `condition()` is true, at most some seconds; return its last result."""
        end = time.monotonic() + seconds
        while not (result := condition()) and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        return result

    def wait(self, condition, what, seconds=TIMEOUT):
        """Spin until `condition()` is true and return its result; fail after a timeout."""
        result = self.poll(condition, seconds)
        assert result, f'no {what} within {seconds} s'
        return result

    def spin(self, seconds):
        """Spin for some seconds, to check that something does not happen."""
        self.poll(lambda: False, seconds)

    def send_request(self, kind, name, request):
        """Send a request to a service; return the client and the future of the response."""
        client = self.node.create_client(kind, name)
        self.wait(client.service_is_ready, f'service {name}')
        self._wait_for_discovery(name.rpartition('/')[0])
        return client, client.call_async(request)

    def _wait_for_discovery(self, node):
        """Wait until a node has discovered all clients; its response to an unknown one is lost.

        It discovers clients in the order of their creation, so a response to a new client means
        that it knows the others.
        """
        client = self.node.create_client(ListParameters, f'{node}/list_parameters')
        self.wait(client.service_is_ready, f'parameter services of {node}')
        futures = []

        def has_responded():
            futures.append(client.call_async(ListParameters.Request()))
            return self.poll(lambda: any(future.done() for future in futures), RETRY_INTERVAL)

        self.wait(has_responded, f'response of {node}')
        self.node.destroy_client(client)

    def call(self, kind, name, request):
        """Call a service and return its response."""
        client, future = self.send_request(kind, name, request)
        self.wait(future.done, f'response of {name}')
        self.node.destroy_client(client)
        return future.result()

    def change_state(self, node, transition):
        """Make a managed node do a transition; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, f'{node}/change_state', request).success

    def state(self, node):
        """Return the label of a managed node's state."""
        return self.call(GetState, f'{node}/get_state', GetState.Request()).current_state.label

    def bring_up(self, node):
        """Configure and activate a managed node."""
        assert self.change_state(node, Transition.TRANSITION_CONFIGURE)
        assert self.change_state(node, Transition.TRANSITION_ACTIVATE)
        assert self.call(GetState, f'{node}/get_state', GetState.Request()
                         ).current_state.id == State.PRIMARY_STATE_ACTIVE

    def set_parameter(self, node, name, value):
        """Set one parameter and return the result message."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(SetParameters, f'{node}/set_parameters', request).results[0]

    def get_parameter(self, node, name):
        """Return one parameter's ParameterValue message."""
        return self.call(GetParameters, f'{node}/get_parameters',
                         GetParameters.Request(names=[name])).values[0]

    def status(self, node):
        """Return the node's next diagnostic status."""
        del self.received['/diagnostics'][:]
        return self.wait(lambda: next((
            status for array in self.received['/diagnostics'] for status in array.status
            if status.name.startswith(node.strip('/'))), None), f'diagnostics of {node}')
