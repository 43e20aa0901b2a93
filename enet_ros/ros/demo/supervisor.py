"""The processes of a demo, and the node that starts, supervises and ends them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.signals import SignalHandlerOptions

from enet_ros.errors import BadInput
from enet_ros.ros.demo.domain import claim_domain
from enet_ros.ros.demo.status_line import StatusLine
from enet_ros.ros.demo.waiting_node import DemoFailure, WaitingNode

CONFIGURE_TIMEOUT = 120.0  # seconds; loading and warming up a model
END_TIMEOUT = 5.0          # seconds a process has to end after each signal


class Process:
    """An executable of this package in a process of its own."""

    def __init__(self, name: str, arguments: list[str], log: Path | None = None) -> None:
        self.name, self.log = name, log
        command = [str(Path(sys.argv[0]).absolute().with_name(name)), *arguments]
        # A session of its own: on Ctrl-C it is this program that ends it, in order.
        output = None if log is None else log.open('wb')
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                        stderr=output, start_new_session=True)

    def last_message(self) -> str:
        """Return the last error in its log, or else the last line."""
        lines = self.log.read_text(errors='replace').splitlines() if self.log else []
        errors = [line for line in lines if line.startswith(('[ERROR]', '[FATAL]'))]
        return (errors or [line for line in lines if line.strip()] or ['its log is empty'])[-1]

    def end(self) -> int:
        """Wait for a process that was told to end; terminate, then kill it if it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                return self.process.wait(END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.send_signal(number)
        return self.process.wait()


class Supervisor(WaitingNode):
    """Starts the processes; raises DemoFailure if a node ends by itself.

    interrupted: is set by Ctrl-C. KeyboardInterrupt is then raised while waiting; from the signal
        handler, it could be raised in the middle of a call of rclpy.
    """

    def __init__(self, interrupted: Event) -> None:
        super().__init__('demo')
        self.status, self._interrupted = StatusLine(), interrupted
        self._node_processes: dict[str, Process] = {}
        self._client_processes: list[Process] = []

    def check_alive(self) -> None:
        if self._interrupted.is_set():
            raise KeyboardInterrupt
        for node in self._node_processes.values():
            if node.process.poll() is not None:
                raise DemoFailure(f'{node.name} ended by itself: {node.last_message()}')

    def start(self, name: str, parameters: dict[str, object], remappings: list[str],
              out: Path) -> None:
        """Start a node whose output goes to a log in the folder `out`."""
        settings = [f'{name}:={json.dumps(value)}' for name, value in parameters.items()]
        arguments = [part for setting in settings for part in ('-p', setting)]
        arguments += [part for rule in remappings for part in ('-r', rule)]
        self._node_processes[name] = Process(name, ['--ros-args', *arguments], out / f'{name}.log')

    def bring_up(self, name: str) -> None:
        """Configure and activate a managed node that was started."""
        self.status.step(f'configuring {name}')
        self._change_state(name, Transition.TRANSITION_CONFIGURE, 'be configured')
        self._change_state(name, Transition.TRANSITION_ACTIVATE, 'be activated')
        state = self.call(GetState, f'/{name}/get_state', GetState.Request()).current_state
        if state.id != State.PRIMARY_STATE_ACTIVE:
            raise DemoFailure(f'{name} is {state.label}, not active')

    def run_client(self, name: str, arguments: list[str]) -> int:
        """Run an executable until it ends and return its exit code."""
        self.status.clear()
        client = Process(name, arguments)
        self._client_processes.append(client)
        while client.process.poll() is None:
            self.check_alive()
            time.sleep(0.1)
        return client.process.returncode

    def end_all(self) -> None:
        """End all processes, the clients first."""
        processes = [*self._client_processes, *self._node_processes.values()]
        for process in processes:
            if process.process.poll() is None:
                process.process.send_signal(signal.SIGINT)
        for process in processes:
            process.end()

    def _change_state(self, name: str, transition: int, what: str) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        response = self.call(ChangeState, f'/{name}/change_state', request,
                             timeout=CONFIGURE_TIMEOUT)
        if not response.success:
            raise DemoFailure(f'{name} cannot {what}: {self._node_processes[name].last_message()}')


def supervise(program: str, domain: int | None, run: Callable[[Supervisor], int]) -> int:
    """Return the exit code of a demo, run(supervisor), and end its processes in any case.

    program: its name in error messages. domain: ROS_DOMAIN_ID, or None for one of its own.
    """
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain() if domain is None else domain)
    interrupted = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: interrupted.set())
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        return _run(run, Supervisor(interrupted))
    except (DemoFailure, BadInput) as error:
        print(f'{program}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'{program}: interrupted', file=sys.stderr)
        return 130
    finally:
        rclpy.try_shutdown()


def _run(run: Callable[[Supervisor], int], supervisor: Supervisor) -> int:
    try:
        return run(supervisor)
    finally:
        supervisor.status.clear()
        supervisor.end_all()
        supervisor.destroy_node()
