"""The cells of a costmap in the base frame, and their score against a synthetic street."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enet_ros.evaluation.freespace_score import NEAR_RANGE
from enet_ros.synthetic.truth import StreetTruth

# Costs of Nav2.
NO_COST, INSCRIBED, LETHAL, UNKNOWN = 0, 253, 254, 255

Mask = NDArray[np.bool_]


class Costmap(NamedTuple):
    """Costs uint8 (rows, columns) of cells along y and x; meters.

    x, y: centers of the cells (columns,) and (rows, 1) in the base frame. size: side of a cell.
    """

    costs: NDArray[np.uint8]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    size: float


@dataclass
class CellTruth:
    """What the cells of a costmap are, bool (rows, columns); `near` limits all of them.

    free: visible road. occupied: visible and no road. obstacle: those of them that stand on the
    road, so that neither pavement nor what is behind it counts. hidden: road inside the image
    that an obstacle hides.
    """

    near: Mask
    free: Mask
    occupied: Mask
    obstacle: Mask
    hidden: Mask

    @classmethod
    def of(cls, truth: StreetTruth, index: int, costmap: Costmap) -> 'CellTruth':
        """Return the truth for frame `index` of a street."""
        x, y = np.broadcast_arrays(costmap.x, costmap.y)
        occupied, visible = truth.cells(index, x, y, costmap.size)
        near = np.hypot(x, y) <= NEAR_RANGE
        street_y = y + truth.street.camera_position(index)[1]
        road = np.abs(street_y) < truth.street.section.road_half
        visible &= near
        return cls(near, visible & ~occupied, visible & occupied, visible & occupied & road,
                   near & truth.in_view(x, y) & ~visible & ~occupied)


COLUMNS = ('occupied cells of cost 0', 'obstacle cells below the inscribed cost',
           'free cells that are lethal', 'free cells without a cost',
           'hidden cells that are lethal')


@dataclass
class CostmapScore:
    """Counts of cells over frames: of each column, and of the cells that it is a share of."""

    hits: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)

    def add(self, costmap: Costmap, truth: CellTruth) -> None:
        """Add the cells of one frame."""
        costs = costmap.costs
        masks = ((truth.occupied, costs == NO_COST),
                 (truth.obstacle, costs < INSCRIBED),
                 (truth.free, costs == LETHAL),
                 (truth.free, costs == UNKNOWN),
                 (truth.hidden, costs == LETHAL))
        for column, (cells, hit) in zip(COLUMNS, masks):
            self.hits[column] += int((cells & hit).sum())
            self.cells[column] += int(cells.sum())

    def row(self) -> list[str]:
        """Return the share of each column."""
        return [f'{100 * self.hits[column] / max(self.cells[column], 1):.1f} %'
                for column in COLUMNS]
