"""Clocks that jump, and stamps from other clocks."""

import threading
from collections.abc import Callable

MAX_CLOCK_OFFSET = 10.0  # seconds between stamp and arrival, above which the clocks differ
LASTING = 3  # images in a row from another clock; fewer arrive while a clock jumps


class MonotonicClock:
    """Count the seconds that pass on another clock, starting at zero.

    Simulated time jumps back when a simulation or a bag starts again. A jump counts by its size,
    in either direction: a frame taken before it is too old after it. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the elapsed seconds."""
        with self._lock:
            now = self._clock()
            self._elapsed += abs(now - self._last)
            self._last = now
            return self._elapsed


class FrameAges:
    """Compute the ages of a camera's images when they arrive.

    Stamps far from the time of arrival are assumed to come from another clock: then ages count
    from arrival, and if that lasts, `warn` is called once with the reason and `remedy`.
    `clock_mismatch` tells whether the newest stamp was such a one.
    """

    def __init__(self, warn: Callable[[str], None], remedy: str) -> None:
        self.clock_mismatch = False
        self._warn, self._remedy = warn, remedy
        self._mismatches = 0  # in a row
        self._warned = False

    def on_arrival(self, stamp: float, now: float) -> float:
        """Return an image's age in milliseconds from its stamp and the current time, in seconds.

        Negative where the camera's clock is slightly ahead.
        """
        age = now - stamp
        self.clock_mismatch = abs(age) > MAX_CLOCK_OFFSET
        self._mismatches = self._mismatches + 1 if self.clock_mismatch else 0
        if not self.clock_mismatch:
            return 1e3 * age
        if self._mismatches >= LASTING and not self._warned:
            self._warned = True
            self._warn(f'stamps are {abs(age):.0f} s {"behind" if age > 0 else "ahead of"} the '
                       f'clock, so ages count from arrival; {self._remedy}')
        return 0.0
