"""The virtual laser scan: how far the ground is free in each direction."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.config import ScanConfig
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.ray_casting import MAX_SAMPLES, CastRays, RayCaster
from enet_ros.freespace.surface_classes import FREE, OCCUPIED

# Largest range at which a bearing may enter the image, relative to the nearest. Ground nearer than
# that is below the image and was visible before the robot moved on; ground beside the image was
# not, and must not be reported as free.
MAX_ENTRY_RATIO = 1.5
FIRST_RANGE = 0.01  # of a sample, meters
MIN_STEP = 0.02     # meters between samples


class Scan:
    """Measures the range to the first obstacle from the base frame's origin.

    Raise BadInput if the origin is beyond the reach of the camera, or for more than MAX_SAMPLES
    samples.

    Attributes:
        bearings: (N,) rad, counter-clockwise. increment: their step, rad.
        range_min: nearest visible ground, meters.
        range_max: meters; limited to what the camera sees on all sides of the origin.
    """

    def __init__(self, ray_caster: RayCaster, config: ScanConfig) -> None:
        ground, self.increment = ray_caster.ground, config.angle_increment
        self.bearings = (config.angle_min
                         + config.angle_increment * np.arange(config.count, dtype=np.float64))
        offset = float(np.hypot(*ground.foot))
        self.range_max = min(config.range_max, ray_caster.reach - offset)
        if self.range_max <= FIRST_RANGE:
            raise BadInput(f'the camera is {offset:.1f} m from the origin of the base frame but '
                           f'sees only {ray_caster.reach:.1f} m of ground; no scan about the '
                           'origin is possible, correct the pose')
        ranges = _sample_ranges(ground, offset, self.range_max)
        if len(ranges) * config.count > MAX_SAMPLES:
            raise BadInput(f'the scan has {config.count} bearings of {len(ranges)} samples, more '
                           f'than {MAX_SAMPLES:,} in all; use a larger scan.angle_increment or a '
                           'smaller scan.range_max')
        samples = ray_caster.samples(ranges * np.cos(self.bearings)[:, None],
                                     ranges * np.sin(self.bearings)[:, None])  # (N, R)
        visible = samples != ray_caster.outside
        before_image = visible.any(1)[:, None] & (np.cumsum(visible, 1) == 0)
        samples[before_image] = ray_caster.assumed_free
        self._edges = np.r_[ranges[0], (ranges[1:] + ranges[:-1]) / 2]
        entry = self._edges[visible.argmax(1)]
        self.range_min = float(entry.min(where=visible.any(1), initial=self.range_max))
        ahead = entry * np.cos(self.bearings - ray_caster.middle)
        self._measured = np.flatnonzero(visible.any(1)
                                        & (ahead <= MAX_ENTRY_RATIO * self.range_min))
        self._rows = np.arange(len(self._measured))
        self._samples = samples[self._measured]

    def measure(self, rays: CastRays) -> NDArray[np.float32]:
        """Return the range of each bearing, (N,) meters.

        Infinity means free up to range_max, NaN not visible.
        """
        ranges = np.full(len(self.bearings), np.nan, np.float32)
        states = rays.states.take(self._samples, mode='clip')  # (N, R)
        first = (states != FREE).argmax(1)
        state = states[self._rows, first]
        ranges[self._measured] = np.where(
            state == OCCUPIED, self._edges[first], np.where(state == FREE, np.inf, np.nan))
        return ranges


def _sample_ranges(ground: GroundPlane, offset: float, range_max: float) -> NDArray[np.float64]:
    """Return the ranges of samples, half a pixel but at least MIN_STEP apart, meters.

    offset: distance of the camera's foot from the origin, meters.
    """
    ranges = [FIRST_RANGE]
    while ranges[-1] < range_max:
        step = ground.pixel_length(max(ranges[-1] - offset, 0.0)) / 2
        ranges.append(ranges[-1] + max(step, MIN_STEP))
    return np.array(ranges[:-1])
