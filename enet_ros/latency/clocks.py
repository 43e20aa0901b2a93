"""Clocks that jump, and stamps from other clocks."""

import threading
from collections.abc import Callable

# Seconds of a stamp behind and ahead of the clock, above which it does not come from that clock.
MAX_BEHIND = 10.0
MAX_AHEAD = 1.0  # simulated clocks advance in steps
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

    Stamps far from the time of arrival come from another clock, or from before a jump of it. The
    first such images are as old as the difference is large, in either direction, so that limits
    on age drop them. If the difference lasts, ages count from arrival, and `warn` is called once
    with the reason and `remedy`. `mismatch` describes the newest stamp if it is such a one,
    otherwise it is ''.
    """

    def __init__(self, warn: Callable[[str], None], remedy: str) -> None:
        self.mismatch = ''
        self._warn, self._remedy = warn, remedy
        self._mismatches = 0  # in a row
        self._warned = False

    def on_arrival(self, stamp: float, now: float) -> float:
        """Return an image's age in milliseconds from its stamp and the current time, in seconds.

        Negative where the camera's clock is slightly ahead.
        """
        age = now - stamp
        if -MAX_AHEAD <= age <= MAX_BEHIND:
            self.mismatch, self._mismatches = '', 0
            return 1e3 * age
        self._mismatches += 1
        self.mismatch = (f'stamps are {abs(age):.0f} s {"behind" if age > 0 else "ahead of"} the '
                         f'clock, so ages count from arrival; {self._remedy}')
        if self._mismatches < LASTING:
            return 1e3 * abs(age)
        if not self._warned:
            self._warned = True
            self._warn(self.mismatch)
        return 0.0
