"""The diagnostics of a lifecycle node on /diagnostics, once a second (REP-107)."""

import os
import resource
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from enet_ros.latency.admission import LATE, NO_TIME, TOO_OLD
from enet_ros.ros.stream import Stream
from enet_ros.ros.stream_statistics import Report

WARN_SILENCE = 2.0  # seconds without an image
STALE_SILENCE = 10.0  # seconds without an image
MAX_LATE_SHARE = 0.05  # of the images that are dropped for their age
MIN_PROCESSORS = 0.5  # used while the node works; with fewer, something else slows it down
OK, WARN, ERROR, STALE = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR,
                          DiagnosticStatus.STALE)


class DiagnosticTexts(NamedTuple):
    """What a node's work is called in its diagnostics.

    active: the message of a node that works. source: of its input. faster: the change that makes
    the work faster.
    """

    task: str
    active: str
    source: str
    faster: str


class NodeDiagnostics:
    """Publishes one status per stream, or one for the node while it is not active.

    Attributes to be set by the node:
        settings: texts about the configuration; empty while the node is not configured.
        current_values: returns texts about the present state of an active node.
        streams: those that are active.
        bond: whether an active node has a bond to a lifecycle manager.
        enabled: False while ~/enable switches the node off.
        error: why the node could not be configured or reloaded, or ''.
    """

    def __init__(self, node: Node, texts: DiagnosticTexts) -> None:
        self.settings: Mapping[str, str] = {}
        self.current_values: Callable[[], Mapping[str, str]] = dict
        self.streams: Sequence[Stream] = []
        self.bond = ''
        self.enabled = True
        self.error = ''
        self._node, self._texts = node, texts
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # The time of a simulation may stand still.
        self._timer = node.create_timer(1.0, self._publish,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        array.status = [self._stream_status(stream) for stream in self.streams]
        if not array.status:
            array.status = [self._status(self._texts.task, *self._inactive_verdict(), {})]
        self._publisher.publish(array)

    def _inactive_verdict(self) -> tuple[bytes, str]:
        if self.settings:
            return OK, 'configured, not active'
        if self.error:
            return ERROR, f'not configured: {self.error}'
        return OK, 'not configured'

    def _stream_status(self, stream: Stream) -> DiagnosticStatus:
        report = stream.statistics.report()
        level, message = self._verdict(stream, report)
        items = f'{stream.item}s'
        values = {
            **self.current_values(),
            f'{items} per second': f'{report.rates.get("received", 0):.1f}',
            'published per second': f'{report.rates.get("published", 0):.1f}',
            **{f'{items} {event}': str(count) for event, count in sorted(report.counts.items())},
            **{f'{stage} ms p50/p95/p99': '/'.join(f'{value:.1f}' for value in milliseconds)
               for stage, milliseconds in report.stages.items()},
            'processors used while working': f'{report.processors:.2f}',
            'bond to a lifecycle manager': self.bond,
            'last error': report.error or self.error,
        }
        return self._status(stream.name or self._texts.task, level, message, values)

    def _status(self, name: str, level: bytes, message: str,
                values: Mapping[str, str]) -> DiagnosticStatus:
        values = {**self.settings, **values, 'memory MB': f'{resident_mb():.0f}'}
        return DiagnosticStatus(
            level=level, name=f'{self._node.get_name()}: {name}', message=message,
            hardware_id=self.settings.get('engine', 'none'),
            values=[KeyValue(key=key, value=value) for key, value in values.items()])

    def _verdict(self, stream: Stream, report: Report) -> tuple[bytes, str]:
        """Return the level and the message of an active stream."""
        if not self.enabled:
            return OK, 'switched off by ~/enable'
        if report.silence > WARN_SILENCE:
            level = STALE if report.silence > STALE_SILENCE else WARN
            return level, self._silence_message(stream, report.silence)
        rates = report.rates
        if rates.get('dropped: failed') and not rates.get('published'):
            return ERROR, report.error
        if report.error_is_new:
            return WARN, report.error
        if self.error:
            return WARN, self.error
        if warnings := [*report.warnings, *stream.qos_mismatches.warnings()]:
            return WARN, '; '.join(warnings)
        received = rates.get('received', 0)
        late = sum(rates.get(f'dropped: {reason}', 0) for reason in (TOO_OLD, NO_TIME, LATE))
        if late > MAX_LATE_SHARE * received:
            too_old = rates.get(f'dropped: {TOO_OLD}', 0)
            return WARN, (f'{late:.1f} of {received:.1f} {stream.item}s per second are dropped '
                          f'for their age; {self._age_remedy(report, too_old > late / 2)}')
        return OK, self._texts.active

    def _age_remedy(self, report: Report, too_old_on_arrival: bool) -> str:
        """Return why items are too old, and what to do."""
        causes = []
        if too_old_on_arrival:
            causes.append('by their stamps most are too old when they arrive; check the '
                          f'transport, and the clock of {self._texts.source}')
        if report.processors < MIN_PROCESSORS:  # also delays arrival
            causes.append(f'the node gets only {report.processors:.2f} processors while it works; '
                          'end other programs, or raise its CPU limit')
        return '; '.join(causes) or (f'see the durations of the stages, and choose '
                                     f'{self._texts.faster} or a larger budget')

    def _silence_message(self, stream: Stream, seconds: float) -> str:
        text = f'no {stream.item} on {stream.input_topic} for {seconds:.0f} s; '
        types = {info.topic_type for info
                 in self._node.get_publishers_info_by_topic(stream.input_topic)}
        remap = f"remap the topic to {self._texts.source}'s"
        if not types:
            return text + f'nobody publishes there; {remap}'
        if stream.input_type not in types:
            return text + (f'{", ".join(sorted(types))} is published there and not '
                           f'{stream.input_type}; {remap}')
        return text + (f'somebody publishes there; check that {self._texts.source} runs, and '
                       'that large messages arrive (config/fastdds.xml)')


def resident_mb() -> float:
    """Return the memory of this process in 1e6 bytes."""
    try:
        with open('/proc/self/statm') as file:
            pages = int(file.read().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6
    except OSError:  # not Linux: the peak, in KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
