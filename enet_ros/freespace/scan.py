"""The virtual scan: how far one can drive in each direction."""

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.freespace.sightlines import FREE, TAKEN

# How much farther ahead than the nearest of the picture a ray may enter it. What is below the
# picture moves into view; what is beside it does not, and is not to be called free.
LATEST_ENTRY = 1.5


class Scan:
    """Looks from the base frame's origin for the first thing that one cannot drive on.

    config is a ScanConfig. bearings (N,) rad, counter-clockwise by `increment`; range_min and
    range_max in metres: the least that is measured, and what the camera sees of the ground on all
    sides of the origin, at most.
    """

    def __init__(self, sightlines, config):
        ground, self.increment = sightlines.ground, config.angle_increment
        self.bearings = config.angle_min + config.angle_increment * np.arange(config.count)
        aside = np.hypot(*ground.foot)
        self.range_max = min(config.range_max, sightlines.reach - aside)
        if self.range_max <= 0:
            raise BadInput(f'the camera is {aside:.1f} m from the origin of the base frame but '
                           f'sees the ground for {sightlines.reach:.1f} m only; no scan about the '
                           'origin is possible')
        self._ranges = _steps(ground, aside, self.range_max)
        samples = sightlines.samples(self._ranges * np.cos(self.bearings)[:, None],
                                     self._ranges * np.sin(self.bearings)[:, None])  # (N, R)
        seen = samples != sightlines.unseen
        before = seen.any(1)[:, None] & (np.cumsum(seen, 1) == 0)
        samples[before] = sightlines.skipped
        self._edges = np.r_[self._ranges[0], (self._ranges[1:] + self._ranges[:-1]) / 2]
        entry = self._edges[seen.argmax(1)]
        self.range_min = float(entry.min(where=seen.any(1), initial=self.range_max))
        ahead = entry * np.cos(self.bearings - sightlines.middle)
        self._looking = np.flatnonzero(seen.any(1) & (ahead <= LATEST_ENTRY * self.range_min))
        self._lines = np.arange(len(self._looking))
        self._samples = samples[self._looking]

    def measure(self, sight):
        """Return the range per bearing, float32 (N,) metres: inf where it is free, NaN unseen."""
        ranges = np.full(len(self.bearings), np.nan, np.float32)
        states = sight.states.take(self._samples, mode='clip')  # (N, R)
        first = (states != FREE).argmax(1)
        state = states[self._lines, first]
        ranges[self._looking] = np.where(
            state == TAKEN, self._edges[first], np.where(state == FREE, np.inf, np.nan))
        return ranges


def _steps(ground, aside, range_max):
    """Return ranges about the origin of the base frame, half a pixel apart but 2 cm at least."""
    ranges = [0.01]
    while ranges[-1] < range_max:
        step = ground.pixel_length(max(ranges[-1] - aside, 0.0)) / 2
        ranges.append(ranges[-1] + max(step, 0.02))
    return np.array(ranges[:-1])
