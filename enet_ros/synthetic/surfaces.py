"""The surfaces of a synthetic street: ground truth for points and scans of obstacles."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enet_ros.labels import UNLABELED
from enet_ros.synthetic.layout import BLOCK_LENGTH, VIEW_RANGE, Axis
from enet_ros.synthetic.sprites import Sprite
from enet_ros.synthetic.street import SyntheticStreet


class Surface(NamedTuple):
    """An upright rectangle on the ground, in the base frame.

    along: unit vector of its width. start: its end with the lower left corner, meters.
    ids: class ids of its pixels, uint8 (rows, columns) from the top; UNLABELED is transparent.
    """

    start: NDArray[np.float64]
    along: NDArray[np.float64]
    width: float
    height: float
    ids: NDArray[np.uint8]


class StreetSurfaces:
    """The upright surfaces in one frame of a street, from its layout, not from its images."""

    def __init__(self, street: SyntheticStreet, index: int) -> None:
        self.surfaces = list(_surfaces(street, index))

    def distance(self, points: NDArray[np.floating],
                 with_ground: bool = True) -> NDArray[np.float64]:
        """Return the distance of points to the nearest surface, (N,) meters.

        Distances are measured across a surface within its rectangle; transparent parts count.

        points: (N, 3) in the base frame, meters. with_ground: the ground is a surface too.
        """
        distance = np.full(len(points), np.inf)
        if with_ground:
            distance = np.abs(points[:, 2]).astype(float)
        for surface in self.surfaces:
            offset = points[:, :2] - surface.start
            along = offset @ surface.along
            across = np.abs(offset @ (-surface.along[1], surface.along[0]))
            margin = 0.05  # meters
            inside = ((along > -margin) & (along < surface.width + margin)
                      & (points[:, 2] > -margin) & (points[:, 2] < surface.height + margin))
            np.minimum(distance, across, out=distance, where=inside)
        return distance

    def scan(self, bearings: NDArray[np.float64], heights: tuple[float, float],
             range_max: float) -> NDArray[np.float64]:
        """Return the range of the nearest surface in each direction, (N,) meters.

        A surface counts where it is opaque at some height between two, in meters. Infinity means
        none up to range_max.
        """
        nearest = np.full(len(bearings), np.inf)
        directions = np.stack([np.cos(bearings), np.sin(bearings)], -1)  # (N, 2)
        for surface in self.surfaces:
            normal = np.array([-surface.along[1], surface.along[0]])
            with np.errstate(divide='ignore', invalid='ignore'):
                ranges = (surface.start @ normal) / (directions @ normal)
                along = (directions * ranges[:, None] - surface.start) @ surface.along
            rows, columns = surface.ids.shape
            bottom, top = ((1 - height / surface.height) * rows for height in heights)
            band = surface.ids[max(int(np.ceil(top)), 0):max(int(bottom), 0)]
            opaque = (band != UNLABELED).any(0)
            with np.errstate(invalid='ignore'):
                inside = ((ranges > 0) & (ranges <= range_max) & (along >= 0)
                          & (along < surface.width))
            column = np.zeros(len(bearings), int)
            column[inside] = along[inside] / surface.width * columns
            inside &= opaque[column]
            nearest[inside] = np.minimum(nearest[inside], ranges[inside])
        return nearest


def _surfaces(street: SyntheticStreet, index: int) -> Iterator[Surface]:
    """Yield the surfaces of blocks and objects that the frame shows."""
    x, y = street.camera_position(index)
    for number in range(int(x // BLOCK_LENGTH) - 1, int((x + VIEW_RANGE) // BLOCK_LENGTH) + 1):
        for face in street.layout.block(number).faces:
            yield _surface(face.sprite, face.axis, face.x - x, face.y - y)
    for item, ahead in street.layout.objects_ahead(index, x):
        for face in item.faces:
            yield _surface(face.sprite, face.axis, ahead + face.x, item.y + face.y - y)


def _surface(sprite: Sprite, axis: Axis, x: float, y: float) -> Surface:
    along = np.array([1.0, 0.0] if axis == 'x' else [0.0, -1.0])
    return Surface(np.array([x, y], float), along, sprite.width, sprite.height,
                   sprite.levels[0][1])
