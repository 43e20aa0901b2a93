"""Runs the whole pipeline once: camera, segmentation node and a client, each its own process."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.signals import SignalHandlerOptions

from enet_ros.errors import BadInput
from enet_ros.images.open_source import open_source
from enet_ros.ros.demo.client import CAMERA, SEGMENTER, Failed, Progress, WaitingNode

SYNTHETIC_SIZE = 640, 360  # pixels, of the street and of the network that sees it
ENDLESS_FRAMES = 100
CONFIGURE_WITHIN = 120.0   # seconds; loading and warming up a model
END_WITHIN = 5.0           # seconds a process has to end after each signal


class Process:
    """An executable of this package in a process of its own."""

    def __init__(self, name, arguments, log=None):
        self.name, self.log = name, log
        command = [str(Path(sys.argv[0]).absolute().with_name(name)), *arguments]
        # A session of its own: on Ctrl-C it is this program that ends it, in order.
        output = None if log is None else log.open('wb')
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                        stderr=output, start_new_session=True)

    def last_words(self):
        """Return its last error, or else its last line."""
        lines = self.log.read_text(errors='replace').splitlines()
        errors = [line for line in lines if line.startswith(('[ERROR]', '[FATAL]'))]
        return (errors or [line for line in lines if line.strip()] or ['it said nothing'])[-1]

    def end(self):
        """Wait for a process that was asked to end; insist where it does not."""
        for insistence in (signal.SIGTERM, signal.SIGKILL):
            try:
                return self.process.wait(END_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.send_signal(insistence)
        return self.process.wait()


class Conductor(WaitingNode):
    """Brings the processes up and sees that they stay up."""

    def __init__(self):
        super().__init__('demo')
        self.nodes = []

    def watch(self):
        for node in self.nodes:
            if node.process.poll() is not None:
                raise Failed(f'{node.name} ended by itself: {node.last_words()}')

    def start(self, name, parameters, remappings, out):
        """Start a node whose output goes to a log in the folder `out`."""
        settings = [f'{name}:={json.dumps(value)}' for name, value in parameters.items()]
        arguments = [part for setting in settings for part in ('-p', setting)]
        arguments += [part for rule in remappings for part in ('-r', rule)]
        self.nodes.append(Process(name, ['--ros-args', *arguments], out / f'{name}.log'))

    def change_state(self, transition, what):
        """Take the segmentation node through a transition."""
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = self.call(ChangeState, f'{SEGMENTER}/change_state', request,
                           answer_within=CONFIGURE_WITHIN)
        if not answer.success:
            raise Failed(f'segmentation_node cannot {what}: {self.nodes[-1].last_words()}')

    def check_active(self):
        state = self.call(GetState, f'{SEGMENTER}/get_state', GetState.Request()).current_state
        if state.id != State.PRIMARY_STATE_ACTIVE:
            raise Failed(f'segmentation_node is {state.label}, not active')

    def follow(self, client):
        """Wait for the client's end and return its exit code."""
        while client.process.poll() is None:
            self.watch()
            time.sleep(0.1)
        return client.process.returncode

    def end_all(self, processes):
        for process in processes:
            if process.process.poll() is None:
                process.process.send_signal(signal.SIGINT)
        for process in processes:
            process.end()


def run(options):
    """Start everything, follow it to its end, end it; return the client's exit code."""
    synthetic = options.source == 'synthetic'
    source = open_source(options.source)
    source.close()
    frames = options.frames or source.length or ENDLESS_FRAMES
    width, height = SYNTHETIC_SIZE if synthetic else (0, 0)
    width, height = options.width or width, options.height or height
    options.out.mkdir(parents=True, exist_ok=True)

    conductor = Conductor()
    processes = conductor.nodes
    show = Progress()
    try:
        show.step('starting replay_node and segmentation_node')
        conductor.start('replay_node', {
            'source': options.source, 'rate_hz': 0.0, 'loop': False,
            'width': SYNTHETIC_SIZE[0], 'height': SYNTHETIC_SIZE[1]}, [], options.out)
        model = {'model.path': options.model} if options.model else {}
        conductor.start('segmentation_node', {
            **model, 'input.width': width, 'input.height': height},
            [f'image:={CAMERA}/image', f'camera_info:={CAMERA}/camera_info'], options.out)
        show.step('configuring segmentation_node')
        conductor.change_state(Transition.TRANSITION_CONFIGURE, 'be configured')
        conductor.change_state(Transition.TRANSITION_ACTIVATE, 'be activated')
        conductor.check_active()
        show.clear()
        client = Process('demo_client', [
            '--frames', str(frames), '--rate', str(options.rate),
            '--sheet', str(options.out / 'contact_sheet.png'),
            '--title', f'enet_ros: {options.source}',
            *(['--one-by-one'] if source.files else []),
            *(['--calibrated'] if source.camera is not None else []),
            *(['--labelled'] if source.labeled else [])])
        processes = [client, *conductor.nodes]
        return conductor.follow(client)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ending is bounded already
        show.clear()
        conductor.end_all(processes)
        conductor.destroy_node()


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog='demo', description='Segment a camera through ROS 2 nodes and check the result.')
    parser.add_argument('--source', default='synthetic',
                        help='synthetic, an image, a folder, a video, a rosbag2, a camera index')
    parser.add_argument('--frames', type=int, default=0,
                        help='how many; default: all, and 100 of an endless source')
    parser.add_argument('--rate', type=float, default=10.0,
                        help='frames a second of a video or camera (default 10)')
    parser.add_argument('--out', type=Path, default=Path('demo_output'),
                        help='folder for the contact sheet and logs (default demo_output)')
    parser.add_argument('--model', default='', help='a shipped model or a .safetensors file')
    parser.add_argument('--width', type=int, default=0, help='of the network, pixels')
    parser.add_argument('--height', type=int, default=0, help='of the network, pixels')
    parser.add_argument('--domain', type=int, default=1 + os.getpid() % 100,
                        help="ROS_DOMAIN_ID; default: one that is not the robot's")
    return parser.parse_args(arguments)


def interrupt(number, frame):
    raise KeyboardInterrupt


def main():
    options = parse(sys.argv[1:])
    os.environ['ROS_DOMAIN_ID'] = str(options.domain)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        return run(options)
    except (Failed, BadInput) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('demo: interrupted', file=sys.stderr)
        return 130
    finally:
        rclpy.try_shutdown()
