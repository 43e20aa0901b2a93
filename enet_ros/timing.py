"""Durations of the stages of a frame, and percentiles of the newest measurements."""

from collections import deque
from contextlib import contextmanager

import numpy as np

HORIZON = 2.0  # seconds that a window with a clock looks back


class StageTimer:
    """Times the named stages of one frame."""

    def __init__(self, clock):
        self.clock = clock
        self.milliseconds = {}

    @contextmanager
    def stage(self, name):
        """Time the body of a with statement, adding to what the stage already took."""
        start = self.clock()
        yield
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + 1e3 * (self.clock() - start)


class RollingWindow:
    """The newest values of a measurement, for percentiles.

    `size` of them at most; with a clock, none that are older than HORIZON but the newest `least`.
    """

    def __init__(self, size=300, clock=None, least=0):
        self.clock, self.least = clock, least
        self._values = deque(maxlen=size)  # (when, value)

    def add(self, value):
        self._values.append((self.clock() if self.clock else 0.0, value))

    def clear(self):
        self._values.clear()

    def values(self):
        """Return the values, oldest first."""
        oldest = self.clock() - HORIZON if self.clock else 0.0
        while len(self._values) > self.least and self._values[0][0] < oldest:
            self._values.popleft()
        return [value for _, value in self._values]

    def percentiles(self, *ranks):
        """Return the percentiles at `ranks` (0-100); NaN each where nothing was measured."""
        values = self.values() or [float('nan')]
        return [float(value) for value in np.percentile(values, ranks)]

    def expected(self, rank):
        """Return one percentile; zero where nothing was measured, so that one tries and sees."""
        value, = self.percentiles(rank)
        return 0.0 if np.isnan(value) else value
