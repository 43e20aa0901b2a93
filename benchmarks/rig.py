"""Run nodes as processes in a DDS domain of their own, and receive what they publish."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rclpy
from enet_ros.msg import FrameTiming
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from sensor_msgs.msg import Image

from enet_ros.benchmark.machine import describe_machine, is_busy
from enet_ros.ros.demo.domain import claim_domain
from enet_ros.ros.demo.waiting_node import QOS, DemoFailure, WaitingNode

NODES = Path(__file__).parent / 'nodes'
CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = (
    Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE)
CONFIGURE_TIMEOUT = 180.0  # seconds
RESPONSE_TIMEOUT = 60.0  # seconds, for a label or a service on an overloaded machine
EXIT_TIMEOUT = 10.0  # seconds
SETTLING_TIME = 3.0  # seconds at the start of a turn that do not count: queues fill
QUIET_TIME = 2.0  # seconds without a label after which a node's queue is empty

Window = tuple[float, float]  # begin and end, seconds of time.time()
Target = tuple[str, object, object, bool]  # name, measured value, limit, whether it is met


class Receipt(NamedTuple):
    """A received message: number and stamp of its frame, and when it was received; seconds.

    message: kept if it is a FrameTiming, otherwise None.
    size: width and height in pixels if it is an Image.
    """

    number: int
    stamp: float
    received_at: float
    message: FrameTiming | None
    size: tuple[int, int] | None = None

    @property
    def age_ms(self) -> float:
        return 1e3 * (self.received_at - self.stamp)

    @property
    def timing(self) -> FrameTiming:
        assert self.message is not None
        return self.message


class Rig(WaitingNode):
    """Starts nodes as processes, controls them and receives what they publish."""

    def __init__(self, folder: str) -> None:
        super().__init__('rig')
        self.folder = Path(folder)  # of the logs
        self.processes: dict[str, subprocess.Popen[bytes]] = {}  # by node name

    def start(self, program: str, name: str = '', parameters: Mapping[str, object] | None = None,
              topics: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
              ) -> 'subprocess.Popen[bytes]':
        """Start a program of benchmarks/nodes or of the package; return its process.

        topics: the node's topic names, and the names to remap them to.
        prefix: a command that starts another one, such as nice with its arguments.
        """
        name, file = name or program, NODES / f'{program}.py'
        report_progress(f'starting {name}')
        executable = shutil.which(program)
        if not file.exists() and not executable:
            raise DemoFailure(f'{program} is not on the PATH; use scripts/run')
        program_command = [sys.executable, str(file)] if file.exists() else [str(executable)]
        command = [*prefix, *program_command, '--ros-args', '-r', f'__node:={name}']
        for own, topic in (topics or {}).items():
            command += ['-r', f'{own}:={topic}']
        for key, value in (parameters or {}).items():
            command += ['-p', f'{key}:={json.dumps(value)}']
        with open(self._log(name), 'wb') as log:
            # In a session of its own, so that Ctrl-C reaches only this program, which ends it.
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        return self.processes[name]

    def camera(self, name: str, topic: str, **parameters: object) -> None:
        """Start a camera that sends nothing yet."""
        self.start('street_camera', name, parameters, {'image': topic})

    def bring_up(self, node: str) -> None:
        """Configure and activate a managed node, which may be named with its namespace."""
        self.change_state(node, CONFIGURE)
        self.change_state(node, ACTIVATE)

    def change_state(self, node: str, transition: int) -> None:
        """Make a managed node do a transition."""
        request = ChangeState.Request(transition=Transition(id=transition))
        response = self.call(ChangeState, f'/{node}/change_state', request,
                             discovery_timeout=CONFIGURE_TIMEOUT, timeout=CONFIGURE_TIMEOUT)
        if not response.success:
            raise DemoFailure(f'transition {transition} of {node} failed: {self._log_tail(node)}')

    def set(self, node: str, parameters: Mapping[str, object],
            timeout: float = RESPONSE_TIMEOUT) -> None:
        """Set parameters of a node, one after another."""
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg()
            for name, value in parameters.items()])
        response = self.call(SetParameters, f'/{node}/set_parameters', request,
                             discovery_timeout=CONFIGURE_TIMEOUT, timeout=timeout)
        for name, result in zip(parameters, response.results):
            if not result.successful:
                raise DemoFailure(f'{node} rejected parameter {name}: {result.reason}')

    def receive(self, topic: str, message_type: type = Image,
                reliable: bool = True) -> list[Receipt]:
        """Subscribe to a topic; return a list to which each message adds a Receipt."""
        receipts: list[Receipt] = []

        def append(message: Image | FrameTiming) -> None:
            now, stamp = time.time(), message.header.stamp
            receipts.append(Receipt(int(message.header.frame_id),
                                    stamp.sec + 1e-9 * stamp.nanosec, now,
                                    message if message_type is FrameTiming else None,
                                    (message.width, message.height) if message_type is Image
                                    else None))

        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self.create_subscription(message_type, topic, append,
                                 QoSProfile(depth=20, reliability=reliability))
        return receipts

    def receive_ages(self, topic: str, message_type: type) -> list[float]:
        """Subscribe to a topic; return a list to which each message adds its age, milliseconds."""
        ages: list[float] = []

        def append_age(message: Any) -> None:
            age = self.get_clock().now() - Time.from_msg(message.header.stamp)
            ages.append(1e-6 * age.nanoseconds)

        self.create_subscription(message_type, topic, append_age, QOS)
        return ages

    def pause(self, seconds: float) -> None:
        """Receive messages for some seconds."""
        self.wait(lambda: False, seconds)

    def turn(self, camera: str, rate_hz: float, seconds: float,
             receipts: Sequence[Receipt]) -> Window:
        """Let a camera send for some seconds, then stop it and wait until receipts end.

        Return the window in which messages count: `seconds` after the nodes have settled.
        """
        before = len(receipts)
        report_progress(f'{camera} sends at {rate_hz:g} Hz')
        self.set(camera, {'rate_hz': float(rate_hz)})
        if not self.wait(lambda: len(receipts) > before, RESPONSE_TIMEOUT):
            raise DemoFailure(f'no output for the images of {camera} within '
                              f'{RESPONSE_TIMEOUT:.0f} s')
        self.pause(SETTLING_TIME)
        begin = time.time()
        self.pause(seconds)
        end = time.time()
        self.set(camera, {'rate_hz': 0.0})
        self.wait(lambda: time.time() - receipts[-1].received_at > QUIET_TIME, RESPONSE_TIMEOUT)
        return begin, end

    def check_alive(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise DemoFailure(f'{name} ended unexpectedly: {self._log_tail(name)}')

    def end(self) -> None:
        """End all processes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, name: str) -> Path:
        return self.folder / f'{name.rpartition("/")[2]}.log'

    def _log_tail(self, name: str) -> str:
        text = self._log(name).read_text(errors='replace').split('\n', 1)[-1].strip()
        return text[-600:] or 'its log is empty'


