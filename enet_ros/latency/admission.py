"""Admission control: drop frames that cannot be published within the latency budget.

A frame's age is the time since its image was taken. Ages, durations and limits are in
milliseconds; a limit of 0 means none. Clocks return seconds and never go back.
"""

from collections.abc import Callable

import numpy as np

from enet_ros.timing import RollingWindow

# Why a frame is dropped.
TOO_OLD, NO_TIME, LATE = 'too old on arrival', 'no time left', 'late'

PROBE_INTERVAL = 1.0  # seconds between frames that are tried although all are predicted late
MIN_SAMPLES = 3  # fewer durations do not tell the usual from a hiccup, unless they were long


class AdmissionControl:
    """Decide which frames of a camera to process and which results to publish.

    Each decision is the reason why the frame is dropped, or ''.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._work = RollingWindow(100, clock, min_kept=MIN_SAMPLES)
        self._publishing = RollingWindow(100, clock)
        self._last_work = -np.inf

    def on_arrival(self, age: float, max_age: float) -> str:
        return TOO_OLD if 0 < max_age < age else ''

    def before_work(self, age: float, budget: float, age_on_arrival: float = 0.0) -> str:
        """Drop a frame that is unlikely to meet the budget, but try one a second in any case.

        The median duration decides: a frame with an even chance is worth the work, since a late
        result is withheld. The first few frames are always tried: one may have met a hiccup.
        """
        in_time = not budget or age + self._expected_work() <= budget
        if not in_time and self.clock() - self._last_work < PROBE_INTERVAL:
            return TOO_OLD if budget < age_on_arrival else NO_TIME
        self._last_work = self.clock()
        return ''

    def before_publishing(self, age: float, budget: float) -> str:
        """Withhold results that would be late; publishing itself takes time too."""
        return LATE if 0 < budget < age + self._expected_publishing() else ''

    def record_work(self, duration: float) -> None:
        """Record how long a frame took from the start of the work until it could be published."""
        self._work.add(duration)
        self._last_work = self.clock()

    def record_publishing(self, duration: float) -> None:
        """Record how long it took to hand a frame's results to the middleware."""
        self._publishing.add(duration)

    def median_work(self) -> float:
        """Return the usual duration of a frame, publishing included."""
        return self._work.percentile(50) + self._publishing.percentile(50)

    def reset(self) -> None:
        """Forget durations of the work, which is different from now on."""
        self._work.clear()

    def _expected_work(self) -> float:
        durations = self._work.values()
        if len(durations) >= MIN_SAMPLES:
            return self.median_work()
        # After a long one the shortest counts: if the next is short, the long one was a hiccup.
        return min(durations) if sum(durations) > 1e3 * PROBE_INTERVAL else 0.0

    def _expected_publishing(self) -> float:
        durations = self._publishing.values()
        # With two values, the lower one: a single hiccup must not withhold the next results.
        return (float(np.percentile(durations, 95, method='lower'))
                if len(durations) > 1 else 0.0)
