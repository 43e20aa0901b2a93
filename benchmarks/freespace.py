"""Compare free space estimation with simpler methods: time per frame, and accuracy.

The accuracy is also measured without closing the gaps below overhanging obstacles.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.evaluation.freespace_score import (
    CONFIG,
    EXPLANATION,
    FIRST_SEED,
    Trial,
    calibration_of,
    make_estimator,
    run_trials,
    table,
)
from enet_ros.freespace.camera import Camera
from enet_ros.freespace.config import GroundConfig
from enet_ros.freespace.estimator import FreeSpaceEstimate
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.freespace.pose import Pose
from enet_ros.labels import CAMVID
from enet_ros.synthetic.street import SyntheticStreet

RESOLUTION = 0.1  # meters, side of a cell
SHAPE = 200, 150  # cells along y and x
Y_MIN = -10.0  # meters

Points = NDArray[np.floating]  # (H, W, 2): x, y of each pixel's ground point in meters, or NaN


def project_all_pixels(points: Points, labels: NDArray[np.uint8],
                       drivable: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return a grid without occlusion: project each pixel to the ground and set its cell."""
    grid = np.full(SHAPE, -1, np.int8)
    known = np.isfinite(points[..., 0])
    column = np.floor(points[known][:, 0] / RESOLUTION).astype(int)
    row = np.floor((points[known][:, 1] - Y_MIN) / RESOLUTION).astype(int)
    inside = (column >= 0) & (column < SHAPE[1]) & (row >= 0) & (row < SHAPE[0])
    grid[row[inside], column[inside]] = np.where(drivable[labels[known][inside]], 0, 100)
    return grid


def project_without_cache(camera: Camera, pose: Pose, labels: NDArray[np.uint8],
                          drivable: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Compute the ground points anew for one frame."""
    points = GroundPlane(camera, pose, CONFIG.ground.pixel_length).points
    return project_all_pixels(points, labels, drivable)


def loop_over_pixels(points: Points, labels: NDArray[np.uint8],
                     drivable: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Do the same in a Python loop over the pixels."""
    grid = np.full(SHAPE, -1, np.int8)
    height, width = labels.shape
    for v in range(height):
        for u in range(width):
            x, y = points[v, u]
            if x == x:
                row, column = int((y - Y_MIN) / RESOLUTION), int(x / RESOLUTION)
                if 0 <= row < SHAPE[0] and 0 <= column < SHAPE[1]:
                    grid[row, column] = 0 if drivable[labels[v, u]] else 100
    return grid


def all_outputs(estimate: FreeSpaceEstimate) -> tuple[object, ...]:
    return estimate.grid, estimate.scan, estimate.points


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU time of work() in the calling thread."""
    work()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(1e3 * (time.thread_time() - start))
    return statistics.median(times)


def print_times(street: SyntheticStreet) -> None:
    estimator, labels = make_estimator(street), street.render(10).labels
    camera = street.camera
    drivable = np.array([label.drivable for label in CAMVID.classes] + [False] * 245)
    model = Camera(calibration_of(camera), camera.width, camera.height, True)
    pose = estimator.ground.pose
    points = estimator.ground.points
    own = milliseconds(lambda: all_outputs(estimator(labels)), 100)
    print(f'\none frame of {camera.width}x{camera.height} on one core, median:')
    print(f'  {"grid, scan and points":33} {own:9.2f} ms')
    for name, work, repeats in (
            ('all pixels, projected per frame',
             lambda: project_without_cache(model, pose, labels, drivable), 9),
            ('all pixels, cached ground points',
             lambda: project_all_pixels(points, labels, drivable), 21),
            ('Python loop, cached ground points',
             lambda: loop_over_pixels(points, labels, drivable), 3)):
        other = milliseconds(work, repeats)
        print(f'  {name:33} {other:9.2f} ms, {other / own:.1f} times as long')
    tables = milliseconds(lambda: make_estimator(street), 3)
    print(f'  {"tables, once per calibration":33} {tables:9.2f} ms')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--streets', type=int, default=25, help='0: only the times')
    parser.add_argument('--frames', type=int, default=4, help='of each street')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=360)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    size = options.width, options.height
    open_below = dataclasses.replace(CONFIG, ground=GroundConfig(span=0.0))
    trials = {'ground-truth labels': Trial(),
              '  gaps below obstacles left open': Trial(config=open_below)}
    count = sum(1 for _ in run_trials(list(trials.values()), options.streets, options.frames,
                                      *size))
    if count:
        print(f'{count} frames of {size[0]}x{size[1]}, cells of {CONFIG.grid.resolution:g} m')
        print(EXPLANATION)
        print(*table({name: trial.score for name, trial in trials.items()}), sep='\n')
    print_times(SyntheticStreet(*size, FIRST_SEED))


if __name__ == '__main__':
    main()
