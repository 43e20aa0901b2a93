"""Clocks that jump, and stamps from other clocks."""

import threading
from collections.abc import Callable

MAX_CLOCK_OFFSET = 10.0  # seconds between stamp and arrival, above which the clocks differ


class MonotonicClock:
    """Follow another clock forward, and stand still where it jumps back; start at zero.

    Simulated time jumps back when a simulation or a bag starts again. Thread-safe.
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
            self._elapsed += max(now - self._last, 0.0)
            self._last = now
            return self._elapsed


class FrameAges:
    """Compute the ages of a camera's images when they arrive.

    Stamps far from the time of arrival are assumed to come from another clock: then ages count
    from arrival, and `warn` is called once with the reason. `clock_mismatch` tells whether the
    newest stamp was such a one.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.clock_mismatch = False
        self._warn = warn
        self._warned = False

    def on_arrival(self, stamp: float, now: float) -> float:
        """Return an image's age in milliseconds from its stamp and the current time, in seconds.

        Negative where the camera's clock is slightly ahead.
        """
        age = now - stamp
        self.clock_mismatch = abs(age) > MAX_CLOCK_OFFSET
        if not self.clock_mismatch:
            return 1e3 * age
        if not self._warned:
            self._warned = True
            self._warn(f'stamps are {abs(age):.0f} s {"behind" if age > 0 else "ahead of"} the '
                       'clock, so ages count from arrival; synchronize the clocks of camera and '
                       'node, or set use_sim_time')
        return 0.0
