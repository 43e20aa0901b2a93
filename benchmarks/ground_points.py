"""Score labels on ground points as a costmap marks them, with points of all or visible pixels.

As in semantic_segmentation_layer with config/nav2/semantic_layer.yaml, a cell has the highest cost
of the pixels whose points are in it. The labels are exact.
"""

import argparse
import dataclasses
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from enet_ros.evaluation.freespace_score import CONFIG, FIRST_SEED, FRAME_STEP, make_estimator
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.surface_classes import DRIVABLE, OBSTACLE
from enet_ros.synthetic.street import SyntheticStreet
from enet_ros.synthetic.truth import StreetTruth

MAX_DISTANCE = 8.0  # meters, max_obstacle_distance of the layer
DEPTHS = 0.0, 0.1, 0.2, 0.5  # meters, ground.contact_depth
NO_COST, MARKED, UNSEEN = 0, 254, -1
SHARES = ('hidden free marked', 'visible free marked', 'obstacles marked', 'obstacles free')


def cell_costs(estimator: FreeSpaceEstimator, points: NDArray[np.float32],
               surfaces: NDArray[np.int8]) -> NDArray[np.int16]:
    """Return the highest cost of the pixels in each cell of the estimator's grid."""
    grid = estimator.grid
    costs = np.full(grid.shape, UNSEEN, np.int16)
    pixel_costs = np.select([surfaces == DRIVABLE, surfaces == OBSTACLE], [NO_COST, MARKED], 200)
    known = np.isfinite(points[..., 0])
    column, row = np.floor((points[known] - grid.origin) / grid.resolution).astype(int).T
    inside = (column >= 0) & (column < grid.shape[1]) & (row >= 0) & (row < grid.shape[0])
    np.maximum.at(costs, (row[inside], column[inside]), pixel_costs[known][inside])
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--streets', type=int, default=10)
    parser.add_argument('--frames', type=int, default=4, help='of each street')
    options = parser.parse_args()
    names = ['static', *(f'visible, contact_depth {depth:g}' for depth in DEPTHS)]
    counts = {name: np.zeros((len(SHARES), 2)) for name in names}
    durations: dict[str, list[float]] = {name: [] for name in names}
    for seed in range(FIRST_SEED, FIRST_SEED + options.streets):
        street = SyntheticStreet(640, 360, seed)
        truth = StreetTruth(street)
        estimators = {names[0]: make_estimator(street)}
        for name, depth in zip(names[1:], DEPTHS):
            ground = dataclasses.replace(CONFIG.ground, contact_depth=depth)
            estimators[name] = make_estimator(
                street, config=dataclasses.replace(CONFIG, ground=ground))
        x, y = estimators[names[0]].grid.centers()
        near = np.hypot(x, y) <= MAX_DISTANCE
        for index in range(0, options.frames * FRAME_STEP, FRAME_STEP):
            labels = street.render(index).labels
            occupied, visible = truth.cells(index, x, y, CONFIG.grid.resolution)
            # The truth calls the pavement occupied too, which has a cost of its own.
            road = np.abs(y + street.camera_position(index)[1]) < street.section.road_half
            hidden = near & truth.in_view(x, y) & ~visible & ~occupied
            free, obstacle = near & visible & ~occupied, near & visible & occupied & road
            for name, estimator in estimators.items():
                surfaces = estimator.surface_classes.classify(labels)
                rays = estimator.ray_caster.cast(surfaces, labels)
                start = time.thread_time()
                points = (estimator.ground.points if name == 'static'
                          else estimator.visible_ground(surfaces, rays))
                durations[name].append(1e3 * (time.thread_time() - start))
                costs = cell_costs(estimator, points, surfaces)
                marked = costs == MARKED
                for share, (cells, hit) in enumerate((
                        (hidden, marked), (free, marked), (obstacle, marked),
                        (obstacle, costs == NO_COST))):
                    counts[name][share] += (cells & hit).sum(), cells.sum()
    print(f'{options.streets * options.frames} frames of 640x360, cells of '
          f'{CONFIG.grid.resolution:g} m within {MAX_DISTANCE:g} m')
    print(f'{"":28}' + ''.join(f'{name:>23}' for name in (*SHARES, 'ms per frame')))
    for name in names:
        shares = ''.join(f'{100 * hit / max(cells, 1):21.2f} %' for hit, cells in counts[name])
        print(f'{name:28}{shares}{statistics.median(durations[name]):23.2f}')


if __name__ == '__main__':
    main()
