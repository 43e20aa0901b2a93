"""The occupancy grid: the ground from above, in square cells."""

import numpy as np

from enet_ros.freespace.sightlines import TAKEN, UNSEEN


class Grid:
    """Says of each cell of the ground whether one can drive there.

    config is a GridConfig. shape (rows, columns): rows go along y and columns along x, from the
    corner at `origin` (x, y) in the base frame, metres, as in nav_msgs/OccupancyGrid.
    """

    def __init__(self, sightlines, config):
        self.resolution, self._sightlines = config.resolution, sightlines
        self.origin = config.x_min, config.y_min
        self.shape = rows, columns = config.shape
        self._samples = sightlines.samples(*self.centres())
        self._cells = np.flatnonzero(self._samples != sightlines.unseen)
        self._samples = self._samples.ravel()[self._cells]
        self._values = np.empty(rows * columns, np.int8)

    def centres(self):
        """Return x (columns,) and y (rows, 1) of the cells' middles in the base frame, metres."""
        rows, columns = self.shape
        return (self.origin[0] + self.resolution * (np.arange(columns) + 0.5),
                self.origin[1] + self.resolution * (np.arange(rows)[:, None] + 0.5))

    def fill(self, sight):
        """Return a Sight as int8 (rows, columns): -1 unknown, 0 drivable, 100 not.

        The array is written over by the next call.
        """
        self._values[:] = UNSEEN
        self._values[self._cells] = sight.states.take(self._samples, mode='clip')
        # What is narrower than a cell may stand beside all middles: half a cell into it.
        met = sight.obstacles
        xy = self._sightlines.points(met.line, met.range + self.resolution / 2)
        column, row = np.floor((xy - self.origin) / self.resolution).astype(int).T
        inside = (column >= 0) & (column < self.shape[1]) & (row >= 0) & (row < self.shape[0])
        self._values[row[inside] * self.shape[1] + column[inside]] = TAKEN
        return self._values.reshape(self.shape)
