"""Measure labeled points, obstacles and scan of depth images against plain NumPy.

    scripts/run python benchmarks/semantic_cloud.py

Both take turns on one core, with the same images of synthetic streets. The points are scored
against the streets, with true labels and with those of a network.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.benchmark.machine import describe_machine
from enet_ros.evaluation.cloud_score import CloudTrial, Sensor, exact_sensor, millimeter_sensor
from enet_ros.evaluation.cloud_truth import CloudCounts, CloudTruth
from enet_ros.evaluation.freespace_score import FIRST_SEED
from enet_ros.pointcloud.cloud import POINT
from enet_ros.pointcloud.depth import Depth
from enet_ros.pointcloud.obstacles import obstacle_classes
from enet_ros.pointcloud.semantic_cloud import SemanticCloud
from enet_ros.segmenter import Segmenter
from enet_ros.synthetic.street import SyntheticStreet

SIZE = 640, 480
SENSORS: dict[str, Sensor] = {'16UC1': millimeter_sensor, '32FC1': exact_sensor}
FRAMES, FRAME_STEP = 4, 40
OURS, PLAIN = 'enet_ros', 'plain NumPy'


class Images(NamedTuple):
    """The images of a frame, (H, W)."""

    depth: Depth
    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


class Clouds(NamedTuple):
    """What is made of a frame: points (H, W), obstacles (N,), ranges of the scan (M,) meters."""

    points: NDArray[np.void]
    obstacles: NDArray[np.void]
    ranges: NDArray[np.float32]


Work = Callable[[Images], Clouds]
Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]  # an RGB image -> its labels


def package(trial: CloudTrial) -> Work:
    """Return the work as the node does it."""
    def work(images: Images) -> Clouds:
        cloud = SemanticCloud(trial.projection, trial.point_labels, *images)
        obstacles = trial.filter(cloud.z, cloud.labels, cloud.confidence)
        unknown = trial.filter.unknown_columns(cloud.without_depth, cloud.labels)
        ranges = trial.scan.measure(obstacles['x'], obstacles['y'], cloud.z, unknown)
        return Clouds(cloud.points, obstacles, ranges)

    return work


def plain(trial: CloudTrial) -> Work:
    """Return the same work in plain NumPy, in float32 and with the rays computed once."""
    camera, config, pose = trial.street.camera, trial.config, trial.pose
    limits, bearings = config.obstacles, trial.scan.bearings
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy,
                     np.ones(u.shape)], -1).astype(np.float32)
    rotation, position = (part.astype(np.float32) for part in (pose.rotation, pose.position))
    palette = trial.street.labels.palette().astype(np.uint32)
    is_obstacle = obstacle_classes(trial.street.labels, limits)

    def work(images: Images) -> Clouds:
        z = images.depth.astype(np.float32)
        if images.depth.dtype == np.uint16:
            z /= 1000
        valid = np.isfinite(z) & (z > 0)
        z[~valid] = np.nan
        xyz = rays * z[..., None]
        red, green, blue = np.moveaxis(palette[images.labels], -1, 0)
        points = np.zeros(z.shape, POINT)
        points['x'], points['y'], points['z'] = np.moveaxis(xyz, -1, 0)
        points['rgb'] = (red << 16 | green << 8 | blue).view(np.float32)
        points['label'], points['confidence'] = images.labels, images.confidence

        in_base = xyz @ rotation.T + position
        ranges = np.hypot(in_base[..., 0], in_base[..., 1])
        chosen = (is_obstacle[images.labels] & (in_base[..., 2] >= limits.min_height)
                  & (in_base[..., 2] <= limits.max_height) & (ranges <= limits.max_range))
        obstacles = points[chosen]
        obstacles['x'], obstacles['y'], obstacles['z'] = in_base[chosen].T
        bearing = np.arctan2(obstacles['y'], obstacles['x'])
        index = np.round((bearing - bearings[0]) / trial.scan.increment).astype(int)
        inside = (index >= 0) & (index < len(bearings))
        scan = np.full(len(bearings), np.inf, np.float32)
        np.minimum.at(scan, index[inside], ranges[chosen][inside])
        return Clouds(points, obstacles, scan)

    return work


def check_equal(ours: Clouds, other: Clouds) -> None:
    """Raise an AssertionError if the points or obstacles of a frame differ, or their ranges."""
    for own, theirs in ((ours.points, other.points), (ours.obstacles, other.obstacles)):
        for name in POINT.names or ():
            np.testing.assert_allclose(own[name], theirs[name], rtol=1e-4, atol=1e-4)
    # Plain NumPy has infinity where the range is unknown.
    known = ~np.isnan(ours.ranges)
    np.testing.assert_allclose(ours.ranges[known], other.ranges[known], rtol=1e-4)


def measure(candidates: Mapping[str, Work], frames: Sequence[Images],
            rounds: int) -> dict[str, list[float]]:
    """Return the median milliseconds of a frame in each round, by candidate."""
    medians: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, work in candidates.items():
            times = []
            for frame in frames:
                start = time.process_time()
                work(frame)
                times.append(1e3 * (time.process_time() - start))
            if number:  # the first round warms up
                medians[name].append(statistics.median(times))
    return medians


def score(trials: Sequence[CloudTrial], encoding: str,
          predict: Predict | None) -> CloudCounts:
    """Score frames of some streets, with true labels unless there is a network's `predict`."""
    counts = CloudCounts()
    for trial in trials:
        for index in range(0, FRAMES * FRAME_STEP, FRAME_STEP):
            frame = trial.street.render(index, with_depth=True)
            assert frame.depth is not None
            labels = predict(frame.image) if predict else frame.labels
            clouds = package(trial)(Images(SENSORS[encoding](frame.depth), labels, labels))
            truth = CloudTruth(trial.street, index, trial.config.obstacles)
            counts.add(truth, clouds.points, clouds.obstacles)
            counts.add_scan(truth, clouds.ranges, trial.scan.bearings, trial.scan.range_max)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--streets', type=int, default=5, help='that are scored')
    parser.add_argument('--model', default='enet_camvid', help="'' scores true labels only")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    trials = [CloudTrial(SyntheticStreet(*SIZE, seed))
              for seed in range(FIRST_SEED, FIRST_SEED + max(options.streets, 1))]
    street = trials[0].street
    confidence = np.random.default_rng(0).integers(0, 256, SIZE[::-1], np.uint8)
    print(f'{describe_machine()["processor"]}, one core; {SIZE[0]}x{SIZE[1]} pixels to points, '
          f'obstacles and scan, CPU time, {options.rounds} rounds in turns')
    print('| depth | enet_ros, ms | plain NumPy, ms | ratio |\n|---|---:|---:|---:|')
    for encoding, sensor in SENSORS.items():
        frames = []
        for index in range(0, FRAMES * FRAME_STEP, FRAME_STEP):
            frame = street.render(index, with_depth=True)
            assert frame.depth is not None
            frames.append(Images(sensor(frame.depth), frame.labels, confidence))
        candidates = {OURS: package(trials[0]), PLAIN: plain(trials[0])}
        check_equal(*(work(frames[0]) for work in candidates.values()))
        times = measure(candidates, frames, options.rounds)
        ratio = statistics.median(other / own for own, other in zip(times[OURS], times[PLAIN]))
        print(f'| {encoding} | {statistics.median(times[OURS]):.2f} '
              f'| {statistics.median(times[PLAIN]):.2f} | {ratio:.1f} |', flush=True)
    if not options.streets:
        return
    predictions: dict[str, Predict | None] = {'true labels': None}
    if options.model:
        segmenter = Segmenter.load(options.model, output_size=SIZE)
        predictions[f'labels of {options.model}'] = lambda image: segmenter(image).labels
    for name, predict in predictions.items():
        for encoding in SENSORS:
            print(f'\n{name}, {encoding}')
            print(*score(trials, encoding, predict).report(), sep='\n')


if __name__ == '__main__':
    main()
