"""What a synthetic street truly shows its camera: the measure of grids and scans."""

import numpy as np

from enet_ros.labels import CAMVID
from enet_ros.synthetic.street import SyntheticStreet

GROUND = [CAMVID.id_of(name) for name in ('Road', 'Pavement')]
FINER = 3       # times the camera's pixels: odd, so that the pixels' middles stay
STEP = 0.02     # metres along a line of sight


class StreetTruth:
    """The ground of a SyntheticStreet's frames, in the base frame below the camera.

    It asks the street itself what is free, and a finer picture of it what is shown.
    """

    def __init__(self, street):
        camera = street.camera
        self.street, self.fine = street, SyntheticStreet(FINER * camera.width,
                                                         FINER * camera.height, street.seed)
        self._index = self._labels = None

    def cells(self, index, x, y, size):
        """Return which cells of frame `index` are taken, and which it shows: two bool (...).

        x and y (...) are the middles of cells of `size` metres. A cell is shown if its ground is,
        or if something stands there and the ground just before it is shown.
        """
        x, y = np.broadcast_arrays(x, y)
        taken = ~self._free(index, x, y)
        nearer = 1 - size / np.maximum(np.hypot(x, y), size)
        before = (self._shown(index, nearer * x, nearer * y)
                  & self._free(index, nearer * x, nearer * y))
        return taken, self._in_view(x, y) & (self._shown(index, x, y) | (taken & before))

    def in_view(self, x, y):
        """Tell which points of the ground are inside the picture, hidden or not: bool (...)."""
        return self._in_view(*np.broadcast_arrays(x, y))

    def scan(self, index, bearings, range_max):
        """Return the range per bearing (N,) to the first contact that frame `index` shows.

        metres; inf where all is free up to range_max, NaN where the ground is out of the picture
        or hidden before the first contact by something that hangs over from elsewhere.
        """
        ranges = np.arange(STEP, range_max, STEP)
        x, y = ranges * np.cos(bearings)[:, None], ranges * np.sin(bearings)[:, None]  # (N, R)
        view = self._in_view(x, y)
        free, shown = np.ones(view.shape, bool), np.ones(view.shape, bool)
        free[view] = self._free(index, x[view], y[view])
        shown[view] = self._shown(index, x[view], y[view])
        taken, hidden = ~free, free & ~shown
        # One step nearer, as a contact itself looks like what stands there.
        first, cover = (np.where(mask.any(1), mask.argmax(1), len(ranges))
                        for mask in (taken, hidden))
        out = ~view & (np.cumsum(view, 1) > 0)
        gone = np.where(out.any(1), out.argmax(1), len(ranges))
        found = np.append(ranges - STEP / 2, np.inf)[first]
        return np.where(view.any(1) & (cover + 1 >= first) & (gone >= first), found, np.nan)

    def _free(self, index, x, y):
        return self.street.is_free(index, np.stack([x, y], -1)).reshape(np.shape(x))

    def _pixels(self, x, y):
        points = self.fine.camera.matrix() @ np.stack([x.ravel(), y.ravel(), np.zeros(x.size),
                                                       np.ones(x.size)])
        with np.errstate(all='ignore'):
            column, row = (np.round(points[axis] / points[2]).reshape(x.shape) for axis in (0, 1))
        ahead = (points[2] > 0).reshape(x.shape)
        inside = (ahead & (column >= 0) & (column < self.fine.camera.width)
                  & (row >= 0) & (row < self.fine.camera.height))
        return (np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int),
                inside)

    def _in_view(self, x, y):
        return self._pixels(x, y)[2]

    def _shown(self, index, x, y):
        if index != self._index:
            self._index, self._labels = index, self.fine.render(index).labels
        row, column, inside = self._pixels(x, y)
        return inside & np.isin(self._labels[row, column], GROUND)
