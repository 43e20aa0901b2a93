"""Which size the network runs at: the largest whose frames leave in time."""

from collections import deque

import numpy as np

WINDOW = 200  # frames that a decision looks back
MISSES = WINDOW // 20  # that may be late among them: the 95th percentile has to fit
IN_A_ROW, LASTING = 5, 0.3  # so many, over so many seconds, are more than a hiccup
NEWEST = 15  # frames that foretell how another size would do
PAUSE = 3.0  # seconds without frames, after which earlier ones tell nothing of their rate
BUSY = 0.95  # share of the time at work, from which on frames have to wait for each other
MARGIN = 0.1  # of the budget, to be left free where a larger size is tried
PATIENCE = 1.0  # seconds at a size before a larger one is tried
TRIAL = 5.0  # seconds within which a larger size that fails was a bad try ...
REST = 10.0  # ... that is not repeated for so long, then for twice as long ...
LONGEST_REST = 320.0  # ... up to this


class SizePolicy:
    """Picks one of a pool of sizes, for all cameras of a node together.

    sizes are (width, height) in pixels, largest first; costs are the network's milliseconds at
    each on the free machine, of which only the ratios count. The clock gives seconds. A size is
    left as soon as too many of its frames come late; a larger one is taken where what is seen at
    the present one foretells that it fits.
    """

    def __init__(self, sizes, costs, clock, cameras=1):
        self.sizes, self.costs, self.clock, self.cameras = sizes, costs, clock, cameras
        self._place = 0  # in the pool
        self._since = clock()
        self._on_trial = False
        self._seen = deque(maxlen=WINDOW)  # (seconds; milliseconds: age, work, inference)
        self._rests = [REST] * len(sizes)
        self._rested = np.full(len(sizes), -np.inf)  # when each may be tried again

    @property
    def size(self):
        return self.sizes[self._place]

    def observe(self, age, work, inference):
        """Learn of a frame that was worked on at the present size, or would have been.

        In milliseconds: its age when it was taken up, all work on it, and the network's part.
        """
        now = self.clock()
        if self._seen and now - self._seen[-1][0] > PAUSE:
            self._seen.clear()
        self._seen.append((now, age, work, inference))

    def choose(self, budget):
        """Return the size for the next frame under a budget in milliseconds."""
        if len(self.sizes) == 1:
            return self.size
        seen, smallest = np.array(self._seen), len(self.sizes) - 1
        if not _lasts(seen):
            return self.size
        # Frames that no size could save say nothing about sizes, unless there are no others.
        savable = self._totals(seen, smallest) <= budget
        telling = seen[savable]
        late = self._totals(telling, self._place) > budget
        streak = telling[np.flatnonzero(np.append(True, ~late))[-1]:]  # since the last in time
        if not savable[-NEWEST:].any():
            self._move(smallest)
        elif late.sum() > MISSES or _lasts(streak):
            smaller = range(self._place + 1, len(self.sizes))
            # The newest show what made them late; a size that saves most of them is worth a try.
            self._move(self._largest(smaller, telling[-IN_A_ROW:], budget, smallest, rank=75))
        elif self._place and self.clock() - self._since >= PATIENCE:
            larger = np.flatnonzero(self._rested[:self._place] <= self.clock())
            limit = budget * (1 - MARGIN)
            self._move(self._largest(larger, telling, limit, otherwise=self._place, rank=95))
        return self.size

    def _largest(self, places, samples, limit, otherwise, rank):
        """Return the first of `places` where a percentile of the samples would fit."""
        for place in places:
            total = np.percentile(self._totals(samples[-NEWEST:], place), rank)
            if total + self._wait(place, samples[-3 * NEWEST:]) <= limit:
                return int(place)
        return otherwise

    def _totals(self, samples, place):
        """Foretell the ages of frames on leaving, had the network run at another size."""
        _, age, work, inference = samples.T
        return age + work + inference * self._growth(place)

    def _wait(self, place, samples):
        """Foretell how much longer frames would wait for the worker at another size.

        One that keeps up takes each frame as it comes. One that does not takes a camera's newest
        when it is free, which may be as old as the time between two of them.
        """
        at, age, work, inference = samples.T
        interval = 1e3 * (at[-1] - at[0]) / max(len(at) - 1, 1)
        turn, waits = self.cameras * interval, np.percentile(age, 95) - age.min()
        keeps_up, would = (np.median(work + inference * self._growth(each)) < BUSY * interval
                           for each in (self._place, place))
        if would:
            return 0.0 if keeps_up else -waits
        return 0.0 if waits > turn / 3 else turn - waits

    def _growth(self, place):
        return self.costs[place] / self.costs[self._place] - 1

    def _move(self, place):
        if place == self._place:
            return
        now, old = self.clock(), self._place
        if place > old and self._on_trial:
            if now - self._since < TRIAL:
                self._rested[old] = now + self._rests[old]
                self._rests[old] = min(2 * self._rests[old], LONGEST_REST)
            else:
                self._rests[old] = REST
        self._on_trial = place < old
        self._place, self._since = place, now
        self._seen.clear()


def _lasts(samples):
    """Return whether samples are more than a hiccup."""
    return len(samples) >= IN_A_ROW and samples[-1, 0] - samples[0, 0] >= LASTING
