"""Frame times of several candidates, measured in turns."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

MIN_ROUNDS = 3  # the least for a meaningful median

Image = NDArray[np.uint8]  # (H, W, 3)
Labels = NDArray[np.uint8]  # (H, W)
Run = Callable[[Image], Labels]
Clock = Callable[[], float]  # returns seconds
Name = TypeVar('Name', bound=Hashable)


@dataclass(frozen=True)
class Measurement:
    """The times and predictions of one candidate.

    turns: the milliseconds of each turn's frames.
    labels: the predictions for the first frames, in the order of the frames.
    """

    turns: list[list[float]] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)

    @property
    def milliseconds(self) -> list[float]:
        """Return the milliseconds of all frames, in order."""
        return [value for turn in self.turns for value in turn]

    @property
    def median(self) -> float:
        """Return the median of all frames, milliseconds."""
        return float(np.median(self.milliseconds))

    @property
    def p95(self) -> float:
        """Return the 95th percentile of all frames, milliseconds."""
        return float(np.percentile(self.milliseconds, 95))

    def speedup_over(self, other: 'Measurement') -> float:
        """Return the other's time divided by this one's: the median over their common rounds.

        The turns of one round follow each other closely, so a change of the machine's speed
        affects both.
        """
        return float(np.median([theirs / ours for ours, theirs in self._common_rounds(other)]))

    def milliseconds_above(self, other: 'Measurement') -> float:
        """Return how much longer this one takes: the median over their common rounds."""
        return float(np.median([ours - theirs for ours, theirs in self._common_rounds(other)]))

    def agreement(self, other: 'Measurement') -> float:
        """Return the share of pixels with equal labels, over the frames that both predicted."""
        return float(np.mean([np.mean(ours == theirs)
                              for ours, theirs in zip(self.labels, other.labels)]))

    def _common_rounds(self, other: 'Measurement') -> list[tuple[float, float]]:
        """Return the medians (this one's, the other's) of each round in which both took part."""
        return [(float(np.median(ours)), float(np.median(theirs)))
                for ours, theirs in zip(self.turns, other.turns)]


def warm_up(run: Run, frame: Image, min_seconds: float, min_frames: int = 2,
            clock: Clock = time.perf_counter) -> float:
    """Run a candidate for some seconds and frames; return the seconds of the last frame.

    The first frame builds and chooses what later ones use.
    """
    start, frames, frame_s = clock(), 0, 0.0
    while frames < min_frames or clock() - start < min_seconds:
        frame_start = clock()
        run(frame)
        frame_s = clock() - frame_start
        frames += 1
    return frame_s


def measure(candidates: Mapping[Name, Run], frames: Sequence[Image], rounds: int, turn_s: float,
            candidate_s: float, clock: Clock = time.perf_counter,
            report: Callable[[int, Name], None] = lambda number, name: None
            ) -> dict[Name, Measurement]:
    """Measure candidates in turns, A B C A B C ..., and return the Measurement of each.

    The first frame of a turn runs with the caches and threads of another candidate; it is not
    counted unless it is the turn's only frame.

    candidates: functions that are warmed up, by name.
    frames: images, used in order and again from the first.
    rounds: number of turns of each candidate.
    turn_s: seconds of a turn, which has at least one frame.
    candidate_s: a candidate that has taken this many seconds takes no further turn, but at least
        MIN_ROUNDS.
    clock: returns seconds.
    report: called with the round and the candidate's name before each turn.
    """
    measurements: dict[Name, Measurement] = {name: Measurement() for name in candidates}
    spent = dict.fromkeys(candidates, 0.0)
    for number in range(rounds):
        for name, run in candidates.items():
            if number >= MIN_ROUNDS and spent[name] >= candidate_s:
                continue
            report(number, name)
            start = clock()
            measurement = measurements[name]
            measurement.turns.append(_run_turn(run, frames, turn_s, clock, measurement.labels))
            spent[name] += clock() - start
    return measurements


def _run_turn(run: Run, frames: Sequence[Image], turn_s: float, clock: Clock,
              labels: list[Labels]) -> list[float]:
    """Return the milliseconds of a turn's frames; append missing predictions to `labels`."""
    milliseconds: list[float] = []
    seconds = 0.0
    while not milliseconds or seconds < turn_s:
        # Frames without a prediction come first, then all in order.
        is_missing = len(labels) < len(frames)
        frame = frames[len(labels) if is_missing else len(milliseconds) % len(frames)]
        start = clock()
        prediction = run(frame)
        frame_s = clock() - start
        if is_missing:
            labels.append(prediction.copy())  # the candidate may overwrite the array
        milliseconds.append(1e3 * frame_s)
        seconds += frame_s
    return milliseconds[1:] or milliseconds
