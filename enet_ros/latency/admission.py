"""Where the milliseconds go, and whether a frame can still be published in time.

Clocks are arguments: seconds, never going back. A frame's age is the time since its image was
taken, in milliseconds.
"""


import numpy as np

from enet_ros.timing import RollingWindow

# Why a frame is dropped.
TOO_OLD, NO_TIME, LATE = 'too old on arrival', 'no time left', 'late'
HORIZON = 2.0  # seconds that predictions look back: slow times are soon learnt, and forgotten
PROBE_EVERY = 1.0  # seconds
TELLING = 3  # frames: fewer do not tell the usual from a hiccup, unless they took long


class AdmissionControl:
    """Decides which frames of a camera are worth the work, and which may leave.

    Limits are in milliseconds; 0 means none. Each answer is why the frame is dropped, or ''.
    """

    def __init__(self, clock):
        self.clock = clock
        self._work = RollingWindow(100, clock, least=TELLING)
        self._leaving = RollingWindow(100, clock)
        self._last_work = -np.inf

    def on_arrival(self, age, max_age):
        return TOO_OLD if 0 < max_age < age else ''

    def before_work(self, age, budget):
        """Drop a frame that would rather not be in time; try one a second in any case.

        The median decides: a frame with an even chance is worth the work, for what is late in
        the end is withheld. The first few are tried: one of them may have met a hiccup.
        """
        in_time = not budget or age + self._expected_work() <= budget
        if not in_time and self.clock() - self._last_work < PROBE_EVERY:
            return NO_TIME
        self._last_work = self.clock()
        return ''

    def before_leaving(self, age, budget):
        """Withhold a frame that would leave late; publishing itself takes time too."""
        return LATE if 0 < budget < age + self._expected_leaving() else ''

    def _expected_work(self):
        worked = self._work.values()
        telling = len(worked) >= TELLING or sum(worked) > 1e3 * PROBE_EVERY
        return self.likely_work() if telling else 0.0

    def _expected_leaving(self):
        leaving = self._leaving.values()
        # The lower of two values keeps one hiccup from withholding all that comes after it.
        return np.percentile(leaving, 95, method='lower') if len(leaving) > 1 else 0.0

    def likely_work(self):
        """Return the milliseconds that a frame likely takes, from being taken up until it left."""
        return self._work.expected(50) + self._leaving.expected(50)

    def worked(self, milliseconds):
        """Learn how long a frame took from being taken up until it was ready to leave."""
        self._work.add(milliseconds)
        self._last_work = self.clock()

    def left(self, milliseconds):
        """Learn how long it took to hand a frame's results to the middleware."""
        self._leaving.add(milliseconds)

    def forget(self):
        """Forget what was learnt: the work is another now."""
        self._work.clear()
