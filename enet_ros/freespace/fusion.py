"""Grids of many frames put together while the robot drives."""

import numpy as np

from enet_ros.errors import BadInput

LONGEST_TURN = 1.0  # rad from a frame to the next


class Fusion:
    """Adds up what frames say of each piece of ground, as log-odds.

    grid is a Grid, config a FusionConfig. The sums are kept in cells that stay where they are in
    the odometry's frame, as far around the base as the grid reaches. jump says how the newest pose
    jumped from the one before, '' where it did not.
    """

    def __init__(self, grid, config):
        self.grid, self.config, self.resolution = grid, config, grid.resolution
        x, y = np.broadcast_arrays(*grid.centres())
        self._points = np.stack([x, y])                            # (2, rows, columns), base
        self._reach = int(np.hypot(x, y).max() / self.resolution) + 3
        # Indexed by an OccupancyGrid's values 0, 100 and -1: unknown adds nothing.
        self._evidence = np.zeros(102, np.float32)
        self._evidence[[0, 100]] = -config.free, config.taken
        self.forget()

    def forget(self):
        """Start again: nothing is known."""
        self._odds = np.zeros((2 * self._reach,) * 2, np.float32)  # rows along y, columns along x
        self._pose, self.jump = None, ''

    def add(self, values, x, y, yaw):
        """Add a grid of values, int8 (rows, columns), and return the sum as the like.

        x and y in metres and yaw in rad are the base frame's pose in the odometry's frame. Where
        it jumps, all before is forgotten. Raise BadInput where it is not finite.
        """
        if not np.isfinite([x, y, yaw]).all():
            raise BadInput(f'the odometry is x {x}, y {y}, yaw {yaw}; all must be finite numbers')
        middle = np.floor(np.array([x, y]) / self.resolution).astype(int)
        self.jump = self._jump(x, y, yaw)
        if self.jump:
            self._odds[:] = 0.0
        elif self._pose is not None:
            self._roll(middle - self._middle)
        self._pose, self._middle = (x, y, yaw), middle
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        self._write(values, x, y, turn)
        return self._read(x, y, turn)

    def _jump(self, x, y, yaw):
        """Return what is to be said of a pose after the one before."""
        if self._pose is None:
            return ''
        step = np.hypot(x - self._pose[0], y - self._pose[1])
        turn = abs((yaw - self._pose[2] + np.pi) % (2 * np.pi) - np.pi)
        if step <= self.config.longest_step and turn <= LONGEST_TURN:
            return ''
        return (f'the odometry jumps by {step:.2f} m and {turn:.2f} rad from a frame to the next, '
                f'more than {self.config.longest_step:g} m or {LONGEST_TURN:g} rad, and what was '
                'seen before is forgotten; correct it, or set fusion.longest_step')

    def _roll(self, cells):
        """Move the kept cells along with the base, by whole cells (x, y)."""
        size = len(self._odds)
        kept = np.zeros_like(self._odds)
        if np.abs(cells).max() < size:
            new, old = zip(*((slice(max(0, -step), size - max(0, step)),
                              slice(max(0, step), size + min(0, step)))
                             for step in (cells[1], cells[0])))
            kept[new] = self._odds[old]
        self._odds = kept

    def _write(self, values, x, y, turn):
        """Look up each kept cell in a frame's grid."""
        cells = np.arange(-self._reach, self._reach) + 0.5
        x = (cells + self._middle[0]) * self.resolution - x
        y = ((cells + self._middle[1]) * self.resolution - y)[:, None]
        (left, low), (rows, columns) = self.grid.origin, self.grid.shape
        column = np.floor((turn[0, 0] * x + turn[1, 0] * y - left) / self.resolution).astype(int)
        row = np.floor((turn[0, 1] * x + turn[1, 1] * y - low) / self.resolution).astype(int)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        self._odds[inside] += self._evidence[values[row[inside], column[inside]]]
        np.clip(self._odds, -self.config.limit, self.config.limit, out=self._odds)

    def _read(self, x, y, turn):
        """Look up each cell of the grid in what is kept."""
        points = np.tensordot(turn, self._points, 1) + np.array([x, y])[:, None, None]
        column, row = (np.floor(points / self.resolution).astype(int)
                       - self._middle[:, None, None] + self._reach)
        odds = self._odds[row, column]
        known = np.abs(odds) >= self.config.decided
        return np.where(known, np.where(odds > 0, 100, 0), -1).astype(np.int8)
