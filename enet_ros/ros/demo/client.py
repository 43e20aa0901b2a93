"""Receives what the segmentation node publishes for the replay node's images, and scores it."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.executors import ExternalShutdownException
from rclpy.parameter import Parameter
from rclpy.time import Time
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from enet_ros.errors import BadInput
from enet_ros.images.contact_sheet import write_sheet
from enet_ros.labels import LabelSet
from enet_ros.msg import FrameTiming, LabelMap
from enet_ros.ros.demo.checks import output_encodings
from enet_ros.ros.demo.score import FrameMessages, Score
from enet_ros.ros.demo.status_line import StatusLine
from enet_ros.ros.demo.waiting_node import (
    CAMERA,
    LATCHED_QOS,
    QOS,
    SEGMENTER,
    START_TIMEOUT,
    DemoFailure,
    WaitingNode,
)
from enet_ros.ros.messages import label_set

FRAME_TIMEOUT = 5.0  # seconds until an image must have been segmented
Stamp = tuple[int, int]  # seconds, nanoseconds


class DemoClient(WaitingNode):
    """Collect both nodes' messages by stamp and score the complete frames."""

    def __init__(self, calibrated: bool, labeled: bool) -> None:
        super().__init__('demo_client')
        self.score: Score
        self.label_map: LabelMap | None = None
        self.finished: Stamp = (0, 0)  # stamp of the newest frame that is complete
        self.pending: dict[Stamp, FrameMessages] = {}
        self.received: Counter[str] = Counter()  # messages by topic
        self.needed = {'image', 'camera_info'} if calibrated else {'image'}
        self.inputs: dict[str, type] = {'image': Image, 'camera_info': CameraInfo, 'truth': Image}
        if not labeled:
            del self.inputs['truth']
        if not calibrated:
            del self.inputs['camera_info']
        self.create_subscription(LabelMap, f'{SEGMENTER}/label_map', self._on_label_map,
                                 LATCHED_QOS)

    def get_ready(self, expected: int) -> None:
        """Subscribe to everything, send images until one has all outputs, and restart the source.

        Until all subscriptions are discovered, some outputs are not published. Raise DemoFailure
        if it takes too long.
        """
        if not self.wait(lambda: self.label_map is not None, START_TIMEOUT):
            raise DemoFailure(f'no label_map from segmentation_node within {START_TIMEOUT:.0f} s; '
                         'is it active?')
        labels = label_set(self.label_map)
        self._subscribe(labels)
        self.score = Score(labels, expected)
        end = time.monotonic() + START_TIMEOUT
        while not self.score.segmented:
            if time.monotonic() > end:
                raise DemoFailure(self._missing_messages())
            if self.next_frame()[0] is None:
                self.restart()
            self.wait(lambda: self.score.segmented, 1.0)
        self.restart()
        self.score = Score(labels, expected, self.score.dropped_by_node)

    def next_frame(self) -> tuple[Stamp | None, str]:
        """Have the next frame sent; return its stamp, or None and the reason."""
        response = self.call(Trigger, f'{CAMERA}/next', Trigger.Request())
        if not response.success:
            return None, response.message
        seconds, nanoseconds = response.message.split('.')
        return (int(seconds), int(nanoseconds)), ''

    def restart(self) -> None:
        """Go back to the first frame of the source."""
        response = self.call(Trigger, f'{CAMERA}/restart', Trigger.Request())
        if not response.success:
            raise DemoFailure(f'replay_node: {response.message}')
        self.finished = max(self.pending, default=self.finished)
        self.pending.clear()

    def set_rate(self, rate_hz: float) -> None:
        """Have the replay node send frames at a rate."""
        parameter = Parameter('rate_hz', value=float(rate_hz)).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        result = self.call(SetParameters, f'{CAMERA}/set_parameters', request).results[0]
        if not result.successful:
            raise DemoFailure(f'replay_node rejects rate_hz {rate_hz}: {result.reason}')

    def wait_for_stamp(self, stamp: Stamp) -> bool:
        """Wait until the frame of a stamp is complete; return whether it is."""
        return self.wait(lambda: self.finished >= stamp, FRAME_TIMEOUT)

    def wait_for_segmented(self, count: int) -> bool:
        """Wait until a number of frames are segmented; return whether they are."""
        return self.wait(lambda: self.score.segmented >= count, FRAME_TIMEOUT)

    def _subscribe(self, labels: LabelSet) -> None:
        self.outputs: dict[str, type] = dict.fromkeys(output_encodings(labels), Image)
        self.outputs['timing'] = FrameTiming
        if 'camera_info' in self.inputs:
            self.outputs['camera_info'] = CameraInfo
        for node, topics in ((CAMERA, self.inputs), (SEGMENTER, self.outputs)):
            for topic, message_type in topics.items():
                self.create_subscription(message_type, f'{node}/{topic}',
                                         self._callback(node, topic), QOS)

    def _on_label_map(self, message: LabelMap) -> None:
        self.label_map = message

    def _callback(self, node: str, topic: str) -> Callable[[Any], None]:
        """Return the callback of one topic."""
        def store(message: Any) -> None:
            now = self.get_clock().now()
            self.received[f'{node}/{topic}'] += 1
            stamp = message.header.stamp.sec, message.header.stamp.nanosec
            if stamp <= self.finished:
                return
            frame = self.pending.setdefault(stamp, FrameMessages())
            (frame.inputs if node == CAMERA else frame.outputs)[topic] = message
            if (node, topic) == (CAMERA, 'image'):
                self.score.sent += 1
                self.score.last_sent = time.monotonic()
            if (node, topic) == (SEGMENTER, 'label'):
                frame.latency = (now - Time.from_msg(message.header.stamp)).nanoseconds / 1e9
            if len(frame.outputs) == len(self.outputs) and self.needed <= frame.inputs.keys():
                self._finish(stamp)
        return store

    def _finish(self, stamp: Stamp) -> None:
        """Score a complete frame. Topics keep their order: older frames get no more messages."""
        self.finished = stamp
        for older in sorted(past for past in self.pending if past < stamp):
            self.score.add_incomplete(self.pending.pop(older))
        self.score.add(self.pending.pop(stamp))

    def _missing_messages(self) -> str:
        """Return why no image got all its outputs."""
        topics = [f'{CAMERA}/{topic}' for topic in self.inputs]
        topics += [f'{SEGMENTER}/{topic}' for topic in self.outputs]
        silent = [topic for topic in topics if not self.received[topic]]
        if silent:
            return f'nothing was received within {START_TIMEOUT:.0f} s on {", ".join(silent)}'
        return (f'no image got all its outputs within {START_TIMEOUT:.0f} s, though messages were '
                'received on all topics: their stamps are not those of the images')


