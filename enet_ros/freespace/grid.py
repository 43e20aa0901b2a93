"""The occupancy grid: the ground from above, in square cells."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.config import GridConfig
from enet_ros.freespace.ray_casting import CastRays, RayCaster
from enet_ros.freespace.surface_classes import OCCUPIED, UNKNOWN


class Grid:
    """Maps cast rays to an occupancy grid in the base frame.

    Attributes:
        shape: (rows, columns); rows go along y and columns along x, as in nav_msgs/OccupancyGrid.
        origin: (x, y) of the corner of the first cell, meters.
        resolution: side of a cell, meters.
    """

    def __init__(self, ray_caster: RayCaster, config: GridConfig) -> None:
        self.resolution, self._ray_caster = config.resolution, ray_caster
        self.origin = config.x_min, config.y_min
        self.shape = rows, columns = config.shape
        samples = ray_caster.samples(*self.centers())
        self._visible_cells = np.flatnonzero(samples != ray_caster.outside)
        self._samples = samples.ravel()[self._visible_cells]
        self._values = np.empty(rows * columns, np.int8)

    def centers(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x (columns,) and y (rows, 1) of the cell centers in the base frame, meters."""
        row, column = (np.arange(count, dtype=np.float64) for count in self.shape)
        return (self.origin[0] + self.resolution * (column + 0.5),
                self.origin[1] + self.resolution * (row[:, None] + 0.5))

    def fill(self, rays: CastRays) -> NDArray[np.int8]:
        """Return the state of each cell, (rows, columns): FREE, OCCUPIED or UNKNOWN.

        The next call overwrites the array.
        """
        self._values[:] = UNKNOWN
        self._values[self._visible_cells] = rays.states.take(self._samples, mode='clip')
        # An obstacle narrower than a cell can miss all centers: mark half a cell behind contacts.
        contacts = rays.obstacles
        xy = self._ray_caster.points(contacts.ray, contacts.range + self.resolution / 2)
        column, row = np.floor((xy - self.origin) / self.resolution).astype(int).T
        inside = (column >= 0) & (column < self.shape[1]) & (row >= 0) & (row < self.shape[0])
        self._values[row[inside] * self.shape[1] + column[inside]] = OCCUPIED
        return self._values.reshape(self.shape)
