"""Receives what the segmentation node makes of the replay node's images, checks and scores it."""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize
from enet_ros.msg import FrameTiming, LabelMap
from enet_ros.ros.convert import image_to_array
from enet_ros.ros.demo.checks import faults, output_encodings
from enet_ros.ros.label_messages import label_set

CAMERA, SEGMENTER = '/replay_node', '/segmentation_node'
ANSWER_WITHIN = 5.0  # seconds, for an image and for a service
SETTLE = 0.3         # seconds until a new client is known to its server
START_WITHIN = 60.0  # seconds, until everybody has found everybody
QOS = QoSProfile(depth=20, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)
SAMPLES = 3  # frames on the contact sheet
MASKS = 6    # of each of them


class Failed(Exception):
    """The nodes did not do what they should; one line for the user."""


class WaitingNode(Node):
    """A node that is spun while it waits for something, and only then."""

    def __init__(self, name):
        super().__init__(name)
        self.known = {}  # clients by the name of their service
        self.spinner = SingleThreadedExecutor()
        self.spinner.add_node(self)

    def watch(self):
        """Raise Failed where waiting has become pointless."""

    def wait(self, condition, seconds):
        """Spin until condition() holds, at most for some seconds; return whether it holds."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.watch()
            self.spinner.spin_once(timeout_sec=0.1)
        return condition()

    def call(self, kind, name, request, find_within=START_WITHIN, answer_within=ANSWER_WITHIN):
        """Return a service's response; raise Failed where none comes in time (seconds)."""
        future = self._client(kind, name, find_within).call_async(request)
        if not self.wait(future.done, answer_within):
            raise Failed(f'{name} did not answer within {answer_within:.0f} s')
        return future.result()

    def _client(self, kind, name, find_within):
        """Return the client of a service, made at its first call."""
        if name not in self.known:
            client = self.create_client(kind, name)
            if not self.wait(client.service_is_ready, find_within):
                raise Failed(f'there is no service {name} after {find_within:.0f} s')
            # The server finds the client a little later; sooner, its answer would be lost.
            self.wait(lambda: False, SETTLE)
            self.known[name] = client
        return self.known[name]


class Frame:
    """All messages of one stamp, by topic."""

    def __init__(self):
        self.inputs = {}
        self.outputs = {}
        self.latency = None  # seconds from the stamp until the label image was received


