"""Run the whole pipeline once: camera, segmentation node and client, each in its own process."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.signals import SignalHandlerOptions

from enet_ros.errors import BadInput
from enet_ros.images.open_source import open_source
from enet_ros.ros.demo.client import CAMERA, SEGMENTER
from enet_ros.ros.demo.status_line import StatusLine
from enet_ros.ros.demo.waiting_node import DemoFailure, WaitingNode

SYNTHETIC_SIZE = 640, 360  # pixels, of the street and of the network that sees it
ENDLESS_FRAMES = 100
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
    """Starts the processes and raises DemoFailure if one ends by itself."""

    def __init__(self) -> None:
        super().__init__('demo')
        self.processes: list[Process] = []

    def check_alive(self) -> None:
        for node in self.processes:
            if node.process.poll() is not None:
                raise DemoFailure(f'{node.name} ended by itself: {node.last_message()}')

    def start(self, name: str, parameters: dict[str, object], remappings: list[str],
                  out: Path) -> None:
        """Start a node whose output goes to a log in the folder `out`."""
        settings = [f'{name}:={json.dumps(value)}' for name, value in parameters.items()]
        arguments = [part for setting in settings for part in ('-p', setting)]
        arguments += [part for rule in remappings for part in ('-r', rule)]
        self.processes.append(Process(name, ['--ros-args', *arguments], out / f'{name}.log'))

    def change_state(self, transition: int, what: str) -> None:
        """Take the segmentation node through a transition."""
        request = ChangeState.Request(transition=Transition(id=transition))
        response = self.call(ChangeState, f'{SEGMENTER}/change_state', request,
                           timeout=CONFIGURE_TIMEOUT)
        if not response.success:
            reason = self.processes[-1].last_message()
            raise DemoFailure(f'segmentation_node cannot {what}: {reason}')

    def check_active(self) -> None:
        state = self.call(GetState, f'{SEGMENTER}/get_state', GetState.Request()).current_state
        if state.id != State.PRIMARY_STATE_ACTIVE:
            raise DemoFailure(f'segmentation_node is {state.label}, not active')

    def follow(self, client: Process) -> int:
        """Wait until the client ends and return its exit code."""
        while client.process.poll() is None:
            self.check_alive()
            time.sleep(0.1)
        return client.process.returncode

    def end_all(self, processes: list[Process]) -> None:
        for process in processes:
            if process.process.poll() is None:
                process.process.send_signal(signal.SIGINT)
        for process in processes:
            process.end()


def run(options: argparse.Namespace) -> int:
    """Start everything, wait for the client and stop everything; return its exit code."""
    synthetic = options.source == 'synthetic'
    source = open_source(options.source)
    source.close()
    labeled = source.labeled
    frames = options.frames or source.length or ENDLESS_FRAMES
    width, height = SYNTHETIC_SIZE if synthetic else (0, 0)
    if options.model:
        from enet_ros.labels import CAMVID
        from enet_ros.models.loading import read_model_spec  # takes seconds, like torch
        from enet_ros.models.onnx_spec import OnnxSpec
        spec = read_model_spec(options.model)
        if isinstance(spec, OnnxSpec):  # which may take its own size only
            width, height = 0, 0
        if synthetic:  # whose ground truth has the classes of CamVid
            labeled = spec.labels.names == CAMVID.names
    width, height = options.width or width, options.height or height
    options.out.mkdir(parents=True, exist_ok=True)

    supervisor = Supervisor()
    processes = supervisor.processes
    status = StatusLine()
    try:
        status.step('starting replay_node and segmentation_node')
        supervisor.start('replay_node', {
            'source': options.source, 'rate_hz': 0.0, 'loop': False,
            'width': SYNTHETIC_SIZE[0], 'height': SYNTHETIC_SIZE[1]}, [], options.out)
        model = {'model.path': options.model} if options.model else {}
        supervisor.start('segmentation_node', {
            **model, 'input.width': width, 'input.height': height},
            [f'image:={CAMERA}/image', f'camera_info:={CAMERA}/camera_info'], options.out)
        status.step('configuring segmentation_node')
        supervisor.change_state(Transition.TRANSITION_CONFIGURE, 'be configured')
        supervisor.change_state(Transition.TRANSITION_ACTIVATE, 'be activated')
        supervisor.check_active()
        status.clear()
        client = Process('demo_client', [
            '--frames', str(frames), '--rate', str(options.rate),
            '--sheet', str(options.out / 'contact_sheet.png'),
            '--title', f'enet_ros: {options.source}',
            *(['--one-by-one'] if source.files else []),
            *(['--calibrated'] if source.camera is not None else []),
            *(['--labeled'] if labeled else [])])
        processes = [client, *supervisor.processes]
        return supervisor.follow(client)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ending is bounded already
        status.clear()
        supervisor.end_all(processes)
        supervisor.destroy_node()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='demo', description='Segment a camera through ROS 2 nodes and check the result.')
    parser.add_argument('--source', default='synthetic',
                        help='synthetic, an image, a folder, a video, a rosbag2, a camera index')
    parser.add_argument('--frames', type=int, default=0,
                        help='number of frames; default: all, or 100 of an endless source')
    parser.add_argument('--rate', type=float, default=10.0,
                        help='frames per second of a video or camera (default 10)')
    parser.add_argument('--out', type=Path, default=Path('demo_output'),
                        help='folder for the contact sheet and logs (default demo_output)')
    parser.add_argument('--model', default='',
                        help='a shipped model, or a .safetensors or .onnx file')
    parser.add_argument('--width', type=int, default=0, help='of the network, pixels')
    parser.add_argument('--height', type=int, default=0, help='of the network, pixels')
    parser.add_argument('--domain', type=int, default=1 + os.getpid() % 100,
                        help="ROS_DOMAIN_ID; default: one that is not the robot's")
    return parser.parse_args(arguments)


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = parse(sys.argv[1:])
    os.environ['ROS_DOMAIN_ID'] = str(options.domain)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        return run(options)
    except (DemoFailure, BadInput) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('demo: interrupted', file=sys.stderr)
        return 130
    finally:
        rclpy.try_shutdown()
