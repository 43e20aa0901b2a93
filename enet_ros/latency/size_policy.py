"""Choose the network's input size: the largest one whose frames keep the latency budget."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]

WINDOW = 200  # newest frames that a decision considers
MAX_LATE = WINDOW // 20  # late frames among them: the 95th percentile has to fit
OVERLOAD_FRAMES, OVERLOAD_SECONDS = 5, 0.3  # fewer late frames in a row are a hiccup
RECENT = 15  # newest frames from which the ages at another size are predicted
GAP = 3.0  # seconds without frames after which the window starts anew
SATURATED = 0.95  # share of the time at work from which on frames wait for each other
HEADROOM = 0.1  # share of the budget that a larger size must leave free
PATIENCE = 1.0  # seconds at a size before a larger one is tried
TRIAL = 5.0  # seconds in which a larger size proves itself
FIRST_BACKOFF, MAX_BACKOFF = 10.0, 320.0  # seconds; doubles with each failed trial


class SizePolicy:
    """Step between network sizes, for all cameras of a node together.

    A size is left as soon as too many of its frames are late. A larger one is tried when the
    frames at the present size predict that it keeps the budget; a trial that fails is repeated
    after a pause that doubles each time.

    sizes: (width, height) in pixels, largest first.
    costs: milliseconds of the network at each size on the idle machine; only ratios count.
    clock: returns seconds.
    """

    def __init__(self, sizes: Sequence[Size], costs: Sequence[float],
                 clock: Callable[[], float], cameras: int = 1) -> None:
        self.sizes, self.costs, self.clock, self.cameras = sizes, costs, clock, cameras
        self._index = 0
        self._since = clock()
        self._on_trial = False
        self._frames: deque[tuple[float, float, float, float]] = deque(maxlen=WINDOW)
        self._backoff = [FIRST_BACKOFF] * len(sizes)
        self._retry_at = [-np.inf] * len(sizes)

    @property
    def size(self) -> Size:
        return self.sizes[self._index]

    def observe(self, age: float, work: float, inference: float) -> None:
        """Record a frame that was processed at the present size, or dropped for lack of time.

        In milliseconds: its age when the worker took it up, all work on it, and the network's
        part of the work.
        """
        now = self.clock()
        if self._frames and now - self._frames[-1][0] > GAP:
            self._frames.clear()
        self._frames.append((now, age, work, inference))

    def choose(self, budget: float) -> Size:
        """Return the size for the next frame under a latency budget in milliseconds."""
        if len(self.sizes) > 1:
            frames = np.array(self._frames)  # (frames, 4): seconds, then milliseconds
            if _is_lasting(frames):
                self._change(self._best(frames, budget))
        return self.size

    def _best(self, frames: NDArray[np.float64], budget: float) -> int:
        smallest = len(self.sizes) - 1
        # Frames that no size could save say nothing about sizes, unless there are no others.
        savable = self._ages(frames, smallest) <= budget
        if not savable[-RECENT:].any():
            return smallest
        frames = frames[savable]
        late = self._ages(frames, self._index) > budget
        newest_late = frames[np.flatnonzero(np.append(True, ~late))[-1]:]
        if late.sum() > MAX_LATE or _is_lasting(newest_late):
            # A size that saves most of the frames that are late now is worth a try.
            smaller = range(self._index + 1, len(self.sizes))
            return self._largest(smaller, frames[-OVERLOAD_FRAMES:], budget, 75, smallest)
        if self._index and self.clock() - self._since >= PATIENCE:
            larger = [i for i in range(self._index) if self._retry_at[i] <= self.clock()]
            return self._largest(larger, frames, (1 - HEADROOM) * budget, 95, self._index)
        return self._index

    def _largest(self, indices: Iterable[int], frames: NDArray[np.float64], limit: float,
                 rank: float, otherwise: int) -> int:
        """Return the first size at which a percentile of the ages is predicted to fit."""
        for index in indices:
            age = np.percentile(self._ages(frames[-RECENT:], index), rank)
            if age + self._extra_wait(index, frames[-3 * RECENT:]) <= limit:
                return index
        return otherwise

    def _ages(self, frames: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """Return the ages at publishing, had the network run at another size."""
        return frames[:, 1] + self._work(frames, index)

    def _work(self, frames: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        ratio = self.costs[index] / self.costs[self._index]
        return frames[:, 2] + (ratio - 1) * frames[:, 3]

    def _extra_wait(self, index: int, frames: NDArray[np.float64]) -> float:
        """Predict how many milliseconds longer frames would wait for the worker at another size.

        A worker that keeps up takes each frame as it comes. One that does not takes a camera's
        newest frame when it is free, which may be as old as the time between two of them.
        """
        interval = 1e3 * (frames[-1, 0] - frames[0, 0]) / max(len(frames) - 1, 1)
        age = frames[:, 1]
        turn, wait = self.cameras * interval, float(np.percentile(age, 95) - age.min())
        keeps_up, would_keep_up = (np.median(self._work(frames, i)) < SATURATED * interval
                                   for i in (self._index, index))
        if would_keep_up:
            return 0.0 if keeps_up else -wait
        return 0.0 if wait > turn / 3 else turn - wait

    def _change(self, index: int) -> None:
        if index == self._index:
            return
        now, before = self.clock(), self._index
        if self._on_trial and index > before:
            failed = now - self._since < TRIAL
            if failed:
                self._retry_at[before] = now + self._backoff[before]
            self._backoff[before] = (min(2 * self._backoff[before], MAX_BACKOFF) if failed
                                     else FIRST_BACKOFF)
        self._on_trial = index < before
        self._index, self._since = index, now
        self._frames.clear()


def _is_lasting(frames: NDArray[np.float64]) -> bool:
    """Return whether frames (frames, 4) are more than a hiccup."""
    return (len(frames) >= OVERLOAD_FRAMES
            and frames[-1, 0] - frames[0, 0] >= OVERLOAD_SECONDS)
