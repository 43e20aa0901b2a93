"""Durations of a frame's stages, and percentiles of the newest measurements."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

HORIZON = 2.0  # seconds after which a window with a clock forgets values


class StageTimer:
    """Time the named stages of one frame, in milliseconds. clock returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.milliseconds: dict[str, float] = {}
        self._nested = 0.0  # seconds of the stages inside the current one

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a with statement, without the stages inside it.

        The time is added to the stage's duration.
        """
        start, outer_nested = self.clock(), self._nested
        self._nested = 0.0
        yield
        seconds = self.clock() - start
        own = 1e3 * (seconds - self._nested)
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + own
        self._nested = outer_nested + seconds


class RollingWindow:
    """The newest values of a measurement, for percentiles.

    Keeps at most `size` values. With a clock, values older than HORIZON are dropped, but the
    newest `min_kept` stay.
    """

    def __init__(self, size: int = 300, clock: Callable[[], float] | None = None,
                 min_kept: int = 0) -> None:
        self.clock, self.min_kept = clock, min_kept
        self._values: deque[tuple[float, float]] = deque(maxlen=size)  # (seconds, value)

    def add(self, value: float) -> None:
        self._values.append((self.clock() if self.clock else 0.0, value))

    def clear(self) -> None:
        self._values.clear()

    def values(self) -> list[float]:
        """Return the values, oldest first."""
        oldest = self.clock() - HORIZON if self.clock else 0.0
        while len(self._values) > self.min_kept and self._values[0][0] < oldest:
            self._values.popleft()
        return [value for _, value in self._values]

    def percentiles(self, *ranks: float) -> list[float]:
        """Return the percentiles at `ranks` (0-100); NaN each if there are no values."""
        values = self.values() or [math.nan]
        return [float(value) for value in np.percentile(values, ranks)]

    def percentile(self, rank: float) -> float:
        """Return the percentile at `rank` (0-100); 0 if there are no values."""
        value, = self.percentiles(rank)
        return 0.0 if math.isnan(value) else value