@contextmanager
def open_rig() -> Iterator[Rig]:
    """Yield a Rig in a DDS domain of its own, or in ROS_DOMAIN_ID if that is set."""
    if 'ROS_DOMAIN_ID' not in os.environ:
        os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(folder)
        try:
            yield rig
        except DemoFailure as error:
            sys.exit(f'failed: {error}')
        finally:
            rig.end()
            rig.destroy_node()
            rclpy.try_shutdown()


def between(receipts: Iterable[Receipt], window: Window) -> list[Receipt]:
    """Return the receipts within a window."""
    begin, end = window
    return [receipt for receipt in receipts if begin <= receipt.received_at < end]


def within(receipts: Sequence[Receipt], windows: Iterable[Window]) -> list[Receipt]:
    """Return the receipts within any of several windows."""
    return [receipt for window in windows for receipt in between(receipts, window)]


def sent(receipts: Iterable[Receipt]) -> int:
    """Return how many images a camera sent, by the frame numbers of the receipts."""
    numbers = [receipt.number for receipt in receipts]
    return max(numbers) - min(numbers) + 1 if numbers else 0


def percentiles(values: Iterable[float], *ranks: float) -> list[float]:
    """Return the percentiles at `ranks` (0-100); NaN each if there are no values."""
    values = list(values)
    return [float(np.percentile(values, rank)) if values else float('nan') for rank in ranks]


def process_status(pid: int) -> tuple[float, int]:
    """Return a process's heap and stacks in MiB, and its number of threads.

    Pages of files are left out: the system takes them away and brings them back.
    """
    lines = dict(line.split(':', 1)
                 for line in Path(f'/proc/{pid}/status').read_text().splitlines())
    return int(lines['RssAnon'].split()[0]) / 1024, int(lines['Threads'])


def cpu_ms(pid: int) -> float:
    """Return the CPU time in milliseconds that a process has used."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return 1e3 * (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')  # user, system


def report_progress(text: str) -> None:
    """Print a line of progress to stderr."""
    print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def print_machine() -> None:
    """Print the processor and its load, without a line break."""
    machine = describe_machine()
    print(f'{machine["processor"]}, {machine["cores"]} cores, load {machine["load"]}'
          f'{" (busy: the figures are too high)" if is_busy(machine) else ""}', end='; ')


def print_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table; floats have one decimal."""
    for row in (head, ['---'] * len(head), *rows):
        print('|', ' | '.join(f'{cell:.1f}' if isinstance(cell, float) else str(cell)
                              for cell in row), '|')


def print_targets(targets: Iterable[Target]) -> None:
    """Print each target, the measured value, its limit, and whether it is met."""
    print()
    print_table(('target', 'measured', 'limit', 'met'),
                [(*cells, 'yes' if met else '**no**') for *cells, met in targets])
