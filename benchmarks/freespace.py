"""Measure what a frame costs beside simpler ways, and what closing gaps below bodies is worth."""

import argparse
import dataclasses
import statistics
import time

import cv2
import numpy as np

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
from enet_ros.freespace.ground_plane import GroundPlane
from enet_ros.labels import CAMVID
from enet_ros.synthetic.street import SyntheticStreet


def naive(points, labels, drivable, resolution=0.1, shape=(200, 150)):
    """Project every pixel to the ground and mark its cell: a grid without occlusion."""
    grid = np.full(shape, -1, np.int8)
    known = np.isfinite(points[..., 0])
    column = np.floor(points[known][:, 0] / resolution).astype(int)
    row = np.floor((points[known][:, 1] + 10.0) / resolution).astype(int)
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    grid[row[inside], column[inside]] = np.where(drivable[labels[known][inside]], 0, 100)
    return grid


def naive_frame(camera, pose, labels, drivable):
    """Do all of the geometry for one frame."""
    return naive(GroundPlane(camera, pose, CONFIG.ground.pixel_length).points, labels, drivable)


def loop_frame(points, labels, drivable, resolution=0.1, shape=(200, 150)):
    """Walk over every pixel in Python, its ground point given."""
    grid = np.full(shape, -1, np.int8)
    height, width = labels.shape
    for v in range(height):
        for u in range(width):
            x, y = points[v, u]
            if x == x:
                row, column = int((y + 10.0) / resolution), int(x / resolution)
                if 0 <= row < shape[0] and 0 <= column < shape[1]:
                    grid[row, column] = 0 if drivable[labels[v, u]] else 100
    return grid


def all_of(estimate):
    return estimate.grid, estimate.scan, estimate.points


def milliseconds(work, repeats):
    """Return the median processor time of work(), of the thread that calls it."""
    work()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(1e3 * (time.thread_time() - start))
    return statistics.median(times)


def print_costs(street):
    estimator, labels = make_estimator(street), street.render(10).labels
    camera = street.camera
    drivable = np.array([label.drivable for label in CAMVID.classes] + [False] * 245)
    model = Camera(calibration_of(camera), camera.width, camera.height, True)
    pose = estimator.ground.pose
    points = estimator.ground.points
    own = milliseconds(lambda: all_of(estimator(labels)), 100)
    print(f'\none frame of {camera.width}x{camera.height} on one core, median:')
    print(f'  grid, scan and points           {own:9.2f} ms')
    for name, work, repeats in (
            ('each pixel projected anew', lambda: naive_frame(model, pose, labels, drivable), 9),
            ('kept points, all in the grid', lambda: naive(points, labels, drivable), 21),
            ('a loop over kept points', lambda: loop_frame(points, labels, drivable), 3)):
        other = milliseconds(work, repeats)
        print(f'  {name:31} {other:9.2f} ms, {other / own:.1f} times as long')
    tables = milliseconds(lambda: make_estimator(street), 3)
    print(f'  tables, once                    {tables:9.2f} ms')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--streets', type=int, default=25, help='0: only the costs')
    parser.add_argument('--frames', type=int, default=4, help='of each street')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=360)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    size = options.width, options.height
    open_below = dataclasses.replace(CONFIG, ground=GroundConfig(span=0.0))
    trials = {'exact labels': Trial(), '  gaps below bodies left open': Trial(config=open_below)}
    count = sum(1 for _ in run_trials(list(trials.values()), options.streets, options.frames,
                                      *size))
    if count:
        print(f'{count} frames of {size[0]}x{size[1]}, cells of {CONFIG.grid.resolution:g} m')
        print(EXPLANATION)
        print(*table({name: trial.score for name, trial in trials.items()}), sep='\n')
    print_costs(SyntheticStreet(*size, FIRST_SEED))


if __name__ == '__main__':
    main()