def segment_one_by_one(client: DemoClient, status: StatusLine) -> None:
    """Send each frame when the previous one is segmented."""
    score = client.score
    for number in range(1, score.expected + 1):
        stamp, reason = client.next_frame()
        if stamp is None:
            score.faults.append(f'only {number - 1} of {score.expected} frames could be sent: '
                                f'{reason}')
            return
        if not client.wait_for_stamp(stamp):
            score.faults.append(f'frame {number}: no outputs within {FRAME_TIMEOUT:.0f} s')
        status.update(score.progress())


def segment_at_rate(client: DemoClient, status: StatusLine, rate_hz: float) -> None:
    """Have frames sent at a rate until enough are segmented or the source has ended."""
    score = client.score
    client.set_rate(rate_hz)
    while score.segmented < score.expected:
        before = score.segmented
        if client.wait_for_segmented(before + 1):
            status.update(score.progress())
            continue
        if time.monotonic() - score.last_sent < FRAME_TIMEOUT / 2:
            score.faults.append(f'no image was segmented for {FRAME_TIMEOUT:.0f} s')
            return
        if client.next_frame()[0] is None:  # the source has ended
            return


def run(client: DemoClient, options: argparse.Namespace) -> int:
    """Receive, report and draw; return the exit code."""
    status = StatusLine()
    status.step('waiting for the first segmented frame')
    client.get_ready(options.frames)
    if options.one_by_one:
        segment_one_by_one(client, status)
    else:
        segment_at_rate(client, status, options.rate)
    status.clear()
    score = client.score
    if score.segmented:
        print('\n'.join(score.report()))
    else:
        score.faults.append('no image was segmented')
    if score.samples:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        write_sheet(options.sheet, score.draw_samples(options.title))
        print(f'sheet     {options.sheet}')
    for fault in score.faults[:5]:
        print(f'failed: {fault}', file=sys.stderr)
    if len(score.faults) > 5:
        print(f'failed: {len(score.faults) - 5} more', file=sys.stderr)
    return 1 if score.faults else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='demo_client', description=__doc__)
    parser.add_argument('--frames', type=int, default=100, help='number of frames to segment')
    parser.add_argument('--rate', type=float, default=10.0, help='frames per second')
    parser.add_argument('--one-by-one', action='store_true',
                        help='send each frame when the previous one is segmented')
    parser.add_argument('--calibrated', action='store_true', help='the source has camera_info')
    parser.add_argument('--labeled', action='store_true', help='the source has ground truth')
    parser.add_argument('--sheet', type=Path, default=Path('contact_sheet.png'),
                        help='the contact sheet to write')
    parser.add_argument('--title', default='segmentation_node', help='of the contact sheet')
    return parser.parse_args(arguments)


def main() -> int:
    options = parse(remove_ros_args(sys.argv)[1:])
    rclpy.init()
    client = DemoClient(options.calibrated, options.labeled)
    try:
        return run(client, options)
    except (DemoFailure, BadInput) as error:
        StatusLine().clear()
        print(f'failed: {error}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    finally:
        client.destroy_node()
        rclpy.try_shutdown()
