"""What a managed node tells its operators on /diagnostics, once a second (REP-107)."""

import os
import resource
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

from enet_ros.latency.admission import LATE, NO_TIME, TOO_OLD

SILENT_AFTER = 2.0  # seconds without an image before that is worth a warning
STALE_AFTER = 10.0  # seconds without an image after which results are of the past
LATE_SHARE = 0.05  # of the images, that may be dropped for their age
OK, WARN, ERROR, STALE = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR,
                          DiagnosticStatus.STALE)


class Words(NamedTuple):
    """How a node speaks of its work."""

    task: str
    doing: str
    source: str  # of what it works on
    faster: str  # what makes it so


class NodeDiagnostics:
    """Publishes a status for each camera, or one for the node while it is not active.

    words are the node's Words.
    """

    def __init__(self, node, words):
        self.node, self.words = node, words
        self.facts = {}  # texts: what was asked for and what was got, while it is configured
        self.present = dict  # returns texts of the moment
        self.streams = []  # while the node is active
        self.enabled = True
        self.error = ''  # why it could not be configured or reloaded
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Not the clock of a simulation, which may stand.
        self._timer = node.create_timer(1.0, self._publish,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self):
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        array.status = ([self._camera_status(stream) for stream in self.streams]
                        or [self._status(self.words.task, *self._inactive(), {})])
        self._publisher.publish(array)

    def _inactive(self):
        """Return the level and the words for a node that is not active."""
        if self.facts:
            return OK, 'configured, not active'
        if self.error:
            return ERROR, f'not configured: {self.error}'
        return OK, 'not configured'

    def _camera_status(self, stream):
        report = stream.statistics.report()
        level, message = self._verdict(stream, report)
        items = f'{stream.item}s'
        values = {
            **self.present(),
            f'{items} a second': f'{report.rates.get("received", 0):.1f}',
            'published a second': f'{report.rates.get("published", 0):.1f}',
            **{f'{items} {what}': count for what, count in sorted(report.counts.items())},
            **{f'{stage} ms p50/p95/p99': '/'.join(f'{value:.1f}' for value in milliseconds)
               for stage, milliseconds in report.stages.items()},
            'last error': report.error or self.error,
        }
        return self._status(stream.name or self.words.task, level, message, values)

    def _status(self, name, level, message, values):
        values = {**self.facts, **values, 'memory MB': f'{resident_mb():.0f}'}
        return DiagnosticStatus(
            level=level, name=f'{self.node.get_name()}: {name}', message=message,
            hardware_id=self.facts.get('engine', 'none'),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])

    def _verdict(self, stream, report):
        """Return the level and the one line that says how an active camera is."""
        if not self.enabled:
            return OK, 'switched off by ~/enable'
        if report.silence > SILENT_AFTER:
            return (STALE if report.silence > STALE_AFTER else WARN), self._silence(
                stream, report.silence)
        rates = report.rates
        if rates.get('dropped: failed') and not rates.get('published'):
            return ERROR, report.error
        if report.error_is_new:
            return WARN, report.error
        if self.error:
            return WARN, self.error
        if report.warnings:
            return WARN, '; '.join(report.warnings)
        late = sum(rates.get(f'dropped: {reason}', 0) for reason in (TOO_OLD, NO_TIME, LATE))
        if late > LATE_SHARE * rates.get('received', 0):
            return WARN, (f'{late:.1f} of {rates.get("received", 0):.1f} {stream.item}s a second '
                          'are dropped for their age; look where the milliseconds go, and choose '
                          f'{self.words.faster} or a larger budget')
        return OK, self.words.doing

    def _silence(self, stream, seconds):
        text = f'no {stream.item} on {stream.topic} for {seconds:.0f} s; '
        if not self.node.count_publishers(stream.topic):
            return text + f"nobody publishes there; remap the topic to {self.words.source}'s"
        return text + (f'somebody publishes there; check that {self.words.source} runs, and that '
                       'large images arrive at all (config/fastdds.xml)')


def resident_mb():
    """Return the memory that this process holds, in 1e6 bytes."""
    try:
        with open('/proc/self/statm') as file:
            pages = int(file.read().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6
    except OSError:  # not Linux: the most that it ever held, in KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
