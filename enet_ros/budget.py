"""Where the milliseconds go. Clocks are arguments: seconds, never going back."""

from collections import deque
from contextlib import contextmanager

import numpy as np


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


class Recent:
    """The newest values of a measurement, for percentiles."""

    def __init__(self, size=300):
        self.values = deque(maxlen=size)

    def add(self, value):
        self.values.append(value)

    def percentiles(self, *ranks):
        """Return the percentiles at `ranks` (0-100); NaN each where nothing was measured."""
        if not self.values:
            return [float('nan')] * len(ranks)
        return [float(value) for value in np.percentile(self.values, ranks)]
