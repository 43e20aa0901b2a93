"""Lines of sight over the ground: how far one sees in each direction, and what ends it."""

from dataclasses import dataclass

import numpy as np

from enet_ros.freespace.bodies import close_gaps
from enet_ros.freespace.surface_classes import DRIVABLE, OBSTACLE, UNKNOWN

FREE, TAKEN, UNSEEN = 0, 100, -1


@dataclass(frozen=True)
class Contacts:
    """Where lines of sight meet what one cannot drive on.

    line (N,) their indices; range (N,) metres from the camera's foot; xy (N, 2) metres in the
    base frame; pixel (N,) indices into the flat label image.
    """

    line: np.ndarray
    range: np.ndarray
    xy: np.ndarray
    pixel: np.ndarray


@dataclass(frozen=True)
class Sight:
    """What one frame shows.

    states int8: each sample of each line, flat, and then UNSEEN and FREE, for what lies outside
    of them. borders are the first Contacts of the lines, obstacles those where sight ends.
    """

    states: np.ndarray
    borders: Contacts
    obstacles: Contacts


class Sightlines:
    """The ground that a camera sees, in polar order about the camera's foot.

    bearings (B,) rad in the base frame, directions (B, 2) the same as unit vectors, ranges (R,)
    metres: both about a pixel apart. middle is the bearing of the middle of the view, reach how
    far the longest lines go, metres. Obstacles are taken to be `thickness` metres deep, and a
    pixel more; bodies bool (256,) tells which ids have gaps below, clearance and span, metres, are
    those of bodies.close_gaps.
    """

    def __init__(self, ground, thickness, bodies, clearance, span):
        self.ground, self.bodies, self.clearance, self.span = ground, bodies, clearance, span
        self._round = ground.pixels(*ground.foot) >= 0  # one sees all around the foot
        self.middle, self._first_bearing, self._bearing_step, count = _fan(ground, self._round)
        self.bearings = self.middle + self._first_bearing + self._bearing_step * np.arange(count)
        self.directions = np.c_[np.cos(self.bearings), np.sin(self.bearings)]
        self._first_dip, self._dip_step = ground.dips.max(), ground.fine_dip_step
        samples = int((self._first_dip - ground.dips.min()) / self._dip_step) + 2
        dips = self._first_dip - self._dip_step * np.arange(-0.5, samples)
        # Where the boundary between samples i - 1 and i is, from the first's near to the last's.
        self.edges = np.maximum(ground.height / np.tan(np.maximum(dips, 1e-3)), 0.0)
        self.ranges = ground.height / np.tan(np.maximum(dips[:-1] - self._dip_step / 2, 1e-3))
        points = self.ranges[None, :, None] * self.directions[:, None] + ground.foot
        self._start, self._stop, self._pixels = _whole(ground.pixels(*np.moveaxis(points, -1, 0)))
        self.reach = float(self.edges[self._stop.max()])
        # A pixel more, so that the sample next to a cell's middle is always met.
        deep = thickness + ground.pixel_length(self.edges)
        self._contact_stop = np.searchsorted(self.ranges, self.edges + deep)
        self._lines, self._order = np.arange(count), np.arange(samples, dtype=np.int16)
        self.unseen, self.skipped = count * samples, count * samples + 1

    def samples(self, x, y):
        """Return the index into a Sight's states for points of the ground, `unseen` outside.

        x and y (...) in the base frame, metres -> intp (...).
        """
        x, y = x - self.ground.foot[0], y - self.ground.foot[1]
        bearing = _wrap(np.arctan2(y, x) - self.middle) - self._first_bearing
        line = np.round(bearing / self._bearing_step).astype(int)
        if self._round:
            line %= len(self._lines)
        dip = np.arctan2(self.ground.height, np.hypot(x, y))
        place = np.round((self._first_dip - dip) / self._dip_step).astype(int)
        known = np.clip(line, 0, len(self._lines) - 1)
        seen = (line == known) & (place >= self._start[known]) & (place < self._stop[known])
        return np.where(seen, line * len(self._order) + place, self.unseen)

    def points(self, line, range_):
        """Return the points, (N, 2) in the base frame, at ranges (N,) along lines (N,)."""
        return self.ground.foot + self.directions[line] * range_[:, None]

    def look(self, kinds, labels):
        """Follow the lines over kinds of surface, int8, and labels, uint8 (H, W): a Sight."""
        kinds, labels = kinds.ravel(), labels.ravel()
        seen = kinds.take(self._pixels, mode='clip')  # (B, R)
        border, border_pixel = self._first(seen != DRIVABLE)
        end, end_pixel = self._first(seen < DRIVABLE)
        obstacle = (end < self._stop) & (kinds[end_pixel] == OBSTACLE)
        met = labels[end_pixel]
        standing = obstacle & (seen[:, 0] == DRIVABLE) & self.bodies[met]
        classes = np.where(standing, met.astype(np.int16), np.int16(-1))
        end_range = close_gaps(self.directions, self.edges[end], classes, self.span,
                               self.clearance / self.ground.height)
        stands = np.where(end_range < self.edges[end], self._edge_at(end_range), end)
        border_range = self.edges[border]
        bordered = (border < self._stop) & (kinds[border_pixel] != UNKNOWN)
        below = obstacle & (end_range < border_range)
        border_range = np.where(below, end_range, border_range)
        border_pixel = np.where(below, end_pixel, border_pixel)
        deep = np.where(obstacle, self._contact_stop[end], stands)
        return Sight(self._states(seen, stands, deep),
                     self._contacts(bordered, border_range, border_pixel),
                     self._contacts(obstacle, end_range, end_pixel))

    def _states(self, seen, start, stop):
        """Return a Sight's states; each line is TAKEN from start to stop.

        Beyond that, only ground that one sees over an obstacle is known, up to the unknown.
        """
        states = np.empty(seen.size + 2, np.int8)
        states[-2:] = UNSEEN, FREE
        lines = states[:-2].reshape(seen.shape)
        np.maximum(seen, UNSEEN, out=lines)
        count = stop - start
        first = self._lines * len(self._order) + start - (np.cumsum(count) - count)
        states[np.repeat(first, count) + np.arange(count.sum())] = TAKEN
        unknown = seen == UNKNOWN
        if unknown.any():
            unknown = self._first(unknown)[0].astype(np.int16)
            np.copyto(lines, UNSEEN, where=self._order >= unknown[:, None])
        return states

    def _contacts(self, chosen, range_, pixel):
        line = np.flatnonzero(chosen)
        return Contacts(line, range_[line], self.points(line, range_[line]), pixel[line])

    def _edge_at(self, range_):
        dip = np.arctan2(self.ground.height, range_)
        place = np.round((self._first_dip - dip) / self._dip_step + 0.5).astype(int)
        return np.maximum(place, self._start)

    def _first(self, mask):
        """Return each line's first sample in mask (B, R), or its stop, and that sample's pixel."""
        place = np.maximum(mask.argmax(1), self._start)
        place = np.where(mask[self._lines, place], place, self._stop)
        return place, self._pixels[self._lines, np.minimum(place, len(self._order) - 1)]


def _fan(ground, all_around):
    """Return the middle of the view, and its first bearing from there, step and count; rad."""
    if all_around:
        count = int(np.ceil(2 * np.pi / ground.bearing_step))
        return 0.0, -np.pi, 2 * np.pi / count, count
    middle = np.arctan2(np.sin(ground.bearings).mean(), np.cos(ground.bearings).mean())
    aside = _wrap(ground.bearings - middle)
    first, last = aside.min(), aside.max()
    return middle, first, ground.bearing_step, int((last - first) / ground.bearing_step) + 1


def _wrap(angle):
    """Return angles between -pi and pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _whole(pixels):
    """Return where each line's seen samples start and stop, and pixels (B, R) without gaps.

    Before the start stands its pixel again, and from the stop on that of the last before it.
    """
    seen = pixels >= 0
    start = seen.argmax(1)
    order = np.arange(pixels.shape[1])
    ended = ~seen & (order >= start[:, None])
    stop = np.where(ended.any(1), ended.argmax(1), pixels.shape[1])
    last = np.maximum(stop - 1, start)
    held = np.clip(order, start[:, None], last[:, None])
    return start, stop, np.maximum(np.take_along_axis(pixels, held, 1), 0)
