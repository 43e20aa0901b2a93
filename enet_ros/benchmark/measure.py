"""How long frames take, several candidates side by side."""

import time
from dataclasses import dataclass

import numpy as np

LEAST_ROUNDS = 3  # so that a median is one


@dataclass(frozen=True)
class Measured:
    """What one candidate took, and what it said.

    turns holds the milliseconds of each turn's frames; labels the answers to the first frames,
    uint8 (H, W) each, in the order of the frames.
    """

    turns: list
    labels: list

    @property
    def milliseconds(self):
        """Return the milliseconds of all frames, in order."""
        return [value for turn in self.turns for value in turn]

    @property
    def median(self):
        return float(np.median(self.milliseconds))

    @property
    def p95(self):
        return float(np.percentile(self.milliseconds, 95))

    def times_faster_than(self, other):
        """Return the other's time over this one's: the median over the rounds that both ran.

        Turns of one round are neighbours in time, so that a machine that slows down and speeds
        up again slows both.
        """
        return float(np.median([theirs / ours for ours, theirs in self._rounds(other)]))

    def milliseconds_above(self, other):
        """Return how much longer this one takes than the other: the median over the rounds."""
        return float(np.median([ours - theirs for ours, theirs in self._rounds(other)]))

    def _rounds(self, other):
        """Return this one's and the other's median of each round that both ran, the first ones."""
        return [(np.median(ours), np.median(theirs))
                for ours, theirs in zip(self.turns, other.turns)]

    def agreement(self, other):
        """Return the share of pixels with equal labels, over the frames that both answered."""
        pairs = list(zip(self.labels, other.labels))
        return float(np.mean([np.mean(ours == theirs) for ours, theirs in pairs]))


def warm_up(run, frame, seconds, least=2, clock=time.perf_counter):
    """Run a candidate until so many seconds have passed, at least for `least` frames.

    The first frame builds and chooses what later ones use. Return the seconds of the last one.
    """
    start, frames = clock(), 0
    while frames < least or clock() - start < seconds:
        began = clock()
        run(frame)
        took, frames = clock() - began, frames + 1
    return took


def measure(candidates, frames, rounds, turn_s, candidate_s, clock=time.perf_counter,
            tell=lambda number, name: None):
    """Measure candidates in turns, A B C A B C ..., and return a Measured for each name.

    candidates maps names to functions, image uint8 (H, W, 3) -> labels uint8 (H, W), which are
    warm; frames are the images, taken again and again. A turn lasts turn_s seconds, at least one
    frame; its first frame, which meets other candidates' caches and threads, does not count
    unless it is the only one. There are `rounds` rounds, but a candidate that has taken
    candidate_s seconds leaves after LEAST_ROUNDS or later. tell(number, name) is called before
    each turn.
    """
    measured = {name: Measured([], []) for name in candidates}
    spent = dict.fromkeys(candidates, 0.0)
    for number in range(rounds):
        for name, run in candidates.items():
            if number >= LEAST_ROUNDS and spent[name] >= candidate_s:
                continue
            tell(number, name)
            began = clock()
            measured[name].turns.append(_turn(run, frames, turn_s, clock, measured[name].labels))
            spent[name] += clock() - began
    return measured


def _turn(run, frames, turn_s, clock, answers):
    """Return the milliseconds of a turn's frames; put into `answers` those that it lacks."""
    milliseconds, seconds = [], 0.0
    while not milliseconds or seconds < turn_s:
        # Frames that still lack an answer come first, then all in order.
        place = len(answers) if len(answers) < len(frames) else len(milliseconds) % len(frames)
        began = clock()
        labels = run(frames[place])
        took = clock() - began
        if len(answers) < len(frames):
            answers.append(labels.copy())  # the candidate may use the array again
        milliseconds.append(1e3 * took)
        seconds += took
    return milliseconds[1:] or milliseconds
