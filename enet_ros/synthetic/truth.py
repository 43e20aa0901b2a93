"""Ground truth for the grids and scans of a camera in a synthetic street."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enet_ros.labels import CAMVID
from enet_ros.synthetic.street import SyntheticStreet

GROUND = [CAMVID.id_of(name) for name in ('Road', 'Pavement')]
SUPERSAMPLING = 3   # of the labels per axis; odd, so that the centers of pixels coincide
RAY_STEP = 0.02     # meters between samples of a ray


class StreetTruth:
    """The true state of the ground in a street, in the base frame below the camera.

    Which ground is free comes from the layout of the street, which ground is visible from labels
    of a higher resolution than the camera's.
    """

    def __init__(self, street: SyntheticStreet) -> None:
        camera = street.camera
        self.street = street
        self._fine_street = SyntheticStreet(SUPERSAMPLING * camera.width,
                                            SUPERSAMPLING * camera.height, street.seed)
        self._index = -1  # frame of the labels
        self._labels: NDArray[np.uint8] = np.empty((0, 0), np.uint8)

    def cells(self, index: int, x: ArrayLike, y: ArrayLike,
              size: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (occupied, visible) for the cells of a grid in frame `index`, bool (...).

        x, y: centers of the cells (...), meters. size: their side, meters. A cell is visible if
        its ground is, or if it is occupied and the free ground before it is visible.
        """
        x, y = np.broadcast_arrays(x, y)
        occupied = ~self._free(index, x, y)
        nearer = 1 - size / np.maximum(np.hypot(x, y), size)
        ground_before = (self._visible(index, nearer * x, nearer * y)
                         & self._free(index, nearer * x, nearer * y))
        visible = self._visible(index, x, y) | (occupied & ground_before)
        return occupied, self._in_view(x, y) & visible

    def in_view(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
        """Return which points of the ground are inside the image, hidden or not, bool (...).

        x, y: in meters.
        """
        return self._in_view(*np.broadcast_arrays(x, y))

    def scan(self, index: int, bearings: NDArray[np.float64],
             range_max: float) -> NDArray[np.float64]:
        """Return the range of the first obstacle for each bearing in frame `index`, (N,) meters.

        bearings: in rad. Infinity means that all ground up to range_max (meters) is free. NaN
        means that the ground leaves the image, or is hidden by something that stands elsewhere,
        before the first obstacle.
        """
        ranges = np.arange(RAY_STEP, range_max, RAY_STEP)                     # (R,)
        x, y = ranges * np.cos(bearings)[:, None], ranges * np.sin(bearings)[:, None]  # (N, R)
        in_view = self._in_view(x, y)
        free, visible = np.ones(in_view.shape, bool), np.ones(in_view.shape, bool)
        free[in_view] = self._free(index, x[in_view], y[in_view])
        visible[in_view] = self._visible(index, x[in_view], y[in_view])
        first_obstacle = _first(~free)
        first_hidden = _first(free & ~visible)
        first_outside = _first(~in_view & (np.cumsum(in_view, 1) > 0))
        found = np.append(ranges - RAY_STEP / 2, np.inf)[first_obstacle]
        # One sample of tolerance, as the point of contact shows the obstacle itself.
        known = (in_view.any(1) & (first_hidden + 1 >= first_obstacle)
                 & (first_outside >= first_obstacle))
        return np.where(known, found, np.nan)

    def _free(self, index: int, x: NDArray[np.float64],
              y: NDArray[np.float64]) -> NDArray[np.bool_]:
        return self.street.is_free(index, np.stack([x, y], -1)).reshape(np.shape(x))

    def _in_view(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        return self._pixels(x, y)[2]

    def _visible(self, index: int, x: NDArray[np.float64],
                 y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points show ground in the labels."""
        if index != self._index:
            self._index, self._labels = index, self._fine_street.render(index).labels
        row, column, inside = self._pixels(x, y)
        return inside & np.isin(self._labels[row, column], GROUND)

    def _pixels(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[
            NDArray[np.int_], NDArray[np.int_], NDArray[np.bool_]]:
        """Return (row, column, whether inside the image) of points in the fine labels."""
        camera = self._fine_street.camera
        points = camera.matrix() @ np.stack([x.ravel(), y.ravel(), np.zeros(x.size),
                                             np.ones(x.size)])
        with np.errstate(all='ignore'):
            column, row = (np.round(points[axis] / points[2]).reshape(x.shape) for axis in (0, 1))
        ahead = (points[2] > 0).reshape(x.shape)
        inside = (ahead & (column >= 0) & (column < camera.width)
                  & (row >= 0) & (row < camera.height))
        return (np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int),
                inside)


def _first(mask: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Return the index of the first true sample of each ray (N, R); R if there is none."""
    return np.where(mask.any(1), mask.argmax(1), mask.shape[1])
