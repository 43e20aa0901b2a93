"""The fusion of the grids of consecutive frames while the robot drives."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.freespace.config import FusionConfig
from enet_ros.freespace.grid import Grid
from enet_ros.freespace.surface_classes import FREE, OCCUPIED, UNKNOWN

MAX_TURN = 1.0  # rad between frames
MAX_DISTANCE = 1e8  # meters from the origin of the odometry; farther away, cells have no numbers


class GridFusion:
    """Adds up the grids of frames as log-odds.

    The log-odds are kept in a square of cells around the base that are fixed in the odometry
    frame.

    Attributes:
        jump: how the newest pose jumped from the previous one, or ''.
    """

    def __init__(self, grid: Grid, config: FusionConfig) -> None:
        self.grid, self.config, self.resolution = grid, config, grid.resolution
        x, y = np.broadcast_arrays(*grid.centers())
        self._points = np.stack([x, y])                            # (2, rows, columns), base
        self._reach = int(np.hypot(x, y).max() / self.resolution) + 3
        # Indexed by the state of a cell, -1 being the last; UNKNOWN adds nothing.
        self._evidence = np.zeros(102, np.float32)
        self._evidence[[FREE, OCCUPIED]] = -config.miss, config.hit
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        side = 2 * self._reach
        self._log_odds = np.zeros((side, side), np.float32)  # rows along y, columns along x
        self._pose: tuple[float, float, float] | None = None
        self._middle: NDArray[np.int_] = np.zeros(2, int)  # cell of the base, x and y
        self.jump = ''

    def add(self, values: NDArray[np.int8], x: float, y: float, yaw: float) -> NDArray[np.int8]:
        """Add a grid (rows, columns) and return the fused grid of the same shape.

        x, y, yaw: pose of the base in the odometry frame, meters and rad. After a jump all earlier
        frames are forgotten. Raise BadInput if the pose is not finite or too far away.
        """
        if not (np.isfinite([x, y, yaw]).all() and max(abs(x), abs(y)) <= MAX_DISTANCE):
            raise BadInput(f'the odometry is x {x}, y {y}, yaw {yaw}; all must be finite numbers, '
                           f'and x and y at most {MAX_DISTANCE:g} m, correct the odometry')
        middle = np.floor(np.array([x, y]) / self.resolution).astype(int)
        self.jump = self._describe_jump(x, y, yaw)
        if self.jump:
            self._log_odds[:] = 0.0
        elif self._pose is not None:
            self._shift(middle - self._middle)
        self._pose, self._middle = (x, y, yaw), middle
        rotation = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        self._write(values, x, y, rotation)
        return self._read(x, y, rotation)

    def _describe_jump(self, x: float, y: float, yaw: float) -> str:
        """Return how a pose jumps from the previous one, or ''."""
        if self._pose is None:
            return ''
        step = np.hypot(x - self._pose[0], y - self._pose[1])
        turn = abs((yaw - self._pose[2] + np.pi) % (2 * np.pi) - np.pi)
        if step <= self.config.max_step and turn <= MAX_TURN:
            return ''
        return (f'the odometry jumps by {step:.2f} m and {turn:.2f} rad between frames, more than '
                f'{self.config.max_step:g} m or {MAX_TURN:g} rad, so earlier frames are '
                'forgotten; correct the odometry, or set fusion.max_step')

    def _shift(self, cells: NDArray[np.int_]) -> None:
        """Move the square along with the base, by whole cells (x, y)."""
        shifted = np.zeros_like(self._log_odds)
        if np.abs(cells).max() < len(shifted):
            new_columns, old_columns = _shift_slices(cells[0], len(shifted))
            new_rows, old_rows = _shift_slices(cells[1], len(shifted))
            shifted[new_rows, new_columns] = self._log_odds[old_rows, old_columns]
        self._log_odds = shifted

    def _write(self, values: NDArray[np.int8], x: float, y: float,
               rotation: NDArray[np.float64]) -> None:
        """Add the evidence of a grid to each cell of the square."""
        cells = np.arange(-self._reach, self._reach) + 0.5
        dx = (cells + self._middle[0]) * self.resolution - x
        dy = ((cells + self._middle[1]) * self.resolution - y)[:, None]
        (left, low), (rows, columns) = self.grid.origin, self.grid.shape
        column = np.floor((rotation[0, 0] * dx + rotation[1, 0] * dy - left)
                          / self.resolution).astype(int)
        row = np.floor((rotation[0, 1] * dx + rotation[1, 1] * dy - low)
                       / self.resolution).astype(int)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        self._log_odds[inside] += self._evidence[values[row[inside], column[inside]]]
        np.clip(self._log_odds, -self.config.max_log_odds, self.config.max_log_odds,
                out=self._log_odds)

    def _read(self, x: float, y: float, rotation: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return the state of each cell of the grid from the square."""
        points = np.tensordot(rotation, self._points, 1) + np.array([x, y])[:, None, None]
        column, row = (np.floor(points / self.resolution).astype(int)
                       - self._middle[:, None, None] + self._reach)
        log_odds = self._log_odds[row, column]
        known = np.abs(log_odds) >= self.config.occupied_threshold
        states = np.where(known, np.where(log_odds > 0, OCCUPIED, FREE), UNKNOWN)
        return states.astype(np.int8)


def _shift_slices(step: int, size: int) -> tuple[slice, slice]:
    """Return the (new, old) slices of an axis whose window moves by `step` cells."""
    return (slice(max(0, -step), size - max(0, step)),
            slice(max(0, step), size + min(0, step)))