class Tally:
    """What came of the frames so far."""

    def __init__(self, labels, expected, baseline=0):
        self.labels = labels
        self.expected = expected
        self.baseline = baseline  # FrameTiming.dropped before the first frame
        self.sent = self.answered = self.unanswered = self.scored = self.dropped_by_node = 0
        self.heard = self.first = self.last = time.monotonic()
        self.latencies = []
        self.faults = []
        self.matrix = ConfusionMatrix(len(labels))
        self.samples = []
        self.sample_at = {expected * (2 * i + 1) // (2 * SAMPLES) for i in range(SAMPLES)}

    def add(self, frame):
        """Check and score the answer to one image."""
        wrong = faults(frame.inputs, frame.outputs, self.labels)
        self.faults += [f'frame {self.answered + 1}: {fault}' for fault in wrong]
        self.last = time.monotonic()
        self.first = self.first if self.answered else self.last
        self.latencies.append(frame.latency)
        self.dropped_by_node = frame.outputs['timing'].dropped - self.baseline
        if 'truth' in frame.inputs and not wrong:
            self.matrix.add(grey(frame.inputs['truth']), grey(frame.outputs['label']))
            self.scored += 1
        if not wrong and (self.answered in self.sample_at or not self.samples):
            self.samples = self.samples[-SAMPLES + 1:] + [frame]
        self.answered += 1

    def give_up(self, frame):
        """Count an image that gets no more answer; one answered in part is at fault."""
        if 'image' not in frame.inputs:
            self.faults.append(f'{", ".join(frame.outputs)}: with the stamp of no image')
            return
        if frame.outputs:
            self.faults += [f'an image was answered only in part: {fault}' for fault in
                            faults(frame.inputs, frame.outputs, self.labels)]
        self.unanswered += 1

    def rate(self):
        """Return the answers a second."""
        return (self.answered - 1) / max(self.last - self.first, 1e-9) if self.answered else 0.0

    def progress(self):
        """Return how far it is, in one short line."""
        newest = 1e3 * self.latencies[-1] if self.latencies else float('nan')
        return (f'frame {self.answered} of {self.expected}, {self.rate():.1f} Hz, '
                f'latency {newest:.0f} ms, dropped {self.unanswered}')

    def report(self):
        """Return the figures, a line each."""
        p50, p95, p99 = np.percentile(self.latencies, (50, 95, 99)) * 1e3
        lines = [
            f'frames    {self.sent} sent, {self.answered} answered and checked',
            f'rate      {self.rate():.1f} Hz',
            f'latency   p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms '
            '(label received - stamp of the image)',
            f'dropped   {self.unanswered} ({self.dropped_by_node} counted by segmentation_node)']
        if self.scored:
            lines.append(f'mIoU      {self.matrix.mean_iou():.4f} over {self.scored} frames')
            lines += [f'  {name:<14}{iou:.3f}'
                      for name, iou in zip(self.labels.names, self.matrix.iou())]
        return lines


class DemoClient(WaitingNode):
    """Gathers both nodes' messages by stamp and hands complete answers to its tally."""

    def __init__(self, calibrated, labelled):
        super().__init__('demo_client')
        self.tally = self.label_map = None
        self.since = (0, 0)  # stamp of the newest frame that is done with
        self.pending = {}
        self.came = Counter()  # messages by topic
        self.needed = {'image', 'camera_info'} if calibrated else {'image'}
        self.inputs = {'image': Image, 'camera_info': CameraInfo, 'truth': Image}
        if not labelled:
            del self.inputs['truth']
        if not calibrated:
            del self.inputs['camera_info']
        self.create_subscription(LabelMap, f'{SEGMENTER}/label_map', self._keep_map, LATCHED_QOS)

    def get_ready(self, expected):
        """Subscribe to everything; send images until one is answered whole; then start anew.

        Before that some subscriptions may not have been found yet, and what nobody subscribes to
        is not published. Raise Failed where it takes too long.
        """
        if not self.wait(lambda: self.label_map is not None, START_WITHIN):
            raise Failed(f'no label_map from segmentation_node within {START_WITHIN:.0f} s; '
                         'is it active?')
        labels = label_set(self.label_map)
        self._subscribe(labels)
        self.tally = Tally(labels, expected)
        end = time.monotonic() + START_WITHIN
        while not self.tally.answered:
            if time.monotonic() > end:
                raise Failed(self._what_is_missing())
            if self.next_frame()[0] is None:
                self.restart()
            self.wait(lambda: self.tally.answered, 1.0)
        self.restart()
        self.tally = Tally(labels, expected, self.tally.dropped_by_node)

    def next_frame(self):
        """Have the next frame sent; return its stamp, or None and why there is none."""
        answer = self.call(Trigger, f'{CAMERA}/next', Trigger.Request())
        if not answer.success:
            return None, answer.message
        return tuple(int(part) for part in answer.message.split('.')), ''

    def restart(self):
        """Go back to the first frame of the source."""
        answer = self.call(Trigger, f'{CAMERA}/restart', Trigger.Request())
        if not answer.success:
            raise Failed(f'replay_node: {answer.message}')
        self.since = max(self.pending, default=self.since)
        self.pending.clear()

    def set_rate(self, rate_hz):
        """Have the camera send by itself."""
        parameter = Parameter('rate_hz', value=float(rate_hz)).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        result = self.call(SetParameters, f'{CAMERA}/set_parameters', request).results[0]
        if not result.successful:
            raise Failed(f'replay_node refuses rate_hz {rate_hz}: {result.reason}')

    def _subscribe(self, labels):
        self.outputs = {**dict.fromkeys(output_encodings(labels), Image), 'timing': FrameTiming}
        if 'camera_info' in self.inputs:
            self.outputs['camera_info'] = CameraInfo
        for node, topics in ((CAMERA, self.inputs), (SEGMENTER, self.outputs)):
            for topic, kind in topics.items():
                self.create_subscription(kind, f'{node}/{topic}', self._keeper(node, topic), QOS)

    def _keep_map(self, message):
        self.label_map = message

    def _keeper(self, node, topic):
        """Return the callback of one topic."""
        def keep(message):
            now = self.get_clock().now()
            self.came[f'{node}/{topic}'] += 1
            stamp = message.header.stamp.sec, message.header.stamp.nanosec
            if stamp <= self.since:
                return
            frame = self.pending.setdefault(stamp, Frame())
            (frame.inputs if node == CAMERA else frame.outputs)[topic] = message
            if (node, topic) == (CAMERA, 'image'):
                self.tally.sent += 1
                self.tally.heard = time.monotonic()
            if (node, topic) == (SEGMENTER, 'label'):
                frame.latency = (now - Time.from_msg(message.header.stamp)).nanoseconds / 1e9
            if len(frame.outputs) == len(self.outputs) and self.needed <= frame.inputs.keys():
                self._finish(stamp)
        return keep

    def _finish(self, stamp):
        """Hand a complete frame on. Topics keep their order: older frames get no more messages."""
        self.since = stamp
        for older in sorted(past for past in self.pending if past < stamp):
            self.tally.give_up(self.pending.pop(older))
        self.tally.add(self.pending.pop(stamp))

    def _what_is_missing(self):
        topics = [f'{CAMERA}/{topic}' for topic in self.inputs]
        topics += [f'{SEGMENTER}/{topic}' for topic in self.outputs]
        silent = [topic for topic in topics if not self.came[topic]]
        if silent:
            return f'nothing came within {START_WITHIN:.0f} s on {", ".join(silent)}'
        return (f'no image was answered whole within {START_WITHIN:.0f} s, though messages came '
                'on all topics: their stamps are not those of the images')


def grey(message):
    """Return the pixels of a mono8 image, (H, W)."""
    return image_to_array(message).image[..., 0]


def one_by_one(client, show):
    """Send each frame when the last one is answered."""
    tally = client.tally
    for number in range(1, tally.expected + 1):
        stamp, reason = client.next_frame()
        if stamp is None:
            tally.faults.append(f'only {number - 1} of {tally.expected} frames could be sent: '
                                f'{reason}')
            return
        if not client.wait(lambda stamp=stamp: client.since >= stamp, ANSWER_WITHIN):
            tally.faults.append(f'frame {number}: no answer within {ANSWER_WITHIN:.0f} s')
        show.update(tally.progress())


def at_a_rate(client, show, rate_hz):
    """Have frames sent at a rate, until enough are answered or the source has ended."""
    tally = client.tally
    client.set_rate(rate_hz)
    while tally.answered < tally.expected:
        before = tally.answered
        if client.wait(lambda before=before: tally.answered > before, ANSWER_WITHIN):
            show.update(tally.progress())
            continue
        if time.monotonic() - tally.heard < ANSWER_WITHIN / 2:
            tally.faults.append(f'no image was answered for {ANSWER_WITHIN:.0f} s')
            return
        if client.next_frame()[0] is None:  # the source has ended
            return


class Progress:
    """One line on a terminal that says what is going on; elsewhere a line for each step."""

    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.updates = stream.isatty()

    def step(self, text):
        self._write(text, '' if self.updates else '\n')

    def update(self, text):
        if self.updates:
            self._write(text, '')

    def clear(self):
        if self.updates:
            self._write('', '')

    def _write(self, text, end):
        self.stream.write(f'\r\033[K{text}' if self.updates else f'{text}{end}')
        self.stream.flush()


def draw(tally, title):
    """Return the contact sheet of a tally's samples: pictures, then the largest masks."""
    areas = sum(np.bincount(grey(frame.outputs['label']).ravel(), minlength=256)
                for frame in tally.samples)[:len(tally.labels)]
    shown = sorted(np.argsort(-areas, kind='stable')[:MASKS])
    palette = tally.labels.palette()
    rows = []
    for frame in tally.samples:
        pictures = {'input': frame.inputs['image'], 'overlay': frame.outputs['overlay'],
                    'color': frame.outputs['color']}
        row = [(name, image_to_array(message).rgb()) for name, message in pictures.items()]
        if 'truth' in frame.inputs:
            row.append(('truth', colorize(grey(frame.inputs['truth']), palette)))
        masks = [f'mask/{tally.labels.classes[i].topic_name}' for i in shown]
        rows += [row, [(name, grey(frame.outputs[name])) for name in masks]]
    return contact_sheet(title, rows, tally.labels)


def run(client, options):
    """Receive, report and draw; return the exit code."""
    show = Progress()
    show.step('waiting for the first whole answer')
    client.get_ready(options.frames)
    if options.one_by_one:
        one_by_one(client, show)
    else:
        at_a_rate(client, show, options.rate)
    show.clear()
    tally = client.tally
    if tally.answered:
        print('\n'.join(tally.report()))
    else:
        tally.faults.append('no image was answered')
    if tally.samples:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        write_sheet(options.sheet, draw(tally, options.title))
        print(f'sheet     {options.sheet}')
    for fault in tally.faults[:5]:
        print(f'failed: {fault}', file=sys.stderr)
    if len(tally.faults) > 5:
        print(f'failed: {len(tally.faults) - 5} more', file=sys.stderr)
    return 1 if tally.faults else 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog='demo_client', description=__doc__)
    parser.add_argument('--frames', type=int, default=100, help='how many answers to wait for')
    parser.add_argument('--rate', type=float, default=10.0, help='frames a second to ask for')
    parser.add_argument('--one-by-one', action='store_true',
                        help='send each frame when the last one is answered; all must be')
    parser.add_argument('--calibrated', action='store_true', help='the source has camera_info')
    parser.add_argument('--labelled', action='store_true', help='the source has truth')
    parser.add_argument('--sheet', type=Path, default=Path('contact_sheet.png'),
                        help='the contact sheet to write')
    parser.add_argument('--title', default='segmentation_node', help='of the contact sheet')
    return parser.parse_args(arguments)


def main():
    options = parse(remove_ros_args(sys.argv)[1:])
    rclpy.init()
    client = DemoClient(options.calibrated, options.labelled)
    try:
        return run(client, options)
    except (Failed, BadInput) as error:
        Progress().clear()
        print(f'failed: {error}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    finally:
        client.destroy_node()
        rclpy.try_shutdown()
