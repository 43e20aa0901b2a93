"""What the benchmarks of nodes share: processes on a DDS domain of their own, and a receiver."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rclpy
from enet_ros.msg import FrameTiming
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from enet_ros.benchmark.machine import describe_machine, is_busy
from enet_ros.ros.demo.waiting_node import DemoFailure, WaitingNode

NODES = Path(__file__).parent / 'nodes'
CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = (
    Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE)
CONFIGURE_WITHIN = 180.0  # seconds
ANSWER_WITHIN = 60.0  # seconds, of a label and of a service on a machine that is overloaded
END_WITHIN = 10.0  # seconds
SKIP = 3.0  # seconds at the begin of a turn that do not count: queues fill
QUIET = 2.0  # seconds without a label after which a node has worked off its queue


class Receipt(NamedTuple):
    """A message that came: its frame's number and stamp, and the time; seconds.

    timing is the message itself, of a FrameTiming only.
    """

    number: int
    stamp: float
    at: float
    timing: FrameTiming | None

    @property
    def age_ms(self):
        return 1e3 * (self.at - self.stamp)


class Rig(WaitingNode):
    """Starts nodes as processes, commands them and receives what they publish."""

    def __init__(self, folder):
        super().__init__('rig')
        self.folder = Path(folder)
        self.processes = {}  # by the node's name

    def start(self, program, name='', parameters=None, topics=None):
        """Start a program of benchmarks/nodes or of the package; return its process.

        topics are {its own name of a topic: the one to use}.
        """
        name, file = name or program, NODES / f'{program}.py'
        tell(f'starting {name}')
        executable = shutil.which(program)
        if not file.exists() and not executable:
            raise DemoFailure(f'there is no {program} on the PATH; start this by scripts/run')
        command = [sys.executable, file] if file.exists() else [executable]
        command += ['--ros-args', '-r', f'__node:={name}']
        for own, topic in (topics or {}).items():
            command += ['-r', f'{own}:={topic}']
        for key, value in (parameters or {}).items():
            command += ['-p', f'{key}:={json.dumps(value)}']
        with open(self._log(name), 'wb') as log:
            # A session of its own: on Ctrl-C it is this program that ends it.
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        return self.processes[name]

    def camera(self, name, topic, **parameters):
        """Start a camera, which sends nothing yet."""
        self.start('street_camera', name, parameters, {'image': topic})

    def bring_up(self, node):
        """Configure and activate a managed node."""
        self.change_state(node, CONFIGURE)
        self.change_state(node, ACTIVATE)

    def change_state(self, node, transition):
        """Take a managed node through a transition."""
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = self.call(ChangeState, f'/{node}/change_state', request,
                           discovery_timeout=CONFIGURE_WITHIN, timeout=CONFIGURE_WITHIN)
        if not answer.success:
            raise DemoFailure(f'{node} refuses transition {transition}: {self._last_words(node)}')

    def set(self, node, parameters):
        """Set parameters of a node, one after the other."""
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg()
            for name, value in parameters.items()])
        answer = self.call(SetParameters, f'/{node}/set_parameters', request,
                           discovery_timeout=CONFIGURE_WITHIN, timeout=ANSWER_WITHIN)
        for name, result in zip(parameters, answer.results):
            if not result.successful:
                raise DemoFailure(f'{node} refuses {name}: {result.reason}')

    def receive(self, topic, kind=Image, reliable=True):
        """Subscribe to a topic; return the list of Receipts that grows from now on."""
        receipts = []

        def keep(message):
            at, stamp = time.time(), message.header.stamp
            receipts.append(Receipt(int(message.header.frame_id),
                                    stamp.sec + 1e-9 * stamp.nanosec, at,
                                    message if kind is FrameTiming else None))

        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self.create_subscription(kind, topic, keep, QoSProfile(depth=20, reliability=reliability))
        return receipts

    def pause(self, seconds):
        """Receive for a time."""
        self.wait(lambda: False, seconds)

    def turn(self, camera, rate_hz, seconds, receipts, skip=SKIP):
        """Have a camera send until receipts have come for a time, then wait for silence.

        Return the (begin, end) between which messages count.
        """
        before = len(receipts)
        tell(f'{camera} sends at {rate_hz:g} Hz')
        self.set(camera, {'rate_hz': float(rate_hz)})
        if not self.wait(lambda: len(receipts) > before, ANSWER_WITHIN):
            raise DemoFailure(f'no output for the images of {camera} within '
                              f'{ANSWER_WITHIN:.0f} s')
        self.pause(skip)
        begin = time.time()
        self.pause(seconds)
        end = time.time()
        self.set(camera, {'rate_hz': 0.0})
        self.wait(lambda: time.time() - receipts[-1].at > QUIET, ANSWER_WITHIN)
        return begin, end

    def check_alive(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise DemoFailure(f'{name} ended by itself: {self._last_words(name)}')

    def end(self):
        """End all processes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(END_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, name):
        return self.folder / f'{name}.log'

    def _last_words(self, name):
        return (self._log(name).read_text(errors='replace').split('\n', 1)[-1].strip()[-600:]
                or 'it said nothing')


@contextmanager
def open_rig():
    """Yield a Rig on a domain of its own, or on ROS_DOMAIN_ID where that is set."""
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
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


def between(receipts, window):
    """Return the receipts within (begin, end)."""
    begin, end = window
    return [receipt for receipt in receipts if begin <= receipt.at < end]


def within(receipts, windows):
    """Return the receipts within any of several windows."""
    return [receipt for window in windows for receipt in between(receipts, window)]


def sent(receipts):
    """Return how many images a camera sent, by the numbers of those of which something came."""
    numbers = [receipt.number for receipt in receipts]
    return max(numbers) - min(numbers) + 1 if numbers else 0


def percentiles(values, *ranks):
    """Return percentiles as floats, NaN where there are no values."""
    values = list(values)
    return [float(np.percentile(values, rank)) if values else float('nan') for rank in ranks]


def process_status(pid):
    """Return a process's resident memory in MiB and its count of threads."""
    lines = dict(line.split(':', 1)
                 for line in Path(f'/proc/{pid}/status').read_text().splitlines())
    return int(lines['VmRSS'].split()[0]) / 1024, int(lines['Threads'])


def processor_ms(pid):
    """Return the processor time that a process has used."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return 1e3 * (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')  # user, system


def tell(text):
    """Tell who waits what is going on."""
    print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def print_machine():
    """Print the line that figures belong to."""
    machine = describe_machine()
    print(f'{machine["processor"]}, {machine["cores"]} cores, load {machine["load"]}'
          f'{" (busy: the figures are too slow)" if is_busy(machine) else ""}', end='; ')


def print_table(head, rows):
    """Print Markdown; floats with a digit after the point."""
    for row in (head, ['---'] * len(head), *rows):
        print('|', ' | '.join(f'{cell:.1f}' if isinstance(cell, float) else str(cell)
                              for cell in row), '|')


def print_bars(bars):
    """Print what was to be reached: (what, measured, bar, whether it is reached)."""
    print()
    print_table(('bar', 'measured', 'allowed', 'reached'),
                [(*cells, 'yes' if reached else '**no**') for *cells, reached in bars])
