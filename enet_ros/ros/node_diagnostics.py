"""What the segmentation node tells its operators on /diagnostics, once a second (REP-107)."""

import threading
import time
from collections import Counter

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from enet_ros.budget import Recent

SILENT_AFTER = 2.0  # seconds without an image before that is worth a warning


class NodeDiagnostics:
    """Counts what happens to frames, in any thread, and publishes it."""

    def __init__(self, node, clock=time.monotonic):
        self.node = node
        self.clock = clock
        self._lock = threading.Lock()
        self._facts = {}
        self._topic = None      # of the images, while the node is active
        self._heard = 0.0       # when the last image came, or since when one is waited for
        self._counts = Counter()
        self._since_last = Counter()
        self._stages = {}
        self._error = ''
        self._error_is_new = False
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = node.create_timer(1.0, self._publish)

    def configured(self, facts):
        """Note what was asked for and what was got, as a dict of texts."""
        with self._lock:
            self._error = ''
            self._facts = facts

    def released(self):
        """Forget the model."""
        with self._lock:
            self._facts = {}

    def activated(self, topic):
        """Start counting anew; images come on `topic`."""
        with self._lock:
            self._topic, self._heard = topic, self.clock()
            self._counts.clear()
            self._stages = {}

    def deactivated(self):
        """Stop expecting images."""
        with self._lock:
            self._topic = None

    def received(self):
        """Count an image that came."""
        with self._lock:
            self._heard = self.clock()
            self._count('received')

    def dropped(self, reason):
        """Count an image that was not segmented."""
        with self._lock:
            self._count(f'dropped: {reason}')

    @property
    def all_dropped(self):
        """Return how many images were dropped since activation, for whatever reason."""
        with self._lock:
            return sum(count for what, count in self._counts.items() if what.startswith('dropped'))

    def segmented(self, stages, total):
        """Count a segmented image and keep its milliseconds by stage."""
        with self._lock:
            self._count('segmented')
            for stage, milliseconds in {**stages, 'total': total}.items():
                self._stages.setdefault(stage, Recent()).add(milliseconds)

    def failed(self, error):
        """Keep the newest error."""
        with self._lock:
            self._error = ' '.join(f'{error}'.split()) or type(error).__name__
            self._error_is_new = True

    def _count(self, what):
        self._counts[what] += 1
        self._since_last[what] += 1

    def _publish(self):
        with self._lock:
            level, message = self._verdict()
            values = {
                **self._facts,
                'images a second': self._since_last['received'],
                'segmented a second': self._since_last['segmented'],
                **{f'images {what}': count for what, count in sorted(self._counts.items())},
                **{f'{stage} ms p50/p95/p99':
                   '/'.join(f'{value:.1f}' for value in recent.percentiles(50, 95, 99))
                   for stage, recent in self._stages.items()},
                'last error': self._error,
            }
            self._since_last.clear()
            self._error_is_new = False
        status = DiagnosticStatus(
            level=level, name=f'{self.node.get_name()}: segmentation', message=message,
            hardware_id=self._facts.get('engine', 'none'),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _verdict(self):
        """Return the level and the one line that says how the node is."""
        if not self._facts:
            if self._error:
                return DiagnosticStatus.ERROR, f'not configured: {self._error}'
            return DiagnosticStatus.OK, 'not configured'
        if self._topic is None:
            return DiagnosticStatus.OK, 'configured, not active'
        if self._error_is_new:
            return DiagnosticStatus.WARN, self._error
        silence = self.clock() - self._heard
        if silence > SILENT_AFTER:
            return DiagnosticStatus.WARN, (
                f'no image on {self._topic} for {silence:.0f} s; check that the camera publishes '
                'there, and that large images arrive at all (config/fastdds.xml)')
        return DiagnosticStatus.OK, 'segmenting'
