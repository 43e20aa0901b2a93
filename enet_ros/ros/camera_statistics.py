"""What becomes of one camera's frames, counted in any thread."""

import threading
import time
from collections import Counter
from typing import NamedTuple

from enet_ros.timing import RollingWindow

RANKS = (50, 95, 99)
NOTICE_REPORTS = 60


class Report(NamedTuple):
    """What is known at a moment; counts are since activation, rates a second of late."""

    counts: dict  # {'received', 'published', 'dropped: <reason>': images}
    rates: dict  # the same, since the last report
    stages: dict  # {stage: milliseconds at RANKS}
    silence: float  # seconds since an image came, or since the first is waited for
    warnings: list
    error: str  # the newest
    error_is_new: bool


class CameraStatistics:
    """Counts frames, times stages and keeps what went wrong."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self._lock = threading.Lock()
        self._notices = {}  # {text: reports that it is still in}
        self.restart()

    def restart(self):
        """Count anew, and forget what was wrong; notices, of which no more is heard, stay."""
        with self._lock:
            self._warnings = {}
            self._error = ''
            self._heard = self._reported = self.clock()
            self._counts, self._reported_counts = Counter(), Counter()
            self._stages = {}
            self._error_is_new = False

    def received(self):
        """Count an image that came."""
        with self._lock:
            self._heard = self.clock()
            self._counts['received'] += 1

    def dropped(self, reason):
        """Count an image of which nothing was published."""
        with self._lock:
            self._counts[f'dropped: {reason}'] += 1

    def published(self):
        """Count an image of which something was published."""
        with self._lock:
            self._counts['published'] += 1

    def timed(self, stages):
        """Keep the milliseconds of a frame's stages."""
        with self._lock:
            for stage, milliseconds in stages.items():
                self._stages.setdefault(stage, RollingWindow()).add(milliseconds)

    def failed(self, error):
        """Keep the newest error."""
        with self._lock:
            self._error = ' '.join(f'{error}'.split()) or type(error).__name__
            self._error_is_new = True

    def warn(self, about, text=''):
        """Set what is to be said about something until it is set again; '' takes it back."""
        with self._lock:
            self._warnings[about] = text

    def notice(self, text):
        """Have a text among the warnings of the next NOTICE_REPORTS reports."""
        with self._lock:
            self._notices[text] = NOTICE_REPORTS

    @property
    def all_dropped(self):
        """Return how many images were dropped since activation, for whatever reason."""
        with self._lock:
            return sum(count for what, count in self._counts.items() if what.startswith('dropped'))

    def report(self):
        """Return a Report; the next one's rates begin here."""
        with self._lock:
            now = self.clock()
            seconds = max(now - self._reported, 1e-3)
            rates = {what: (count - self._reported_counts[what]) / seconds
                     for what, count in self._counts.items()}
            report = Report(
                dict(self._counts), rates,
                {stage: recent.percentiles(*RANKS) for stage, recent in self._stages.items()},
                now - self._heard, [*filter(None, self._warnings.values()), *self._notices],
                self._error, self._error_is_new)
            self._reported, self._reported_counts = now, self._counts.copy()
            self._error_is_new = False
            self._notices = {text: left - 1 for text, left in self._notices.items() if left > 1}
        return report
