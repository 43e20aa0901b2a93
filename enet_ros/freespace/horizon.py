"""Whether the road's edges meet where the given pitch says that they do."""

from collections import deque

import numpy as np

from enet_ros.freespace.surface_classes import DRIVABLE, FLAT

COARSE = 4.0             # metres of ground that a pixel of a kerb covers, at most
LEAST_POINTS = 15        # of an edge
LEAST_LENGTH = 3.0       # metres of an edge
STRAIGHT = 0.15          # metres that an edge's points may lie beside its line
GUESSES = 100
LOOKS = 60               # frames whose median counts
LEAST_LOOKS = 5          # that could tell
WRONG = np.radians(0.5)  # rad that are worth a warning


class PitchWatch:
    """Tells whether the kerbs of many frames contradict the given pitch."""

    def __init__(self):
        self._errors = deque(maxlen=LOOKS)

    def add(self, error):
        """Add what Kerbs say of a frame."""
        if np.isfinite(error):
            self._errors.append(error)

    @property
    def error(self):
        """Return by how much the pitch seems too large, rad; NaN until enough frames told."""
        if len(self._errors) < LEAST_LOOKS:
            return float('nan')
        return float(np.median(self._errors))

    def warning(self, pitch):
        """Return what is to be said of the given pitch, rad; '' where nothing contradicts it."""
        error = self.error
        if not abs(error) > WRONG:
            return ''
        return (f"the road's edges meet as if the camera looked {np.degrees(abs(error)):.1f} "
                f'degrees {"less" if error > 0 else "more"} down than its pose says; check it, a '
                f'pitch of {pitch - error:.3f} rad would fit')


class Kerbs:
    """Finds the edges of the road, and compares them with the pitch of a Ground's pose.

    An edge is where drivable and other flat ground lie side by side in the picture.
    """

    def __init__(self, ground):
        forward = ground.pose.rotation[:2, 2]
        points = ground.points_within(ground.reach_of(COARSE)) - ground.foot
        rows = np.flatnonzero(np.isfinite(points[..., 0]).any(1))
        self._rows = slice(rows.min(initial=len(points)), rows.max(initial=-1) + 1)
        points = points[self._rows]
        points = (points[:, 1:] + points[:, :-1]) / 2  # between two pixels
        self.height = ground.height
        self._ahead, self._left = points @ forward, points @ (-forward[1], forward[0])

    def pitch_error(self, kinds):
        """Return by how much the given pitch is too large, rad; NaN where a frame cannot tell.

        kinds int8 (H, W) are kinds of surface. Parallel edges run apart where the camera looks
        down less than its pose says, and meet where it looks down more. Curves and crossings
        mislead single frames: take the median of many.
        """
        kinds = kinds[self._rows]
        drivable, flat = kinds == DRIVABLE, kinds == FLAT
        first = self._edge(flat[:, :-1] & drivable[:, 1:])
        second = self._edge(drivable[:, :-1] & flat[:, 1:])
        if first is None or second is None:
            return np.nan
        # With a pitch that is e too large, a road of width w looks w (1 - e x / height) wide at x.
        return self.height * (second[0] - first[0]) / (first[1] - second[1])

    def _edge(self, between):
        ahead, left = self._ahead[between], self._left[between]
        known = np.isfinite(ahead)
        return _line(ahead[known], left[known])


def _line(ahead, left):
    """Return slope and start of the line that most points of an edge lie on, or None."""
    if len(ahead) < LEAST_POINTS:
        return None
    a, b = np.random.default_rng(0).integers(len(ahead), size=(2, GUESSES))
    apart = np.abs(ahead[a] - ahead[b]) > LEAST_LENGTH / 2
    if not apart.any():
        return None
    a, b = a[apart], b[apart]
    slopes = (left[a] - left[b]) / (ahead[a] - ahead[b])
    starts = left[a] - slopes * ahead[a]
    near = np.abs(left - slopes[:, None] * ahead - starts[:, None]) < STRAIGHT  # (guesses, N)
    near = near[near.sum(1).argmax()]
    if near.sum() < LEAST_POINTS or np.ptp(ahead[near]) < LEAST_LENGTH:
        return None
    return tuple(np.polyfit(ahead[near], left[near], 1))
