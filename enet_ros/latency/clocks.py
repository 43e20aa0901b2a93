"""Times that are not to be trusted: clocks that jump, and stamps of other clocks."""

import threading

OTHER_CLOCK = 10.0  # seconds between stamp and arrival that no camera on the same clock has


class ForwardClock:
    """Runs as another clock does, but stands where that one jumps back; it starts at zero."""

    def __init__(self, clock):
        self._clock = clock
        self._last = clock()
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            now = self._clock()
            self._elapsed += max(now - self._last, 0.0)
            self._last = now
            return self._elapsed


class FrameAges:
    """Tells how old a camera's images are when they arrive.

    Stamps far from the time of arrival are of another clock and say nothing: then the time of
    arrival counts, and `warn` is called with the reason, once.
    """

    def __init__(self, warn):
        self.other_clock = False  # what the newest stamp was
        self._warn = warn
        self._warned = False

    def on_arrival(self, stamp, now):
        """Return an image's age from its stamp and the time, both in seconds of one clock.

        Negative where the camera's clock is a little ahead.
        """
        age = now - stamp
        self.other_clock = abs(age) > OTHER_CLOCK
        if not self.other_clock:
            return 1e3 * age
        if not self._warned:
            self._warned = True
            self._warn(f'stamps are {abs(age):.0f} s {"behind" if age > 0 else "ahead of"} the '
                       'clock, so ages count from arrival; set the clocks of camera and node '
                       'alike, or use_sim_time')
        return 0.0
