"""Rays over the ground: how far the camera sees in each direction, and what it meets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.overhang import close_gaps
from enet_ros.freespace.surface_classes import DRIVABLE, FREE, OBSTACLE, OCCUPIED, UNKNOWN


@dataclass(frozen=True)
class Contacts:
    """The points where rays meet something that is not drivable.

    ray: (N,) indices of the rays.
    range: (N,) meters from the foot.
    xy: (N, 2) meters in the base frame.
    pixel: (N,) indices into the flat label image.
    """

    ray: NDArray[np.intp]
    range: NDArray[np.float64]
    xy: NDArray[np.float64]
    pixel: NDArray[np.intp]


@dataclass(frozen=True)
class CastRays:
    """What the rays over one label image meet.

    states: int8 (B * R + 2,), the state of the ground at each sample of each ray, then UNKNOWN and
        FREE for points outside the samples.
    borders: where each ray leaves drivable ground.
    obstacles: the obstacle where each ray ends.
    """

    states: NDArray[np.int8]
    borders: Contacts
    obstacles: Contacts


MAX_SAMPLES = 20_000_000  # of rays or a scan; their tables take about 1 GB for a short time


class RayCaster:
    """Casts rays from the camera's foot over the visible ground.

    Neighboring rays, and neighboring samples of a ray, are about one pixel apart. An obstacle
    occupies `thickness` meters of a ray, plus one pixel.

    thickness: of obstacles, meters.
    overhanging: bool (256,), which class ids are obstacles with a gap below.
    clearance: largest height of such a gap, meters.
    span: as in overhang.close_gaps, meters.
    Raise BadInput for more than MAX_SAMPLES samples.

    Attributes:
        bearings: (B,) rad in the base frame. directions: (B, 2) the same as unit vectors.
        ranges: (R,) meters of the samples from the foot.
        middle: bearing of the middle of the view, rad.
        reach: range of the longest rays, meters.
        outside, assumed_free: indices into CastRays.states of points outside the samples.
    """

    def __init__(self, ground: GroundPlane, thickness: float, overhanging: NDArray[np.bool_],
                 clearance: float, span: float) -> None:
        self.ground, self.overhanging = ground, overhanging
        self.clearance, self.span = clearance, span
        self._all_around = bool(ground.pixels(*ground.foot) >= 0)  # the camera sees its foot
        self.middle, self._first_bearing, self._bearing_step, count = _fan(ground,
                                                                           self._all_around)
        self.bearings = self.middle + self._first_bearing + self._bearing_step * np.arange(count)
        self.directions = np.c_[np.cos(self.bearings), np.sin(self.bearings)]
        self._first_dip, self._dip_step = ground.dips.max(), ground.fine_dip_step
        samples = int((self._first_dip - ground.dips.min()) / self._dip_step) + 2
        if count * samples > MAX_SAMPLES:
            raise BadInput(f'rays one pixel apart over the ground in the image have {count} x '
                           f'{samples} samples, more than {MAX_SAMPLES:,}; reduce the label image '
                           'with output.size, or check calibration and pose of the camera')
        dips = self._first_dip - self._dip_step * np.arange(-0.5, samples)
        # edges[i] is the boundary between samples i - 1 and i.
        self.edges = np.maximum(ground.height / np.tan(np.maximum(dips, 1e-3)), 0.0)
        self.ranges = ground.height / np.tan(np.maximum(dips[:-1] - self._dip_step / 2, 1e-3))
        points = self.ranges[None, :, None] * self.directions[:, None] + ground.foot
        self._start, self._stop, self._pixels = _without_gaps(
            ground.pixels(*np.moveaxis(points, -1, 0)))
        self.reach = float(self.edges[self._stop.max()])
        # One pixel more, so that the sample next to the center of a cell is always occupied.
        depth = thickness + ground.pixel_length(self.edges)
        self._obstacle_stop = np.searchsorted(self.ranges, self.edges + depth)
        self._rays, self._order = np.arange(count), np.arange(samples, dtype=np.int16)
        self.outside, self.assumed_free = count * samples, count * samples + 1

    def samples(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the indices into CastRays.states for points of the ground, or `outside`.

        x, y: (...) in the base frame, meters.
        """
        x, y = x - self.ground.foot[0], y - self.ground.foot[1]
        ray = self._ray_towards(x, y)
        dip = np.arctan2(self.ground.height, np.hypot(x, y))
        sample = np.round((self._first_dip - dip) / self._dip_step).astype(int)
        valid_ray = np.clip(ray, 0, len(self._rays) - 1)
        visible = ((ray == valid_ray) & (sample >= self._start[valid_ray])
                   & (sample < self._stop[valid_ray]))
        return np.where(visible, ray * len(self._order) + sample, self.outside)

    def points(self, ray: NDArray[np.intp], range_: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points in the base frame, (N, 2) meters, at ranges (N,) along rays (N,)."""
        return self.ground.foot + self.directions[ray] * range_[:, None]

    def cast(self, surfaces: NDArray[np.int8], labels: NDArray[np.uint8]) -> CastRays:
        """Cast the rays over an image of kinds of surface and its label image, both (H, W)."""
        surfaces, labels = surfaces.ravel(), labels.ravel()
        seen = surfaces.take(self._pixels, mode='clip')  # (B, R)
        border, border_pixel = self._first(seen != DRIVABLE)
        end, end_pixel = self._first(seen < DRIVABLE)
        is_obstacle = (end < self._stop) & (surfaces[end_pixel] == OBSTACLE)
        end_label = labels[end_pixel]
        has_gap = is_obstacle & (seen[:, 0] == DRIVABLE) & self.overhanging[end_label]
        classes = np.where(has_gap, end_label.astype(np.int16), np.int16(-1))
        end_range = close_gaps(self.directions, self.edges[end], classes, self.span,
                               self.clearance / self.ground.height)
        contact = np.where(end_range < self.edges[end], self._edge_at(end_range), end)
        border_range = self.edges[border]
        is_border = (border < self._stop) & (surfaces[border_pixel] != UNKNOWN)
        nearer = is_obstacle & (end_range < border_range)
        border_range = np.where(nearer, end_range, border_range)
        border_pixel = np.where(nearer, end_pixel, border_pixel)
        obstacle_stop = np.where(is_obstacle, self._obstacle_stop[end], contact)
        return CastRays(self._states(seen, contact, obstacle_stop),
                        self._contacts(is_border, border_range, border_pixel),
                        self._contacts(is_obstacle, end_range, end_pixel))

    def end_ranges(self, rays: CastRays, directions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the range of the obstacle in each direction, (N, 2) unit vectors, or infinity."""
        ends = np.full(len(self._rays), np.inf)
        ends[rays.obstacles.ray] = rays.obstacles.range
        ray = self._ray_towards(directions[:, 0], directions[:, 1])
        return ends[np.clip(ray, 0, len(ends) - 1)]

    def _ray_towards(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.intp]:
        """Return the index of the ray towards points relative to the foot, maybe outside."""
        bearing = _wrap(np.arctan2(y, x) - self.middle) - self._first_bearing
        ray = np.round(bearing / self._bearing_step).astype(int)
        return ray % len(self._rays) if self._all_around else ray

    def _states(self, seen: NDArray[np.int8], start: NDArray[np.intp],
                stop: NDArray[np.intp]) -> NDArray[np.int8]:
        """Return CastRays.states; each ray is OCCUPIED from samples `start` to `stop`.

        Behind an obstacle, ground seen over it is known up to the first unknown sample.
        """
        states = np.empty(seen.size + 2, np.int8)
        states[-2:] = UNKNOWN, FREE
        rays = states[:-2].reshape(seen.shape)
        np.maximum(seen, UNKNOWN, out=rays)
        count = stop - start
        first = self._rays * len(self._order) + start - (np.cumsum(count) - count)
        states[np.repeat(first, count) + np.arange(count.sum())] = OCCUPIED
        unknown = seen == UNKNOWN
        if unknown.any():
            first_unknown = self._first(unknown)[0].astype(np.int16)
            np.copyto(rays, np.int8(UNKNOWN), where=self._order >= first_unknown[:, None])
        return states

    def _contacts(self, selected: NDArray[np.bool_], range_: NDArray[np.float64],
                  pixel: NDArray[np.intp]) -> Contacts:
        ray = np.flatnonzero(selected)
        return Contacts(ray, range_[ray], self.points(ray, range_[ray]), pixel[ray])

    def _edge_at(self, range_: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the index of the edge nearest to a range on each ray."""
        dip = np.arctan2(self.ground.height, range_)
        edge = np.round((self._first_dip - dip) / self._dip_step + 0.5).astype(int)
        return np.maximum(edge, self._start)

    def _first(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first sample of each ray in a mask (B, R), or its stop, and its pixel."""
        sample = np.maximum(mask.argmax(1), self._start)
        sample = np.where(mask[self._rays, sample], sample, self._stop)
        return sample, self._pixels[self._rays, np.minimum(sample, len(self._order) - 1)]


def _fan(ground: GroundPlane, all_around: bool) -> tuple[float, float, float, int]:
    """Return the bearings of the rays: (middle, first relative to it, step, count), in rad."""
    if all_around:
        count = int(np.ceil(2 * np.pi / ground.bearing_step))
        return 0.0, -np.pi, 2 * np.pi / count, count
    middle = np.arctan2(np.sin(ground.bearings).mean(), np.cos(ground.bearings).mean())
    relative = _wrap(ground.bearings - middle)
    first, last = relative.min(), relative.max()
    return middle, first, ground.bearing_step, int((last - first) / ground.bearing_step) + 1


def _wrap(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles between -pi and pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _without_gaps(pixels: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp],
                                                     NDArray[np.intp]]:
    """Return (start, stop, filled pixels) of rays whose pixels (B, R) are -1 where not visible.

    start, stop: (B,), the first run of visible samples. The pixel of the first of them fills all
    samples before the run, that of the last all samples after it.
    """
    visible = pixels >= 0
    start = visible.argmax(1)
    order = np.arange(pixels.shape[1])
    ended = ~visible & (order >= start[:, None])
    stop = np.where(ended.any(1), ended.argmax(1), pixels.shape[1])
    last = np.maximum(stop - 1, start)
    nearest = np.clip(order, start[:, None], last[:, None])
    return start, stop, np.maximum(np.take_along_axis(pixels, nearest, 1), 0)
