"""Statistics of a stream's frames, for the diagnostics; callable from any thread."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from enet_ros.timing import RollingWindow

PERCENTILES = 50, 95, 99


class Report(NamedTuple):
    """The statistics at a moment.

    counts: images since activation that were 'received', 'published' and 'dropped: <reason>'.
    rates: the same per second since the last report.
    stages: {stage: durations in milliseconds at PERCENTILES}.
    silence: seconds since the last image, or since activation.
    processors: how many the process used on average while it worked on recent images; NaN if it
        did not.
    error: the newest one, or ''; error_is_new if no earlier report had it.
    """

    counts: dict[str, int]
    rates: dict[str, float]
    stages: dict[str, list[float]]
    silence: float
    processors: float
    warnings: list[str]
    error: str
    error_is_new: bool


class StreamStatistics:
    """Counts frames, records the durations of stages and keeps warnings and the newest error.

    clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Forget everything and count from zero."""
        with self._lock:
            self._warnings: dict[str, str] = {}
            self._error = ''
            self._error_is_new = False
            self._last_received = self._last_report = self._clock()
            self._counts: Counter[str] = Counter()
            self._reported_counts: Counter[str] = Counter()
            self._stages: dict[str, RollingWindow] = {}
            self._processors = RollingWindow(100, self._clock)

    def received(self) -> None:
        """Count a received image."""
        with self._lock:
            self._last_received = self._clock()
            self._counts['received'] += 1

    def dropped(self, reason: str) -> None:
        """Count an image of which nothing is published."""
        with self._lock:
            self._counts[f'dropped: {reason}'] += 1

    def published(self) -> None:
        """Count an image with published outputs."""
        with self._lock:
            self._counts['published'] += 1

    def timed(self, stages: Mapping[str, float]) -> None:
        """Record the milliseconds of a frame's stages."""
        with self._lock:
            for stage, milliseconds in stages.items():
                self._stages.setdefault(stage, RollingWindow()).add(milliseconds)

    def used_processors(self, number: float) -> None:
        """Record how many processors the process used on average during the work on an image."""
        with self._lock:
            self._processors.add(number)

    def failed(self, error: Exception | str) -> None:
        """Keep an error, in one line, as the newest."""
        with self._lock:
            self._error = ' '.join(f'{error}'.split()) or type(error).__name__
            self._error_is_new = True

    def warn(self, subject: str, text: str = '') -> None:
        """Set the warning about a subject; '' clears it."""
        with self._lock:
            self._warnings[subject] = text

    @property
    def all_dropped(self) -> int:
        """The number of images dropped since activation for any reason."""
        with self._lock:
            return sum(count for event, count in self._counts.items()
                       if event.startswith('dropped'))

    def report(self) -> Report:
        """Return the statistics; the rates of the next report start here."""
        with self._lock:
            now = self._clock()
            seconds = max(now - self._last_report, 1e-3)
            rates = {event: (count - self._reported_counts[event]) / seconds
                     for event, count in self._counts.items()}
            stages = {stage: window.percentiles(*PERCENTILES)
                      for stage, window in self._stages.items()}
            report = Report(dict(self._counts), rates, stages, now - self._last_received,
                            self._processors.percentiles(50)[0],
                            [text for text in self._warnings.values() if text], self._error,
                            self._error_is_new)
            self._last_report, self._reported_counts = now, self._counts.copy()
            self._error_is_new = False
        return report
